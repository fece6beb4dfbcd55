"""Reads the ledger for people: outcomes row by row, and whether its equation holds."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import String, cast, func, select

from dispatcher.models import Kind, State
from dispatcher.storage.asked import Asked, asked_in
from dispatcher.storage.database import Database
from dispatcher.storage.lock import senders
from dispatcher.storage.mailings import Mailing
from dispatcher.storage.schema import delivery, edition, mailing, mailing_list, reader_list, subscriber
from dispatcher.tokens import message_id


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLine:
    """One line of a report."""

    address: str
    state: State
    attempts: int
    code: int | None
    reply: str | None
    message_id: str
    reason: str | None
    list_name: str
    edition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailingSummary:
    id: int
    issue: int
    kind: Kind
    frozen_at: datetime
    handed_over_at: datetime | None
    asked: Asked
    counts: Mapping[State, int]


def summaries(database: Database, *, most: int | None = None) -> list[MailingSummary]:
    """Every mailing with its rows by state, or the newest of them, oldest first."""
    newest = select(mailing.c.id).order_by(mailing.c.id.desc()).limit(most)
    rows = select(delivery.c.mailing_id, delivery.c.state, func.count().label("rows"))
    if most is not None:
        rows = rows.where(delivery.c.mailing_id.in_(newest))
    counted = rows.group_by(
        delivery.c.mailing_id, delivery.c.state
    ).subquery()  # before the join, which is per row else
    query = (
        select(mailing, counted.c.state.label("row_state"), counted.c.rows)
        .outerjoin(counted, counted.c.mailing_id == mailing.c.id)
        .where(mailing.c.id.in_(newest))
        .order_by(mailing.c.id)
    )
    found: dict[int, MailingSummary] = {}
    counts: dict[int, Counter[State]] = {}
    with database.reading() as connection:
        for row in connection.execute(query):
            tally = counts.setdefault(row.id, Counter())
            if row.row_state is not None:
                tally[State(row.row_state)] = row.rows
            found[row.id] = MailingSummary(
                id=row.id,
                issue=row.issue,
                kind=Kind(row.kind),
                frozen_at=row.frozen_at,
                handed_over_at=row.handed_over_at,
                asked=asked_in(row),
                counts=tally,
            )
    return list(found.values())


def delivery_lines(database: Database, of: Mailing) -> Iterator[DeliveryLine]:
    """Every row of a mailing, in the order in which they were enqueued."""
    query = (
        select(
            delivery, subscriber.c.email, reader_list.c.name.label("list_name"), edition.c.language,
        )
        .join(subscriber, subscriber.c.id == delivery.c.subscriber_id)
        .join(reader_list, reader_list.c.id == delivery.c.list_id)
        .join(edition, edition.c.id == delivery.c.edition_id)
        .where(delivery.c.mailing_id == of.id)
        .order_by(delivery.c.id)
        .execution_options(yield_per=1000)
    )  # fmt: skip
    with database.reading() as connection, connection.execute(query) as rows:
        for row in rows:
            yield DeliveryLine(
                address=row.email,
                state=State(row.state),
                attempts=row.attempts,
                code=row.code,
                reply=row.reply,
                message_id=message_id(
                    of.salt,
                    issue=of.issue,
                    subscriber_id=row.subscriber_id,
                    copy=row.copy,
                    domain=of.sender_domain,
                ),
                reason=row.reason,
                list_name=row.list_name,
                edition=row.language.partition("@")[0],
            )


def doubtful_addresses(database: Database, mailing_id: int) -> list[str]:
    return _addresses_in(database, mailing_id, State.IN_DOUBT)


def abandoned_addresses(database: Database, mailing_id: int) -> list[str]:
    """Whose copies were on their way when the sender died; none while somebody sends."""
    if not _addresses_in(database, mailing_id, State.SENDING) or senders(database):
        return []
    return _addresses_in(database, mailing_id, State.SENDING)  # a sender that ended just now has settled them


def _addresses_in(database: Database, mailing_id: int, state: State) -> list[str]:
    query = (
        select(subscriber.c.email)
        .join(delivery, delivery.c.subscriber_id == subscriber.c.id)
        .where(delivery.c.mailing_id == mailing_id, delivery.c.state == state)
        .order_by(delivery.c.id)
    )
    with database.reading() as connection:
        return list(connection.scalars(query))


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A delivery of which it is not known whether the relay took it."""

    id: int
    address: str  # in lower case
    message_id: str
    first_attempt_at: datetime | None
    settled_at: datetime | None


