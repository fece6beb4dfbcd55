"""The ledger: moves each delivery from state to state, durably, and only along the ways that exist.

A claim is compare-and-set and checks, in the same statement, that the reader is still subscribed. Whatever a crash
leaves as `sending` becomes a doubt, never a second copy.
"""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from sqlalchemy import and_, false, func, literal_column, or_, select
from sqlalchemy.sql import ColumnElement

from dispatcher.errors import LedgerFailed
from dispatcher.models import Delivery, Outcome, State, Subscriber
from dispatcher.storage.columns import as_text, from_text
from dispatcher.storage.database import Database, now
from dispatcher.storage.mailings import Mailing
from dispatcher.storage.pen import BLOCK, Claim, NotBeingSentError, Pen
from dispatcher.storage.reports import count_states, sent_over
from dispatcher.storage.runs import begin_run, has_ended
from dispatcher.storage.schema import delivery, reader_list, subscriber
from dispatcher.tokens import message_id

_T = TypeVar("_T")


class Ledger:
    """The rows of one mailing, with a connection of its own for writing, which one thread at a time uses."""

    def __init__(self, database: Database, mailing: Mailing, on_handing_over: Callable[[], None] | None = None) -> None:
        """`on_handing_over` is called once, before this ledger's first claim of content that goes out."""
        self.database = database
        self.mailing = mailing
        self._on_handing_over = on_handing_over
        self._has_handed_over = False
        self.run: int | None = None  # under whose number this ledger claims
        self._one_at_a_time = threading.Lock()
        with database.failures_named():
            self._pen = database.driver.open_pen(database.engine)

    def close(self) -> None:
        self._pen.close()

    def commit(self, outcomes: Sequence[Outcome], claims: Sequence[Claim]) -> list[bool]:
        """Records outcomes and makes claims in one durable transaction; says which claims hold.

        A claim that does not hold is of a reader who left, now `skipped`, or of a row somebody else has.
        Raises LedgerFailed; then nothing of it happened.
        """
        if not self._has_handed_over and any(claim.ended is None for claim in claims):
            self.hand_over()
        try:
            return self._write(lambda pen: pen.commit(outcomes, claims, as_text(now()), self.run))
        except NotBeingSentError as error:
            if self.run is None or not has_ended(self.database, self.run):
                raise LedgerFailed(
                    f"delivery {error.delivery_id} is not being sent; stop and run: dispatcher audit"
                ) from error
        self.settle(self.run, outcomes)
        return [False] * len(claims)

    def hand_over(self) -> None:
        """Notes that content goes out from now on: the mailing stays as it is frozen."""
        if self._on_handing_over is not None:
            self._on_handing_over()
        self._write(lambda pen: pen.hand_over(self.mailing.id, as_text(now())))
        self._has_handed_over = True

    def settle(self, run: int | None, outcomes: Sequence[Outcome]) -> None:
        """Records what became of the claims of a run that has ended, unless somebody else has settled them since."""
        ended = [each for each in outcomes if each.state is not State.SKIPPED]
        self._write(lambda pen: pen.settle(ended, as_text(now()), run))

    def begin_run(self) -> int:
        """Gives this process's part a number, under which it claims from now on."""
        self.run = begin_run(self.database, self.mailing.id)
        return self.run

    def put_back(self, delivery_ids: Iterable[int]) -> None:
        """Queues rows again whose refusal turned out to be meant for all."""
        self._write(lambda pen: pen.put_back(delivery_ids, as_text(now()), self.run))

    def requeue_deferred(self, until: datetime, blocks: Sequence[int] | None = None) -> int:
        """Queues deferred rows again that are due by then, of these blocks or of all. Returns how many."""
        return self._write(lambda pen: pen.requeue(self.mailing.id, as_text(until), blocks))

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

    def queued(
        self, *, after: int, limit: int, but_not: Collection[str] = (), blocks: Sequence[int] | None = None
    ) -> list[Delivery]:
        """Queued deliveries in the order of their ids, with their readers; none of the domains `but_not`.

        `blocks`: only of these, in ascending order.
        """
        if blocks is None:
            return self._deliveries(State.QUEUED, after=after, limit=limit, but_not=but_not)
        found: list[Delivery] = []
        for first, end in _ranges(blocks):  # one by one: each is one descent into the index
            if end > after + 1 and len(found) < limit:
                start = max(after, first - 1)
                found += self._deliveries(
                    State.QUEUED, after=start, before=end, limit=limit - len(found), but_not=but_not
                )
        return found

    def queued_by_block(self, blocks: Sequence[int]) -> Counter[int]:
        """How many of each of these blocks are queued."""
        block = delivery.c.id // BLOCK
        within = [and_(delivery.c.id >= first, delivery.c.id < end) for first, end in _ranges(blocks)]
        query = (
            select(block, func.count())
            .where(delivery.c.mailing_id == self.mailing.id, _in_state([State.QUEUED]), or_(false(), *within))
            .group_by(block)
        )
        with self.database.reading() as connection:
            return Counter({row[0]: row[1] for row in connection.execute(query)})

    def waiting(self, *, after: int, limit: int) -> list[Delivery]:
        """Queued and deferred deliveries, for who only wants to look."""
        return self._deliveries(State.QUEUED, State.DEFERRED, after=after, limit=limit)

    def unsettled(self) -> list[Delivery]:
        """Deliveries that are `sending`."""
        return self._deliveries(State.SENDING, after=0, limit=None)

    def next_due(self) -> datetime | None:
        """When the first deferred row is due."""
        query = select(func.min(delivery.c.due_at)).where(
            delivery.c.mailing_id == self.mailing.id, delivery.c.state == State.DEFERRED
        )
        with self.database.reading() as connection:
            found = connection.execute(query).scalar()
        return from_text(found) if isinstance(found, str) else found

    def has(self, state: State) -> bool:
        """Whether a row is in a state that has an index of its own: queued, sending, deferred."""
        first = delivery.c.due_at if state is State.DEFERRED else delivery.c.id
        query = (
            select(delivery.c.id)
            .where(delivery.c.mailing_id.between(self.mailing.id, self.mailing.id), _in_state([state]))
            .order_by(delivery.c.mailing_id, first)  # as only that index has them, whatever a planner believes
            .limit(1)
        )
        with self.database.reading() as connection:
            return connection.scalar(query) is not None

    def counts(self) -> Counter[State]:
        return count_states(self.database, self.mailing.id)

    def _write(self, work: Callable[[Pen], _T]) -> _T:
        with self._one_at_a_time:
            try:
                return work(self._pen)
            except self.database.driver.ERRORS as error:
                cause = self.database.driver.spoken(error) or error
                raise LedgerFailed(
                    f"{self.database.place}: {cause}; sending has stopped, nobody is lost: mend it and run again"
                ) from error

    def _deliveries(
        self,
        *states: State,
        after: int,
        limit: int | None,
        but_not: Collection[str] = (),
        before: int | None = None,
    ) -> list[Delivery]:
        others: list[ColumnElement[bool]] = [subscriber.c.domain.not_in(but_not)] if but_not else []
        if before is not None:
            others.append(delivery.c.id < before)
        query = (
            select(
                delivery.c.id, delivery.c.list_id, reader_list.c.name, delivery.c.edition_id, delivery.c.attempts,
                delivery.c.first_attempt_at, delivery.c.copy, delivery.c.run, subscriber.c.domain,
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
                    run=run,
                    message_id=name_message(subscriber_id=subscriber_id, copy=copy),
                    domain=domain,
                    subscriber=Subscriber(
                        id=subscriber_id, ref=ref, email=email, name=name, language=language, attributes=attributes
                    ),
                )
                # Unpacked: to ask a row for a column by its name costs more than to read the column.
                for (number, list_id, list_name, edition_id, attempts, first_attempt_at, copy, run, domain,
                     subscriber_id, ref, email, name, language, attributes) in connection.execute(query)
            ]  # fmt: skip


def _ranges(blocks: Sequence[int]) -> Iterator[tuple[int, int]]:
    """From the first id to that after the last; blocks that are neighbours are one range."""
    first = end = -1
    for each in blocks:
        if each * BLOCK != end:
            if end >= 0:
                yield first, end
            first = each * BLOCK
        end = (each + 1) * BLOCK
    if end >= 0:
        yield first, end


def _in_state(states: Sequence[State]) -> ColumnElement[bool]:
    """One state is compared with =, and stands there as it is: so its partial index serves, which IN would not use."""
    if len(states) == 1:
        return delivery.c.state == literal_column(f"'{states[0].value}'")
    return delivery.c.state.in_([state.value for state in states])
