"""Remembers issues as they were frozen: their editions, their pictures, and who is to get them."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, case, delete, func, insert, literal, or_, select
from sqlalchemy.sql import ColumnElement

from dispatcher.models import Kind, Picture, State, Subscriber
from dispatcher.storage.database import Database, now
from dispatcher.storage.schema import (
    delivery,
    edition,
    mailing,
    mailing_list,
    membership,
    picture,
    reader_list,
    subscriber,
)

# RFC 2606 and RFC 6761: nobody has mail there.
_RESERVED_DOMAINS = ("example.com", "example.net", "example.org")
_RESERVED_ENDS = ("test", "example", "invalid", "localhost", *_RESERVED_DOMAINS)

RESERVED_DOMAIN = "reserved domain"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenEdition:
    """An edition as the database keeps it; `frozen` is what content.frozen wrote."""

    language: str
    content_hash: str
    frozen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailing:
    """One issue going out: live, as a trial into a Maildir, or to staging."""

    id: int
    issue: int
    kind: Kind
    content_hash: str
    salt: str
    sender_domain: str
    sources: Mapping[str, str]
    frozen_at: datetime
    handed_over_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """All that is frozen of an issue before its first message goes out."""

    issue: int
    kind: Kind
    content_hash: str
    sender_domain: str
    sources: Mapping[str, str]
    editions: Sequence[FrozenEdition]
    pictures: Sequence[Picture]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Which members of a list get which edition: `languages` maps what members have to an edition's language.

    With `every_edition`, a member without a language gets all of them (staging).
    """

    list_name: str
    languages: Mapping[str | None, str]
    skip_reserved: bool = False
    every_edition: bool = False


def find_mailing(database: Database, issue: int, kind: Kind) -> Mailing | None:
    """The newest mailing of this kind."""
    query = select(mailing).where(mailing.c.issue == issue, mailing.c.kind == kind).order_by(mailing.c.id.desc())
    with database.reading() as connection:
        row = connection.execute(query.limit(1)).one_or_none()
    return None if row is None else _mailing(row)


def reported_mailing(database: Database, issue: int) -> Mailing | None:
    """What `report` and `audit` speak of: the live mailing once it has rows, else the newest trial into a Maildir."""
    live = find_mailing(database, issue, Kind.LIVE)
    return live if live is not None else find_mailing(database, issue, Kind.MAILDIR)


def freeze(database: Database, frozen: Freeze, audience: Audience, *, replace: int | None) -> Mailing:
    """Stores editions, pictures and one row per reader, in one transaction.

    `replace` is a mailing of which nothing has been handed over: it goes. Returns the new mailing.
    """
    with database.writing() as connection:
        if replace is not None:
            _drop(connection, replace)
        values = {
            "issue": frozen.issue,
            "kind": frozen.kind,
            "content_hash": frozen.content_hash,
            "salt": secrets.token_hex(16),
            "sender_domain": frozen.sender_domain,
            "sources": dict(frozen.sources),
            "frozen_at": now(),
        }
        mailing_id: int = connection.execute(insert(mailing).values(values).returning(mailing.c.id)).scalar_one()
        for each in frozen.editions:
            connection.execute(
                insert(edition).values(
                    mailing_id=mailing_id,
                    language=each.language,
                    content_hash=each.content_hash,
                    frozen=each.frozen,
                )
            )
        for image in frozen.pictures:
            if connection.scalar(select(picture.c.name).where(picture.c.name == image.name)) is None:
                connection.execute(
                    insert(picture).values(name=image.name, media_type=image.media_type, content=image.content)
                )
        _enqueue(connection, mailing_id, audience)
        row = connection.execute(select(mailing).where(mailing.c.id == mailing_id)).one()
    return _mailing(row)


def enqueue(database: Database, mailing_id: int, audience: Audience) -> int:
    """Adds the members of a further list that have no row yet. Returns how many."""
    with database.writing() as connection:
        return _enqueue(connection, mailing_id, audience)


def lists_of(database: Database, mailing_id: int) -> set[str]:
    """The names of the lists that this mailing has been enqueued for."""
    query = (
        select(reader_list.c.name)
        .join(mailing_list, mailing_list.c.list_id == reader_list.c.id)
        .where(mailing_list.c.mailing_id == mailing_id)
    )
    with database.reading() as connection:
        return set(connection.scalars(query))


def has_handed_over(database: Database, mailing_id: int) -> bool:
    """Whether a relay may have taken any message of it; from then on the mailing stays as it was frozen."""
    untouched = [State.QUEUED, State.SKIPPED]
    query = (
        select(delivery.c.id).where(delivery.c.mailing_id == mailing_id, delivery.c.state.not_in(untouched)).limit(1)
    )
    with database.reading() as connection:
        return connection.scalar(query) is not None


def editions_of(database: Database, mailing_id: int) -> dict[int, FrozenEdition]:
    """Every edition of the mailing by its id."""
    with database.reading() as connection:
        rows = connection.execute(select(edition).where(edition.c.mailing_id == mailing_id).order_by(edition.c.id))
        return {
            row.id: FrozenEdition(language=row.language, content_hash=row.content_hash, frozen=row.frozen)
            for row in rows
        }


def find_picture(database: Database, name: str) -> tuple[str, bytes] | None:
    """Media type and content."""
    with database.reading() as connection:
        row = connection.execute(select(picture.c.media_type, picture.c.content).where(picture.c.name == name)).first()
    return None if row is None else (row.media_type, row.content)


