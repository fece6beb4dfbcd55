"""The ledger: moves each delivery from state to state, durably, and only along the ways that exist.

A claim is compare-and-set and checks, in the same statement, that the reader is still subscribed. Whatever a crash
leaves as `sending` becomes a doubt, never a second copy.
"""

import contextlib
import secrets
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from sqlalchemy import func, select
from sqlalchemy.sql import ColumnElement

from dispatcher.errors import LedgerFailed
from dispatcher.models import Delivery, Outcome, Reply, State, Subscriber
from dispatcher.storage.database import Database, now
from dispatcher.storage.mailings import Mailing
from dispatcher.storage.reports import count_states, sent_over
from dispatcher.storage.schema import as_text, delivery, from_text, mailing, reader_list, subscriber
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


CLAIM = """
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
    UPDATE delivery SET state = ?, code = ?, reply = ?, reason = ?, due_at = ?, settled_at = ?, relay = ?
    WHERE id = ? AND state = 'sending'
"""
_SKIP = "UPDATE delivery SET state = 'skipped', reason = ?, settled_at = ? WHERE id = ? AND state = 'queued'"
_PUT_BACK = """
    UPDATE delivery SET state = 'queued', code = NULL, reply = NULL, reason = NULL, settled_at = NULL
    WHERE id = ? AND state = 'refused'
"""
_BEGIN_RUN = "UPDATE mailing SET run = ? WHERE id = ?"
_REQUEUE = """
    UPDATE delivery SET state = 'queued', due_at = NULL
    WHERE mailing_id = ? AND state = 'deferred' AND due_at <= ?
"""
_DOUBT = """
    UPDATE delivery SET state = 'in_doubt', reason = ?, settled_at = ? WHERE mailing_id = ? AND state = 'sending'
"""


class _NotAsExpectedError(Exception):
    """Some row is not in the state that most are in."""


