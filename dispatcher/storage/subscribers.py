"""Looks up lists and who is on them."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Row, and_, case, func, select, true

from dispatcher.expressions import Expression
from dispatcher.storage.conditions import meant
from dispatcher.storage.database import Database
from dispatcher.storage.dialects import Entries
from dispatcher.storage.memberships import list_for
from dispatcher.storage.schema import (
    membership,
    reader_list,
    subscriber,
)
from dispatcher.storage.standing import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSummary:
    id: int
    name: str
    active: int
    paused: int
    unsubscribed: int
    removed: int
    suspended: int  # bounced, complained or suppressed


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


def make_list(database: Database, name: str) -> int:
    with database.writing() as connection:
        return list_for(connection, name)


def file_hash(database: Database, name: str) -> str | None:
    """The hash of the list's file when it was last read, None if it never was."""
    with database.reading() as connection:
        return connection.scalar(select(reader_list.c.file_hash).where(reader_list.c.name == name))


def lists(database: Database) -> list[ListSummary]:
    counted = {
        "active": [Standing.ACTIVE],
        "paused": [Standing.PAUSED],
        "unsubscribed": [Standing.UNSUBSCRIBED],
        "removed": [Standing.REMOVED],
        "suspended": [Standing.BOUNCED, Standing.COMPLAINED, Standing.SUPPRESSED],
    }
    counts = [
        func.coalesce(func.sum(case((membership.c.state.in_(states), 1), else_=0)), 0).label(label)
        for label, states in counted.items()
    ]
    query = (
        select(reader_list.c.id, reader_list.c.name, *counts)
        .outerjoin(membership, membership.c.list_id == reader_list.c.id)
        .group_by(reader_list.c.id)
        .order_by(reader_list.c.name)
    )
    with database.reading() as connection:
        return [
            ListSummary(id=row.id, name=row.name, **{label: getattr(row, label) for label in counted})
            for row in connection.execute(query)
        ]


def members(
    database: Database, list_name: str, where: Expression | None = None
) -> Iterator[Row[str, str | None, str | None, dict[str, str]]]:
    """The active members of a list: email, name, language, attributes; streamed in the order they joined."""
    query = (
        select(subscriber.c.email, subscriber.c.name, subscriber.c.language, subscriber.c.attributes)
        .join(membership, membership.c.subscriber_id == subscriber.c.id)
        .join(reader_list, reader_list.c.id == membership.c.list_id)
        .where(reader_list.c.name == list_name, membership.c.state == Standing.ACTIVE, *meant(where))
        .order_by(subscriber.c.id)
        .execution_options(yield_per=1000)
    )
    with database.reading() as connection, connection.execute(query) as rows:
        yield from rows


def everybody(
    database: Database, list_name: str, where: Expression | None = None
) -> Iterator[Row[str, str | None, str | None, str, str]]:
    """Who is or was on a list: email, name, language, state, source; with `where` only active readers whom it names."""
    narrowed = [] if where is None else [membership.c.state == Standing.ACTIVE, *meant(where)]
    query = (
        select(subscriber.c.email, subscriber.c.name, subscriber.c.language, membership.c.state, membership.c.source)
        .join(membership, membership.c.subscriber_id == subscriber.c.id)
        .join(reader_list, reader_list.c.id == membership.c.list_id)
        .where(reader_list.c.name == list_name, *narrowed)
        .order_by(subscriber.c.id)
        .execution_options(yield_per=1000)
    )
    with database.reading() as connection, connection.execute(query) as rows:
        yield from rows


def attribute_names(database: Database, list_name: str) -> list[str]:
    """Every attribute that some active member of the list has, in alphabetical order."""
    each = Entries(subscriber.c.attributes).table_valued("key")
    query = (
        select(each.c.key)
        .distinct()
        .select_from(subscriber)
        .join(membership, membership.c.subscriber_id == subscriber.c.id)
        .join(reader_list, reader_list.c.id == membership.c.list_id)
        .join(each, onclause=true())
        .where(reader_list.c.name == list_name, membership.c.state == "active")
    )
    with database.reading() as connection:
        return sorted(connection.scalars(query))


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
        has_left=row.state == Standing.UNSUBSCRIBED,
        other_lists=row.others,
    )


def membership_state(database: Database, list_name: str, address_key: str) -> str | None:
    query = (
        select(membership.c.state)
        .join(subscriber, subscriber.c.id == membership.c.subscriber_id)
        .join(reader_list, reader_list.c.id == membership.c.list_id)
        .where(and_(reader_list.c.name == list_name, subscriber.c.address_key == address_key))
    )
    with database.reading() as connection:
        return connection.scalar(query)
