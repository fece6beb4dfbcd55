"""Asks who is on a list and in what its readers differ, for planning."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Row, func, literal, or_, select
from sqlalchemy.sql import ColumnElement

from dispatcher.expressions import Expression
from dispatcher.models import Subscriber
from dispatcher.storage.conditions import meant, value_of
from dispatcher.storage.database import Database
from dispatcher.storage.schema import delivery, membership, reader_list, subscriber

# RFC 2606 and RFC 6761: nobody has mail there.
_RESERVED_DOMAINS = ("example.com", "example.net", "example.org")
_RESERVED_ENDS = ("test", "example", "invalid", "localhost", *_RESERVED_DOMAINS)

RESERVED_DOMAIN = "reserved domain"


def languages_of(database: Database, list_name: str, where: Expression | None = None) -> dict[str | None, int]:
    """How many active members, of those whom the expression names, want which language."""
    query = (
        select(subscriber.c.language, func.count().label("people"))
        .where(*active_members(list_name, where))
        .group_by(subscriber.c.language)
    )
    with database.reading() as connection:
        return {row.language: row.people for row in connection.execute(query)}


def members_without_row(
    database: Database, mailing_id: int, list_name: str, where: Expression | None = None, *, skip_reserved: bool
) -> int:
    """How many active members of a list an enqueueing would add as queued."""
    has_row = (
        select(delivery.c.id)
        .where(delivery.c.mailing_id == mailing_id, delivery.c.subscriber_id == subscriber.c.id)
        .exists()
    )
    query = select(func.count()).select_from(subscriber).where(*active_members(list_name, where), ~has_row)
    with database.reading() as connection:
        return connection.scalar(query.where(~in_reserved_domain()) if skip_reserved else query) or 0


def reserved_members(database: Database, list_name: str, where: Expression | None = None) -> int:
    """How many active members have an address in a domain where nobody has mail."""
    with database.reading() as connection:
        query = (
            select(func.count()).select_from(subscriber).where(*active_members(list_name, where), in_reserved_domain())
        )
        return connection.scalar(query) or 0


def is_reserved(domain: str) -> bool:
    """Whether nobody has mail in this domain."""
    return any(domain == end or domain.endswith(f".{end}") for end in _RESERVED_ENDS)


def representatives(
    database: Database,
    list_name: str,
    languages: Sequence[str | None],
    attributes: Mapping[str, bool],
    where: Expression | None = None,
) -> list[tuple[Subscriber, int]]:
    """One reader for each combination of values on which the readers of an edition differ, and how many have it.

    `attributes` maps each attribute that the edition uses to whether its value matters, or only that it is there.
    """
    parts = [
        value_of(name) if by_value else value_of(name).is_not(None) for name, by_value in sorted(attributes.items())
    ]
    groups = (
        select(func.min(subscriber.c.id).label("id"), func.count().label("people"))
        .where(*active_members(list_name, where), speaks(languages))
        .group_by(*(parts or [literal(1)]))
        .having(func.count() > 0)
        .subquery()
    )
    query = select(subscriber, groups.c.people).join(groups, groups.c.id == subscriber.c.id).order_by(subscriber.c.id)
    with database.reading() as connection:
        return [(as_subscriber(row), row.people) for row in connection.execute(query)]


def find_subscriber(database: Database, address_key: str) -> Subscriber | None:
    with database.reading() as connection:
        row = connection.execute(select(subscriber).where(subscriber.c.address_key == address_key)).one_or_none()
    return None if row is None else as_subscriber(row)


def named_subscriber(database: Database, subscriber_id: int, ref: int) -> Subscriber | None:
    """Whom a token names."""
    query = select(subscriber).where(subscriber.c.id == subscriber_id, subscriber.c.ref == ref)
    with database.reading() as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else as_subscriber(row)


def readers(
    database: Database,
    list_name: str,
    languages: Sequence[str | None],
    where: Expression | None = None,
    *,
    after: int,
    limit: int,
) -> list[Subscriber]:
    """Active members of a list in the order of their ids, a page at a time."""
    query = (
        select(subscriber)
        .where(*active_members(list_name, where), speaks(languages), subscriber.c.id > after)
        .order_by(subscriber.c.id)
        .limit(limit)
    )
    with database.reading() as connection:
        return [as_subscriber(row) for row in connection.execute(query)]


def as_subscriber(row: Row[*tuple[object, ...]]) -> Subscriber:
    return Subscriber(
        id=row.id,
        ref=row.ref,
        email=row.email,
        name=row.name,
        language=row.language,
        attributes=row.attributes,
    )


def active_members(list_name: str, where: Expression | None = None) -> tuple[ColumnElement[bool], ...]:
    """Conditions on subscribers, for other statements."""
    listed = select(reader_list.c.id).where(reader_list.c.name == list_name).scalar_subquery()
    return (
        subscriber.c.id.in_(
            select(membership.c.subscriber_id).where(membership.c.list_id == listed, membership.c.state == "active")
        ),
        *meant(where),
    )


def speaks(languages: Sequence[str | None]) -> ColumnElement[bool]:
    named = [language for language in languages if language is not None]
    spoken = subscriber.c.language.in_(named)
    return or_(spoken, subscriber.c.language.is_(None)) if None in languages else spoken


def in_reserved_domain() -> ColumnElement[bool]:
    return or_(
        subscriber.c.domain.in_(_RESERVED_DOMAINS),
        *(subscriber.c.domain.endswith(f".{end}", autoescape=True) for end in _RESERVED_ENDS),
    )
