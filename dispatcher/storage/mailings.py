"""Remembers issues as they were frozen: their editions, their pictures, and who is to get them."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, case, delete, insert, literal, null, select, update

from dispatcher.expressions import Expression
from dispatcher.models import Kind, Picture, State
from dispatcher.storage.database import Database, now
from dispatcher.storage.readers import RESERVED_DOMAIN, active_members, in_reserved_domain, speaks
from dispatcher.storage.schema import (
    delivery,
    edition,
    mailing,
    mailing_list,
    picture,
    reader_list,
    subscriber,
)


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
    """Which members of a list get which edition: `spoken` maps an edition to its readers' languages.

    On staging a reader may be in several of them, and gets a copy of each.
    """

    list_name: str
    spoken: Mapping[str, Sequence[str | None]]
    where: Expression | None = None  # of them only those whom it names
    skip_reserved: bool = False
    is_staging: bool = False


def find_mailing(database: Database, issue: int, kind: Kind) -> Mailing | None:
    """The newest mailing of this kind."""
    query = select(mailing).where(mailing.c.issue == issue, mailing.c.kind == kind).order_by(mailing.c.id.desc())
    with database.reading() as connection:
        row = connection.execute(query.limit(1)).one_or_none()
    return None if row is None else _mailing(row)


def mailing_with(database: Database, mailing_id: int) -> Mailing:
    with database.reading() as connection:
        return _mailing(connection.execute(select(mailing).where(mailing.c.id == mailing_id)).one())


def gone_out(database: Database) -> list[Mailing]:
    """Every live mailing of which something has been handed over, that of the newest issue first."""
    query = (
        select(mailing)
        .where(mailing.c.kind == Kind.LIVE, mailing.c.handed_over_at.is_not(None))
        .order_by(mailing.c.issue.desc(), mailing.c.id.desc())
    )
    with database.reading() as connection:
        return [_mailing(row) for row in connection.execute(query)]


def reported_mailing(database: Database, issue: int) -> Mailing | None:
    """What `report` and `audit` speak of: the live mailing once it has rows, else the newest trial into a Maildir."""
    live = find_mailing(database, issue, Kind.LIVE)
    return live if live is not None else find_mailing(database, issue, Kind.MAILDIR)


def freeze(database: Database, frozen: Freeze, audience: Audience, *, replace: int | None) -> Mailing:
    """Stores editions, pictures and one row per reader, in one transaction.

    `replace` is a mailing of which nothing has been handed over: it is frozen afresh. Returns the mailing.
    """
    with database.writing() as connection:
        values = {
            "issue": frozen.issue,
            "kind": frozen.kind,
            "content_hash": frozen.content_hash,
            "salt": secrets.token_hex(16),
            "sender_domain": frozen.sender_domain,
            "sources": dict(frozen.sources),
            "frozen_at": now(),
            "stopped_at": None,
            "paused_because": None,
            "forced": None,
            "scheduled_at": None,
            "scheduled": null(),
            "released_at": None,
        }
        if replace is not None:
            for table in (delivery, edition, mailing_list):
                connection.execute(delete(table).where(table.c.mailing_id == replace))
            connection.execute(update(mailing).where(mailing.c.id == replace).values(values))
        mailing_id: int = (
            replace or connection.execute(insert(mailing).values(values).returning(mailing.c.id)).scalar_one()
        )
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
    """Adds the members of a list that have no row yet. Returns how many."""
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


def editions_of(database: Database, mailing_id: int) -> dict[int, FrozenEdition]:
    """The mailing's editions by id, but for those that were replaced."""
    with database.reading() as connection:
        rows = connection.execute(_present_editions(mailing_id))
        return {
            row.id: FrozenEdition(language=row.language, content_hash=row.content_hash, frozen=row.frozen)
            for row in rows
        }


def find_picture(database: Database, name: str) -> tuple[str, bytes] | None:
    """Media type and content."""
    with database.reading() as connection:
        row = connection.execute(select(picture.c.media_type, picture.c.content).where(picture.c.name == name)).first()
    return None if row is None else (row.media_type, row.content)


def _enqueue(connection: Connection, mailing_id: int, audience: Audience) -> int:
    list_id: int = connection.execute(
        select(reader_list.c.id).where(reader_list.c.name == audience.list_name)
    ).scalar_one()
    by_language = {row.language: row.id for row in connection.execute(_present_editions(mailing_id))}
    enqueued = 0
    for copy, (language, edition_id) in enumerate(by_language.items()):
        if wanted := audience.spoken.get(language):
            copy_number = copy if audience.is_staging else 0
            enqueued += _insert_rows(connection, mailing_id, list_id, edition_id, copy_number, wanted, audience)
    known = (mailing_list.c.mailing_id == mailing_id, mailing_list.c.list_id == list_id)
    again = update(mailing_list).where(*known).values(readers=mailing_list.c.readers + enqueued)
    if not connection.execute(again).rowcount:
        connection.execute(
            insert(mailing_list).values(mailing_id=mailing_id, list_id=list_id, enqueued_at=now(), readers=enqueued)
        )
    return enqueued


def _present_editions(mailing_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(edition)
        .where(edition.c.mailing_id == mailing_id, ~edition.c.language.contains("@"))
        .order_by(edition.c.id)
    )


def _insert_rows(
    connection: Connection,
    mailing_id: int,
    list_id: int,
    edition_id: int,
    copy: int,
    languages: Sequence[str | None],
    audience: Audience,
) -> int:
    reserved = in_reserved_domain() if audience.skip_reserved else literal(0) == 1
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
        .where(*active_members(audience.list_name, audience.where), speaks(languages), ~has_row)
        .order_by(subscriber.c.id)
    )  # fmt: skip
    made = insert(delivery).from_select(columns, rows, include_defaults=False)
    return connection.execute(made.execution_options(preserve_rowcount=True)).rowcount


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
