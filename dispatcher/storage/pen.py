"""What a ledger writes: claims and outcomes, by statements that each database's pen has in its own words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dispatcher.models import Outcome, State
from dispatcher.storage.schema import as_text

SETTLED = frozenset({State.SENT, State.REFUSED, State.IN_DOUBT, State.SKIPPED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The intent to hand over one delivery; `at` becomes the time of its first attempt if it has none.

    `ended` is the outcome of an attempt that the relay ended before the content: it is recorded with the claim.
    """

    delivery_id: int
    at: datetime
    ended: Outcome | None = None

    @property
    def at_text(self) -> str:
        return as_text(self.at)


class NotBeingSentError(Exception):
    """An outcome of a row that is not `sending`; nothing is written then."""

    def __init__(self, delivery_id: int) -> None:
        super().__init__(delivery_id)
        self.delivery_id = delivery_id


class Pen(Protocol):
    """A connection that writes one mailing's rows; each method is one durable transaction, or did not happen."""

    def commit(self, outcomes: Sequence[Outcome], claims: Sequence[Claim], at: str) -> list[bool]:
        """Records outcomes, then makes claims; which of them hold. Raises NotBeingSentError."""

    def hand_over(self, mailing_id: int, at: str) -> None:
        """Notes when the first content was about to go."""

    def begin_run(self, mailing_id: int, number: int) -> None: ...

    def put_back(self, delivery_ids: Iterable[int]) -> None:
        """Queues refused rows again."""

    def requeue(self, mailing_id: int, until: str) -> int:
        """Queues deferred rows again that are due."""

    def doubt(self, mailing_id: int, reason: str, at: str) -> int:
        """Makes doubts of rows that are `sending`."""

    def close(self) -> None: ...


def recorded(outcome: Outcome, at: str) -> tuple[object, ...]:
    """State, code, reply, reason, due, settled, relay and id, as a row keeps them."""
    reply = outcome.reply
    return (
        outcome.state.value,
        reply.code if reply else None,
        reply.text if reply else None,
        outcome.reason,
        as_text(outcome.due_at) if outcome.due_at else None,
        at if outcome.state in SETTLED else None,
        outcome.relay,
        outcome.delivery_id,
    )