def doubts(database: Database, mailing_id: int) -> list[Doubt]:
    query = (
        select(delivery, subscriber.c.email, mailing.c.salt, mailing.c.issue, mailing.c.sender_domain)
        .join(subscriber, subscriber.c.id == delivery.c.subscriber_id)
        .join(mailing, mailing.c.id == delivery.c.mailing_id)
        .where(delivery.c.mailing_id == mailing_id, delivery.c.state == State.IN_DOUBT)
        .order_by(delivery.c.id)
    )
    with database.reading() as connection:
        return [
            Doubt(
                id=row.id,
                address=row.email.lower(),
                message_id=message_id(
                    row.salt, issue=row.issue, subscriber_id=row.subscriber_id, copy=row.copy, domain=row.sender_domain
                ),
                first_attempt_at=row.first_attempt_at,
                settled_at=row.settled_at,
            )
            for row in connection.execute(query)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Readers of one domain who ended alike, and what was said."""

    domain: str
    state: State
    said: str
    rows: int


def outcomes_by_domain(database: Database, mailing_id: int) -> list[Trouble]:
    """All that did not simply go well, the commonest first."""
    said = func.coalesce(delivery.c.reason, cast(delivery.c.code, String) + " " + delivery.c.reply, "")
    query = (
        select(subscriber.c.domain, delivery.c.state, said.label("said"), func.count().label("rows"))
        .join(subscriber, subscriber.c.id == delivery.c.subscriber_id)
        .where(delivery.c.mailing_id == mailing_id, delivery.c.state.not_in([State.SENT, State.QUEUED]))
        .group_by(subscriber.c.domain, delivery.c.state, said)
        .order_by(func.count().desc(), subscriber.c.domain)
    )
    with database.reading() as connection:
        return [
            Trouble(domain=row.domain, state=State(row.state), said=row.said, rows=row.rows)
            for row in connection.execute(query)
        ]


def observed_rate(database: Database) -> float | None:
    """Messages a second of the last mailing that handed 50 or more to an SMTP relay."""
    newest_first = select(mailing.c.id).where(mailing.c.kind != Kind.MAILDIR).order_by(mailing.c.id.desc())
    sent = select(
        func.count().label("messages"),
        func.min(delivery.c.first_attempt_at).label("begun"),
        func.max(delivery.c.settled_at).label("ended"),
    ).where(delivery.c.state == State.SENT)
    with database.reading() as connection:
        for mailing_id in connection.scalars(newest_first).all():  # one by one: the rows of old ones are not read
            row = connection.execute(sent.where(delivery.c.mailing_id == mailing_id)).one()
            if row.messages >= 50:
                break
        else:
            return None
    if row.begun is None or row.ended is None:
        return None
    seconds = (row.ended - row.begun).total_seconds()
    return row.messages / seconds if seconds > 0 else None


def sent_over(database: Database, relay: str, *, since: datetime) -> tuple[int, datetime | None]:
    """How many messages of all mailings a relay took since then, and when the first of them."""
    query = select(func.count(), func.min(delivery.c.settled_at)).where(
        delivery.c.relay == relay, delivery.c.state == State.SENT, delivery.c.settled_at >= since
    )
    with database.reading() as connection:
        sent, first_at = connection.execute(query).one()
    return sent, first_at


def count_states(database: Database, mailing_id: int) -> Counter[State]:
    """Rows by state."""
    query = (
        select(delivery.c.state, func.count().label("rows"))
        .where(delivery.c.mailing_id == mailing_id)
        .group_by(delivery.c.state)
    )
    with database.reading() as connection:
        return Counter({State(row.state): row.rows for row in connection.execute(query)})


def issues_in_hand(database: Database) -> set[int]:
    """Those with a message on its way, or that was when its sender died."""
    query = select(mailing.c.issue).where(
        select(delivery.c.id).where(delivery.c.mailing_id == mailing.c.id, delivery.c.state == State.SENDING).exists()
    )
    with database.reading() as connection:
        return set(connection.scalars(query))


def planned_readers(database: Database, mailing_id: int) -> int:
    """How many rows were made when lists were enqueued: the left side of the equation."""
    query = select(func.coalesce(func.sum(mailing_list.c.readers), 0)).where(mailing_list.c.mailing_id == mailing_id)
    with database.reading() as connection:
        return connection.scalar(query) or 0


def broken_rows(database: Database, mailing_id: int) -> list[str]:
    """What contradicts the promise, in words; empty if nothing does."""
    unsaid = {
        "sent without a reply or reason": (delivery.c.state == State.SENT)
        & delivery.c.code.is_(None)
        & delivery.c.reason.is_(None),
        "refused without a reply or reason": (delivery.c.state == State.REFUSED)
        & delivery.c.code.is_(None)
        & delivery.c.reason.is_(None),
        "skipped without a reason": (delivery.c.state == State.SKIPPED) & delivery.c.reason.is_(None),
        "in an unknown state": delivery.c.state.not_in(list(State)),
    }
    found = []
    with database.reading() as connection:
        for what, condition in unsaid.items():
            query = select(func.count()).select_from(delivery).where(delivery.c.mailing_id == mailing_id, condition)
            if rows := connection.scalar(query):
                found.append(f"{rows} {'row is' if rows == 1 else 'rows are'} {what}")
        twice = (
            select(delivery.c.subscriber_id)
            .where(delivery.c.mailing_id == mailing_id)
            .group_by(delivery.c.subscriber_id, delivery.c.copy)
            .having(func.count() > 1)
        )
        if doubled := len(connection.execute(twice).all()):
            found.append(f"{doubled} readers have two rows")
    return found
