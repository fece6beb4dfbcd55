"""Reads how a mailing went over time, how the list grew, and one reader's row: what the report and `why` tell."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select

from dispatcher.models import Kind, State
from dispatcher.storage.database import Database
from dispatcher.storage.mailings import Mailing
from dispatcher.storage.schema import delivery, edition, mailing, reader_list, subscriber


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """How many rows of a state were settled within a second."""

    at: datetime
    state: State
    rows: int


def settled_by_second(database: Database, mailing_id: int) -> list[Settled]:
    second = func.substr(delivery.c.settled_at, 1, 19)
    query = (
        select(second.label("second"), delivery.c.state, func.count().label("rows"))
        .where(delivery.c.mailing_id == mailing_id, delivery.c.settled_at.is_not(None))
        .group_by(second, delivery.c.state)
        .order_by(second)
    )
    with database.reading() as connection:
        return [
            Settled(at=datetime.fromisoformat(row.second).replace(tzinfo=UTC), state=State(row.state), rows=row.rows)
            for row in connection.execute(query)
        ]


def readers_by_issue(database: Database, kind: Kind) -> list[tuple[int, int]]:
    """Each issue's number, and how many readers it was meant for."""
    query = (
        select(mailing.c.issue, func.count(delivery.c.id).label("rows"))
        .join(delivery, delivery.c.mailing_id == mailing.c.id)
        .where(mailing.c.kind == kind)
        .group_by(mailing.c.id, mailing.c.issue)
        .order_by(mailing.c.id)
    )
    with database.reading() as connection:
        newest = {row.issue: row.rows for row in connection.execute(query)}
    return sorted(newest.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What became of one reader's copy of an issue."""

    state: State
    attempts: int
    first_attempt_at: datetime | None
    due_at: datetime | None
    settled_at: datetime | None
    code: int | None
    reply: str | None
    reason: str | None
    relay: str | None
    list_name: str
    language: str


def story_of(database: Database, of: Mailing, subscriber_id: int) -> Story | None:
    """The reader's row in a mailing; None if he has none."""
    query = (
        select(delivery, reader_list.c.name.label("list_name"), edition.c.language)
        .join(reader_list, reader_list.c.id == delivery.c.list_id)
        .join(edition, edition.c.id == delivery.c.edition_id)
        .join(subscriber, subscriber.c.id == delivery.c.subscriber_id)
        .where(delivery.c.mailing_id == of.id, delivery.c.subscriber_id == subscriber_id)
    )
    with database.reading() as connection:
        row = connection.execute(query).first()
    if row is None:
        return None
    return Story(
        state=State(row.state),
        attempts=row.attempts,
        first_attempt_at=row.first_attempt_at,
        due_at=row.due_at,
        settled_at=row.settled_at,
        code=row.code,
        reply=row.reply,
        reason=row.reason,
        relay=row.relay,
        list_name=row.list_name,
        language=row.language.partition("@")[0],
    )
