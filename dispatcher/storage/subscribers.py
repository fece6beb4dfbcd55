"""Remembers readers, the lists they are on, and how each of them came and left."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, and_, case, func, insert, select, true, update

from dispatcher.storage.database import Database, now
from dispatcher.storage.schema import event, membership, reader_list, subscriber


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSummary:
    id: int
    name: str
    active: int
    unsubscribed: int
    removed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    list_name: str
    state: str
    source: str
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    at: datetime
    kind: str
    channel: str
    list_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """Everything known about one person, but for what he was sent."""

    id: int
    email: str
    name: str | None
    language: str | None
    attributes: Mapping[str, str]
    created_at: datetime
    left_at: datetime | None
    memberships: tuple[Membership, ...]
    history: tuple[History, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaver:
    """Whom a token names, as the page that lets him leave needs him."""

    subscriber_id: int
    email: str
    language: str | None
    list_name: str
    has_left: bool  # by his own will; one whose line is gone from the file may still want to
    other_lists: int  # further lists he is on


def find_list(database: Database, name: str) -> int | None:
    with database.reading() as connection:
        return connection.scalar(select(reader_list.c.id).where(reader_list.c.name == name))


def list_for(connection: Connection, name: str) -> int:
    """The list's id; the list is made if it is new."""
    found: int | None = connection.scalar(select(reader_list.c.id).where(reader_list.c.name == name))
    if found is not None:
        return found
    made: int = connection.execute(insert(reader_list).values(name=name).returning(reader_list.c.id)).scalar_one()
    return made


def file_hash(database: Database, name: str) -> str | None:
    """The hash of the list's file when it was last read, None if it never was."""
    with database.reading() as connection:
        return connection.scalar(select(reader_list.c.file_hash).where(reader_list.c.name == name))


def lists(database: Database) -> list[ListSummary]:
    counts = [
        func.coalesce(func.sum(case((membership.c.state == state, 1), else_=0)), 0).label(state)
        for state in ("active", "unsubscribed", "removed")
    ]
    query = (
        select(reader_list.c.id, reader_list.c.name, *counts)
        .outerjoin(membership, membership.c.list_id == reader_list.c.id)
        .group_by(reader_list.c.id)
        .order_by(reader_list.c.name)
    )
    with database.reading() as connection:
        return [
            ListSummary(id=row.id, name=row.name, active=row.active, unsubscribed=row.unsubscribed, removed=row.removed)
            for row in connection.execute(query)
        ]


def members(database: Database, list_name: str) -> Iterator[Row[str, str | None, str | None, dict[str, str]]]:
    """The active members of a list: email, name, language, attributes; streamed in the order they joined."""
    query = (
        select(subscriber.c.email, subscriber.c.name, subscriber.c.language, subscriber.c.attributes)
        .join(membership, membership.c.subscriber_id == subscriber.c.id)
        .join(reader_list, reader_list.c.id == membership.c.list_id)
        .where(reader_list.c.name == list_name, membership.c.state == "active")
        .order_by(subscriber.c.id)
        .execution_options(yield_per=1000)
    )
    with database.reading() as connection:
        yield from connection.execute(query)


def everybody(database: Database, list_name: str) -> Iterator[Row[str, str | None, str | None, str, str]]:
    """Who is or was on a list: email, name, language, state, source."""
    query = (
        select(subscriber.c.email, subscriber.c.name, subscriber.c.language, membership.c.state, membership.c.source)
        .join(membership, membership.c.subscriber_id == subscriber.c.id)
        .join(reader_list, reader_list.c.id == membership.c.list_id)
        .where(reader_list.c.name == list_name)
        .order_by(subscriber.c.id)
        .execution_options(yield_per=1000)
    )
    with database.reading() as connection:
        yield from connection.execute(query)


def attribute_names(database: Database, list_name: str) -> list[str]:
    """Every attribute that some active member of the list has, in alphabetical order."""
    each = func.json_each(subscriber.c.attributes).table_valued("key")
    query = (
        select(each.c.key)
        .distinct()
        .select_from(subscriber)
        .join(membership, membership.c.subscriber_id == subscriber.c.id)
        .join(reader_list, reader_list.c.id == membership.c.list_id)
        .join(each, onclause=true())
        .where(reader_list.c.name == list_name, membership.c.state == "active")
        .order_by(each.c.key)
    )
    with database.reading() as connection:
        return list(connection.scalars(query))