class Ledger:
    """The rows of one mailing, with a connection of its own for writing, which one thread at a time uses."""

    def __init__(self, database: Database, mailing: Mailing, on_handing_over: Callable[[], None] | None = None) -> None:
        """`on_handing_over` is called once, before this ledger's first claim of content that goes out."""
        self.database = database
        self.mailing = mailing
        self._on_handing_over = on_handing_over
        self._has_handed_over = False
        self._one_at_a_time = threading.Lock()
        self._pooled = database.engine.raw_connection()
        self._connection: sqlite3.Connection = self._pooled.dbapi_connection  # type: ignore[assignment]

    def close(self) -> None:
        self._pooled.close()

    def commit(self, outcomes: Sequence[Outcome], claims: Sequence[Claim]) -> list[bool]:
        """Records outcomes and makes claims in one durable transaction; says which claims hold.

        A claim that does not hold is of a reader who left, now `skipped`, or of a row somebody else has.
        Raises LedgerFailed; then nothing of it happened.
        """
        hands_over = not self._has_handed_over and any(claim.ended is None for claim in claims)
        if hands_over:
            if self._on_handing_over is not None:
                self._on_handing_over()
            self._write(lambda cursor: cursor.execute(_HAND_OVER, (as_text(now()), self.mailing.id)))
            self._has_handed_over = True
        with contextlib.suppress(_NotAsExpectedError):
            self._write(lambda cursor: self._commit_together(cursor, outcomes, claims))
            return [True] * len(claims)
        return self._write(lambda cursor: self._commit_one_by_one(cursor, outcomes, claims))

    def put_back(self, delivery_ids: Iterable[int]) -> None:
        """Queues rows again whose refusal turned out to be meant for all."""
        self._write(lambda cursor: cursor.executemany(_PUT_BACK, [(each,) for each in delivery_ids]))

    def requeue_deferred(self, until: datetime) -> int:
        """Queues deferred rows again that are due by then. Returns how many."""
        return self._write(lambda cursor: cursor.execute(_REQUEUE, (self.mailing.id, as_text(until))).rowcount)

    def doubt_unsettled(self, reason: str) -> int:
        """Makes doubts of rows that a run which is over left as `sending`. Returns how many."""
        return self._write(lambda cursor: cursor.execute(_DOUBT, (reason, as_text(now()), self.mailing.id)).rowcount)

    def begin_run(self) -> int:
        """Gives this run a random number, by which its flight recorder is known."""
        number = secrets.randbits(62)
        self._write(lambda cursor: cursor.execute(_BEGIN_RUN, (number, self.mailing.id)))
        return number

    def last_run(self) -> int | None:
        """The number of the run that was begun last."""
        with self.database.reading() as connection:
            return connection.scalar(select(mailing.c.run).where(mailing.c.id == self.mailing.id))

    def sent_over(self, relay: str, *, since: datetime) -> tuple[int, datetime | None]:
        """How many messages of all mailings a relay took since then, and when the first of them."""
        return sent_over(self.database, relay, since=since)

    def busiest_day_over(self, relay: str, *, since: datetime, until: datetime) -> int:
        """How many messages of all mailings a relay took on that day (UTC) between the two on which they were most."""
        day = func.substr(delivery.c.settled_at, 1, 10)
        per_day = (
            select(func.count().label("sent"))
            .where(
                delivery.c.relay == relay, delivery.c.state == State.SENT,
                delivery.c.settled_at >= since, delivery.c.settled_at < until,
            )
            .group_by(day)
            .subquery()
        )  # fmt: skip
        with self.database.reading() as connection:
            return connection.scalar(select(func.max(per_day.c.sent))) or 0

    def queued(self, *, after: int, limit: int, but_not: Collection[str] = ()) -> list[Delivery]:
        """Queued deliveries in the order of their ids, with their readers; none of the domains `but_not`."""
        return self._deliveries(State.QUEUED, after=after, limit=limit, but_not=but_not)

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

    def _commit_together(self, cursor: sqlite3.Cursor, outcomes: Sequence[Outcome], claims: Sequence[Claim]) -> None:
        """For the case that all is well: who claims what nobody left, and records what he claimed."""
        if any(each.state is State.SKIPPED for each in outcomes) or any(each.ended is not None for each in claims):
            raise _NotAsExpectedError
        if outcomes:
            cursor.executemany(_RECORD, [_recorded(each) for each in outcomes])
            if cursor.rowcount != len(outcomes):
                raise _NotAsExpectedError
        if claims:
            cursor.executemany(CLAIM, [(as_text(each.at), each.delivery_id) for each in claims])
            if cursor.rowcount != len(claims):
                raise _NotAsExpectedError

    def _commit_one_by_one(
        self, cursor: sqlite3.Cursor, outcomes: Sequence[Outcome], claims: Sequence[Claim]
    ) -> list[bool]:
        for outcome in outcomes:
            if outcome.state is State.SKIPPED:
                cursor.execute(_SKIP, (outcome.reason, as_text(now()), outcome.delivery_id))
            else:
                self._record(cursor, outcome)
        return [self._claim(cursor, claim) for claim in claims]

    def _claim(self, cursor: sqlite3.Cursor, claim: Claim) -> bool:
        cursor.execute(CLAIM, (as_text(claim.at), claim.delivery_id))
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
        with self._one_at_a_time:
            return self._transact(work)

    def _transact(self, work: Callable[[sqlite3.Cursor], _T]) -> _T:
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

    def _deliveries(self, *states: State, after: int, limit: int, but_not: Collection[str] = ()) -> list[Delivery]:
        others = [subscriber.c.domain.not_in(but_not)] if but_not else []
        query = (
            select(
                delivery.c.id, delivery.c.list_id, reader_list.c.name, delivery.c.edition_id, delivery.c.attempts,
                delivery.c.first_attempt_at, delivery.c.copy, subscriber.c.domain,
                subscriber.c.id, subscriber.c.ref, subscriber.c.email, subscriber.c.name, subscriber.c.language,
                subscriber.c.attributes,
            )
            .join(subscriber, subscriber.c.id == delivery.c.subscriber_id)
            .join(reader_list, reader_list.c.id == delivery.c.list_id)
            .where(delivery.c.mailing_id == self.mailing.id, _in_state(states), delivery.c.id > after, *others)
            .order_by(delivery.c.id)
            .limit(limit)
        )  # fmt: skip
        name_message = partial(
            message_id, self.mailing.salt, issue=self.mailing.issue, domain=self.mailing.sender_domain
        )
        with self.database.reading() as connection:
            return [
                Delivery(
                    id=number,
                    list_id=list_id,
                    list_name=list_name,
                    edition_id=edition_id,
                    attempts=attempts,
                    first_attempt_at=first_attempt_at,
                    message_id=name_message(subscriber_id=subscriber_id, copy=copy),
                    domain=domain,
                    subscriber=Subscriber(
                        id=subscriber_id, ref=ref, email=email, name=name, language=language, attributes=attributes
                    ),
                )
                # Unpacked: to ask a row for a column by its name costs more than to read the column.
                for (number, list_id, list_name, edition_id, attempts, first_attempt_at, copy, domain,
                     subscriber_id, ref, email, name, language, attributes) in connection.execute(query)
            ]  # fmt: skip


def _in_state(states: Sequence[State]) -> ColumnElement[bool]:
    """One state is compared with =, for which there is an index; IN would not use it."""
    if len(states) == 1:
        return delivery.c.state == states[0].value
    return delivery.c.state.in_([state.value for state in states])


_SETTLED = frozenset({State.SENT, State.REFUSED, State.IN_DOUBT, State.SKIPPED})


def _recorded(outcome: Outcome) -> tuple[object, ...]:
    reply: Reply | None = outcome.reply
    settled = outcome.state in _SETTLED
    return (
        outcome.state.value,
        reply.code if reply else None,
        reply.text if reply else None,
        outcome.reason,
        as_text(outcome.due_at) if outcome.due_at else None,
        as_text(now()) if settled else None,
        outcome.relay,
        outcome.delivery_id,
    )
