"""The ledger: moves each delivery from state to state, durably, and only along the ways that exist.

A claim is compare-and-set and checks, in the same statement, that the reader is still subscribed. Whatever a crash
leaves as `sending` becomes a doubt, never a second copy.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import func, select
from sqlalchemy.sql import ColumnElement

from dispatcher.errors import LedgerFailed
from dispatcher.models import Delivery, Outcome, Reply, State
from dispatcher.storage.database import Database, now
from dispatcher.storage.mailings import Mailing
from dispatcher.storage.readers import as_subscriber
from dispatcher.storage.reports import count_states
from dispatcher.storage.schema import as_text, delivery, from_text, reader_list, subscriber
from dispatcher.tokens import message_id

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The intent to hand over one delivery; `at` becomes the time of its first attempt if it has none.

    `ended` is the outcome of an attempt that the relay ended before the content: it is recorded with the claim.
    """

    delivery_id: int
    at: datetime
    ended: Outcome | None = None


_CLAIM = """
    UPDATE delivery SET state = 'sending', attempts = attempts + 1, due_at = NULL,
        first_attempt_at = coalesce(first_attempt_at, ?)
    WHERE id = ? AND state = 'queued' AND EXISTS (
        SELECT 1 FROM membership WHERE membership.list_id = delivery.list_id
        AND membership.subscriber_id = delivery.subscriber_id AND membership.state = 'active')
"""
_HAND_OVER = "UPDATE mailing SET handed_over_at = coalesce(handed_over_at, ?) WHERE id = ?"
_SKIP_WHO_LEFT = """
    UPDATE delivery SET state = 'skipped', settled_at = ?, reason = coalesce((
        SELECT CASE membership.state WHEN 'removed' THEN 'no longer on the list' ELSE membership.state END
        FROM membership WHERE membership.list_id = delivery.list_id
        AND membership.subscriber_id = delivery.subscriber_id), 'no longer on the list')
    WHERE id = ? AND state = 'queued'
"""
_RECORD = """
    UPDATE delivery SET state = ?, code = ?, reply = ?, reason = ?, due_at = ?, settled_at = ?
    WHERE id = ? AND state = 'sending'
"""
_SKIP = "UPDATE delivery SET state = 'skipped', reason = ?, settled_at = ? WHERE id = ? AND state = 'queued'"
_PUT_BACK = """
    UPDATE delivery SET state = 'queued', code = NULL, reply = NULL, reason = NULL, settled_at = NULL
    WHERE id = ? AND state = 'refused'
"""
_REQUEUE = """
    UPDATE delivery SET state = 'queued', due_at = NULL
    WHERE mailing_id = ? AND state = 'deferred' AND due_at <= ?
"""
_DOUBT = """
    UPDATE delivery SET state = 'in_doubt', reason = ?, settled_at = ? WHERE mailing_id = ? AND state = 'sending'
"""


