"""What a ledger writes: claims and outcomes, by statements that each database's pen has in its own words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dispatcher.models import Outcome, State
from dispatcher.storage.columns import as_text

BLOCK = 1_000  # deliveries that are dealt out together: those whose ids have the same number of thousands
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
    """An outcome of an attempt that the row no longer knows; nothing is written then."""

    def __init__(self, delivery_id: int) -> None:
        super().__init__(delivery_id)
        self.delivery_id = delivery_id


class Pen(Protocol):
    """A connection that writes one mailing's rows; each method is one durable transaction, or did not happen."""

    def commit(self, outcomes: Sequence[Outcome], claims: Sequence[Claim], at: str, run: int | None) -> list[bool]:
        """Records what became of a run's claims, then makes claims for it; which of them hold.

        A run that has ended claims nothing. Raises NotBeingSentError.
        """

    def settle(self, outcomes: Sequence[Outcome], at: str, run: int | None) -> None:
        """Records what became of an ended run's claims, doubts included, that nobody else has settled since."""

    def hand_over(self, mailing_id: int, at: str) -> None:
        """Notes when the first content was about to go."""

    def put_back(self, delivery_ids: Iterable[int], at: str, run: int | None) -> None:
        """Queues rows again that were refused; where the run is one of several, others may go on with them."""

    def requeue(self, mailing_id: int, until: str, blocks: Sequence[int] | None) -> int:
        """Queues deferred rows again that are due, of these blocks or of all."""

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