def dossier(database: Database, address_key: str) -> Dossier | None:
    """Everything known about the person with this address."""
    with database.reading() as connection:
        person = connection.execute(select(subscriber).where(subscriber.c.address_key == address_key)).one_or_none()
        if person is None:
            return None
        memberships = connection.execute(
            select(reader_list.c.name, membership.c.state, membership.c.source, membership.c.changed_at)
            .join(reader_list, reader_list.c.id == membership.c.list_id)
            .where(membership.c.subscriber_id == person.id)
            .order_by(reader_list.c.name)
        )
        history = connection.execute(
            select(event.c.at, event.c.kind, event.c.channel, reader_list.c.name)
            .outerjoin(reader_list, reader_list.c.id == event.c.list_id)
            .where(event.c.subscriber_id == person.id)
            .order_by(event.c.id)
        )
        return Dossier(
            id=person.id,
            email=person.email,
            name=person.name,
            language=person.language,
            attributes=person.attributes,
            created_at=person.created_at,
            left_at=person.left_at,
            memberships=tuple(
                Membership(list_name=row.name, state=row.state, source=row.source, changed_at=row.changed_at)
                for row in memberships
            ),
            history=tuple(
                History(at=row.at, kind=row.kind, channel=row.channel, list_name=row.name) for row in history
            ),
        )


def leaver(database: Database, *, subscriber_id: int, ref: int, list_id: int) -> Leaver | None:
    """The person a leave token names, None if the database has no such person or list."""
    others = (
        select(func.count())
        .where(
            membership.c.subscriber_id == subscriber_id,
            membership.c.list_id != list_id,
            membership.c.state == "active",
        )
        .scalar_subquery()
    )
    query = (
        select(
            subscriber.c.email,
            subscriber.c.language,
            reader_list.c.name,
            membership.c.state,
            others.label("others"),
        )
        .join(membership, membership.c.subscriber_id == subscriber.c.id)
        .join(reader_list, reader_list.c.id == membership.c.list_id)
        .where(subscriber.c.id == subscriber_id, subscriber.c.ref == ref, reader_list.c.id == list_id)
    )
    with database.reading() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return Leaver(
        subscriber_id=subscriber_id,
        email=row.email,
        language=row.language,
        list_name=row.name,
        has_left=row.state == "unsubscribed",
        other_lists=row.others,
    )


def unsubscribe(database: Database, subscriber_id: int, *, list_id: int | None, channel: str) -> list[str]:
    """Ends one membership, or with `list_id` None all of them and every later one that a file might bring.

    Returns the names of the lists left; doing it again changes nothing.
    """
    which = [membership.c.subscriber_id == subscriber_id, membership.c.state != "unsubscribed"]
    if list_id is not None:
        which.append(membership.c.list_id == list_id)
    at = now()
    with database.writing() as connection:
        left = connection.execute(
            select(reader_list.c.id, reader_list.c.name)
            .join(membership, membership.c.list_id == reader_list.c.id)
            .where(*which)
            .order_by(reader_list.c.name)
        ).all()
        if left:
            connection.execute(update(membership).where(*which).values(state="unsubscribed", changed_at=at))
        if list_id is None:
            connection.execute(
                update(subscriber)
                .where(subscriber.c.id == subscriber_id, subscriber.c.left_at.is_(None))
                .values(left_at=at)
            )
        _note(connection, [(subscriber_id, row.id) for row in left], kind="unsubscribed", channel=channel, at=at)
    return [row.name for row in left]


def membership_state(database: Database, list_name: str, address_key: str) -> str | None:
    query = (
        select(membership.c.state)
        .join(subscriber, subscriber.c.id == membership.c.subscriber_id)
        .join(reader_list, reader_list.c.id == membership.c.list_id)
        .where(and_(reader_list.c.name == list_name, subscriber.c.address_key == address_key))
    )
    with database.reading() as connection:
        return connection.scalar(query)


def _note(connection: Connection, who: Iterable[tuple[int, int]], *, kind: str, channel: str, at: datetime) -> None:
    rows = [
        {"at": at, "subscriber_id": subscriber_id, "list_id": list_id, "kind": kind, "channel": channel}
        for subscriber_id, list_id in who
    ]
    if rows:
        connection.execute(insert(event), rows)