class Ledger:
    """The rows of one mailing, with a connection of its own for writing; one thread at a time uses it."""

    def __init__(self, database: Database, mailing: Mailing, on_handing_over: Callable[[], None] | None = None) -> None:
        """`on_handing_over` is called once, before this ledger's first claim of content that goes out."""
        self.database = database
        self.mailing = mailing
        self._on_handing_over = on_handing_over
        self._has_handed_over = False
        self._pooled = database.engine.raw_connection()
        self._connection: sqlite3.Connection = self._pooled.dbapi_connection  # type: ignore[assignment]

    def close(self) -> None:
        self._pooled.close()

    def commit(self, outcomes: Sequence[Outcome], claims: Sequence[Claim]) -> list[bool]:
        """Records outcomes and makes claims in one durable transaction; says which claims hold.

        A claim that does not hold is of a reader who left, now `skipped`, or of a row somebody else has.
        Raises LedgerFailed; then nothing of it happened.
        """

        def apply(cursor: sqlite3.Cursor) -> list[bool]:
            for outcome in outcomes:
                if outcome.state is State.SKIPPED:
                    cursor.execute(_SKIP, (outcome.reason, as_text(now()), outcome.delivery_id))
                    continue
                self._record(cursor, outcome)
            if hands_over:
                cursor.execute(_HAND_OVER, (as_text(now()), self.mailing.id))
            return [self._claim(cursor, claim) for claim in claims]

        hands_over = not self._has_handed_over and any(claim.ended is None for claim in claims)
        if hands_over and self._on_handing_over is not None:
            self._on_handing_over()
        held = self._write(apply)
        self._has_handed_over = self._has_handed_over or hands_over
        return held

    def put_back(self, delivery_ids: Iterable[int]) -> None:
        """Queues rows again whose refusal turned out to be meant for all."""
        self._write(lambda cursor: cursor.executemany(_PUT_BACK, [(each,) for each in delivery_ids]))

    def requeue_deferred(self, until: datetime) -> int:
        """Queues deferred rows again that are due by then. Returns how many."""
        return self._write(lambda cursor: cursor.execute(_REQUEUE, (self.mailing.id, as_text(until))).rowcount)

    def doubt_unsettled(self, reason: str) -> int:
        """Makes doubts of rows that a run which is over left as `sending`. Returns how many."""
        return self._write(lambda cursor: cursor.execute(_DOUBT, (reason, as_text(now()), self.mailing.id)).rowcount)

    def queued(self, *, after: int, limit: int) -> list[Delivery]:
        """Queued deliveries in the order of their ids, with their readers."""
        return self._deliveries(State.QUEUED, after=after, limit=limit)

    def waiting(self, *, after: int, limit: int) -> list[Delivery]:
        """Queued and deferred deliveries, for who only wants to look."""
        return self._deliveries(State.QUEUED, State.DEFERRED, after=after, limit=limit)

    def unsettled(self) -> list[Delivery]:
        """Deliveries left as `sending`."""
        return self._deliveries(State.SENDING, after=0, limit=-1)

    def next_due(self) -> datetime | None:
        """When the first deferred row is due."""
        query = select(func.min(delivery.c.due_at)).where(
            delivery.c.mailing_id == self.mailing.id, delivery.c.state == State.DEFERRED
        )
        with self.database.reading() as connection:
            found = connection.execute(query).scalar()
        return from_text(found) if isinstance(found, str) else found

    def counts(self) -> Counter[State]:
        return count_states(self.database, self.mailing.id)

    def _claim(self, cursor: sqlite3.Cursor, claim: Claim) -> bool:
        cursor.execute(_CLAIM, (as_text(claim.at), claim.delivery_id))
        if cursor.rowcount == 1:
            if claim.ended is not None:
                self._record(cursor, claim.ended)
            return True
        cursor.execute(_SKIP_WHO_LEFT, (as_text(claim.at), claim.delivery_id))
        return False

    def _record(self, cursor: sqlite3.Cursor, outcome: Outcome) -> None:
        cursor.execute(_RECORD, _recorded(outcome))
        if cursor.rowcount != 1:
            raise LedgerFailed(f"delivery {outcome.delivery_id} is not being sent; stop and run: dispatcher audit")

    def _write(self, work: Callable[[sqlite3.Cursor], _T]) -> _T:
        cursor = self._connection.cursor()
        try:
            cursor.execute("BEGIN IMMEDIATE")
            result = work(cursor)
            cursor.execute("COMMIT")
        except sqlite3.Error as error:
            raise LedgerFailed(
                f"{self.database.path}: {error}; sending has stopped, nobody is lost: mend it and run again"
            ) from error
        finally:
            if self._connection.in_transaction:
                cursor.execute("ROLLBACK")
            cursor.close()
        return result

    def _deliveries(self, *states: State, after: int, limit: int) -> list[Delivery]:
        query = (
            select(
                delivery.c.id.label("delivery_id"), delivery.c.list_id, reader_list.c.name.label("list_name"),
                delivery.c.edition_id, delivery.c.attempts, delivery.c.first_attempt_at, delivery.c.copy, subscriber,
            )
            .join(subscriber, subscriber.c.id == delivery.c.subscriber_id)
            .join(reader_list, reader_list.c.id == delivery.c.list_id)
            .where(delivery.c.mailing_id == self.mailing.id, _in_state(states), delivery.c.id > after)
            .order_by(delivery.c.id)
            .limit(limit)
        )  # fmt: skip
        with self.database.reading() as connection:
            return [
                Delivery(
                    id=row.delivery_id,
                    list_id=row.list_id,
                    list_name=row.list_name,
                    edition_id=row.edition_id,
                    attempts=row.attempts,
                    first_attempt_at=row.first_attempt_at,
                    message_id=message_id(
                        self.mailing.salt,
                        issue=self.mailing.issue,
                        subscriber_id=row.id,
                        copy=row.copy,
                        domain=self.mailing.sender_domain,
                    ),
                    subscriber=as_subscriber(row),
                )
                for row in connection.execute(query)
            ]


def _in_state(states: Sequence[State]) -> ColumnElement[bool]:
    """One state is compared with =, for which there is an index; IN would not use it."""
    if len(states) == 1:
        return delivery.c.state == states[0].value
    return delivery.c.state.in_([state.value for state in states])


def _recorded(outcome: Outcome) -> tuple[object, ...]:
    reply: Reply | None = outcome.reply
    settled = outcome.state in {State.SENT, State.REFUSED, State.IN_DOUBT, State.SKIPPED}
    return (
        outcome.state.value,
        reply.code if reply else None,
        reply.text if reply else None,
        outcome.reason,
        as_text(outcome.due_at) if outcome.due_at else None,
        as_text(now()) if settled else None,
        outcome.delivery_id,
    )