def languages_of(database: Database, list_name: str) -> dict[str | None, int]:
    """How many active members want which language."""
    query = (
        select(subscriber.c.language, func.count().label("people"))
        .where(*_active_members(list_name))
        .group_by(subscriber.c.language)
    )
    with database.reading() as connection:
        return {row.language: row.people for row in connection.execute(query)}


def reserved_members(database: Database, list_name: str) -> int:
    """How many active members have an address in a domain where nobody has mail."""
    with database.reading() as connection:
        query = select(func.count()).select_from(subscriber).where(*_active_members(list_name), _is_reserved())
        return connection.scalar(query) or 0


def representatives(
    database: Database, list_name: str, languages: Sequence[str | None], attributes: Mapping[str, bool]
) -> list[tuple[Subscriber, int]]:
    """One reader for each combination of values on which the readers of an edition differ, and how many have it.

    `attributes` maps each attribute that the edition uses to whether its value matters, or only that it is there.
    """
    parts = [
        _value_of(name) if by_value else _value_of(name).is_not(None) for name, by_value in sorted(attributes.items())
    ]
    groups = (
        select(func.min(subscriber.c.id).label("id"), func.count().label("people"))
        .where(*_active_members(list_name), _speaks(languages))
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


def readers(
    database: Database, list_name: str, languages: Sequence[str | None], *, after: int, limit: int
) -> list[Subscriber]:
    """Active members of a list in the order of their ids, a page at a time."""
    query = (
        select(subscriber)
        .where(*_active_members(list_name), _speaks(languages), subscriber.c.id > after)
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


def _enqueue(connection: Connection, mailing_id: int, audience: Audience) -> int:
    list_id: int = connection.execute(
        select(reader_list.c.id).where(reader_list.c.name == audience.list_name)
    ).scalar_one()
    by_language = {
        row.language: row.id
        for row in connection.execute(select(edition).where(edition.c.mailing_id == mailing_id).order_by(edition.c.id))
    }
    enqueued = 0
    for copy, (language, edition_id) in enumerate(by_language.items()):
        wanted = [reader for reader, chosen in audience.languages.items() if chosen == language]
        everyone = audience.every_edition
        if everyone:
            wanted = [reader for reader in wanted if reader is not None] + [None]
        if wanted:
            enqueued += _insert_rows(
                connection, mailing_id, list_id, edition_id, copy if everyone else 0, wanted, audience
            )
    connection.execute(
        insert(mailing_list).values(mailing_id=mailing_id, list_id=list_id, enqueued_at=now(), readers=enqueued)
    )
    return enqueued


def _insert_rows(
    connection: Connection,
    mailing_id: int,
    list_id: int,
    edition_id: int,
    copy: int,
    languages: Sequence[str | None],
    audience: Audience,
) -> int:
    reserved = _is_reserved() if audience.skip_reserved else literal(0) == 1
    state = case((reserved, State.SKIPPED.value), else_=State.QUEUED.value)
    reason = case((reserved, RESERVED_DOMAIN), else_=None)
    has_row = (
        select(delivery.c.id)
        .where(
            delivery.c.mailing_id == mailing_id,
            delivery.c.subscriber_id == subscriber.c.id,
            delivery.c.copy == copy,
        )
        .exists()
    )
    columns = ["mailing_id", "subscriber_id", "copy", "list_id", "edition_id", "state", "reason", "attempts"]
    rows = (
        select(
            literal(mailing_id), subscriber.c.id, literal(copy), literal(list_id), literal(edition_id),
            state, reason, literal(0),
        )
        .where(*_active_members(audience.list_name), _speaks(languages), ~has_row)
        .order_by(subscriber.c.id)
    )  # fmt: skip
    return connection.execute(insert(delivery).from_select(columns, rows, include_defaults=False)).rowcount


def _drop(connection: Connection, mailing_id: int) -> None:
    for table in (delivery, edition, mailing_list):
        connection.execute(delete(table).where(table.c.mailing_id == mailing_id))
    connection.execute(delete(mailing).where(mailing.c.id == mailing_id))


def _active_members(list_name: str) -> tuple[ColumnElement[bool], ...]:
    listed = select(reader_list.c.id).where(reader_list.c.name == list_name).scalar_subquery()
    return (
        subscriber.c.id.in_(
            select(membership.c.subscriber_id).where(membership.c.list_id == listed, membership.c.state == "active")
        ),
    )


def _speaks(languages: Sequence[str | None]) -> ColumnElement[bool]:
    named = [language for language in languages if language is not None]
    spoken = subscriber.c.language.in_(named)
    return or_(spoken, subscriber.c.language.is_(None)) if None in languages else spoken


def _is_reserved() -> ColumnElement[bool]:
    return or_(
        subscriber.c.domain.in_(_RESERVED_DOMAINS),
        *(subscriber.c.domain.endswith(f".{end}", autoescape=True) for end in _RESERVED_ENDS),
    )


def _value_of(attribute: str) -> ColumnElement[str]:
    if attribute in {"name", "language", "email"}:
        column: ColumnElement[str] = subscriber.c[attribute]
        return column
    value: ColumnElement[str] = subscriber.c.attributes[attribute].as_string()
    return value


def _mailing(row: Row[*tuple[object, ...]]) -> Mailing:
    return Mailing(
        id=row.id,
        issue=row.issue,
        kind=Kind(row.kind),
        content_hash=row.content_hash,
        salt=row.salt,
        sender_domain=row.sender_domain,
        sources=row.sources,
        frozen_at=row.frozen_at,
        handed_over_at=row.handed_over_at,
    )
