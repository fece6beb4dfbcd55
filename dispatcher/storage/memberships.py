"""Moves people on and off lists, along the ways that `standing` allows and no others, with an event for each step."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.sql import ColumnElement

from dispatcher.storage.database import Database, now
from dispatcher.storage.schema import event, membership, reader_list, subscriber
from dispatcher.storage.standing import Channel, Standing, origins

_COVERED = (Standing.COMPLAINED, Standing.SUPPRESSED)  # what the reader does meanwhile counts once it is lifted


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What leaving came to: the names of the lists left, and the time by which it can be taken back."""

    lists: tuple[str, ...]
    at: datetime


def list_for(connection: Connection, name: str) -> int:
    """The list's id; the list is made if it is new."""
    found: int | None = connection.scalar(select(reader_list.c.id).where(reader_list.c.name == name))
    if found is not None:
        return found
    made: int = connection.execute(insert(reader_list).values(name=name).returning(reader_list.c.id)).scalar_one()
    return made


def move(
    connection: Connection,
    which: Sequence[ColumnElement[bool]],
    to: Standing,
    by: Channel,
    *,
    at: datetime,
    kind: str | None = None,
    note: str | None = None,
    **values: object,
) -> list[str]:
    """Brings memberships into a state that this channel may lead them to. Returns the names of their lists."""
    conditions = [*which, membership.c.state.in_(origins(to, by))]
    moved = connection.execute(
        select(membership.c.subscriber_id, reader_list.c.id, reader_list.c.name)
        .join(reader_list, reader_list.c.id == membership.c.list_id)
        .where(*conditions)
        .order_by(reader_list.c.name)
    ).all()
    if moved:
        set_to = {"state": to.value, "changed_at": at, "until": None, "resumes": None, **values}
        connection.execute(update(membership).where(*conditions).values(set_to))
        remember(connection, [(row.subscriber_id, row.id) for row in moved], kind=kind or to, by=by, at=at, note=note)
    return [row.name for row in moved]


def leave(database: Database, subscriber_id: int, *, list_id: int | None, by: Channel) -> Left:
    """Ends one membership, or with `list_id` None all of them and every later one that a file might bring.

    Doing it again changes nothing.
    """
    which = [membership.c.subscriber_id == subscriber_id]
    if list_id is not None:
        which.append(membership.c.list_id == list_id)
    at = now()
    with database.writing() as connection:
        left = move(
            connection, which, Standing.UNSUBSCRIBED, by, at=at, resumes=membership.c.state, until=membership.c.until
        )
        connection.execute(
            update(membership)
            .where(*which, membership.c.state.in_(_COVERED))
            .values(resumes=Standing.UNSUBSCRIBED.value)
        )
        if list_id is None:
            connection.execute(
                update(subscriber)
                .where(subscriber.c.id == subscriber_id, subscriber.c.left_at.is_(None))
                .values(left_at=at)
            )
    return Left(lists=tuple(left), at=at)


def take_back(database: Database, subscriber_id: int, *, left_at: datetime) -> list[str]:
    """Undoes what was left at just that time, and nothing that was left before or after. Returns the lists.

    Each is as it was: whose mail had come back, or whose line was gone, is not on the list by this.
    """
    which = [membership.c.subscriber_id == subscriber_id, membership.c.changed_at == left_at]
    at, back = now(), []
    with database.writing() as connection:
        for earlier in (Standing.ACTIVE, Standing.PAUSED):
            was = [*which, membership.c.resumes == earlier.value]
            until = membership.c.until
            back += move(connection, was, earlier, Channel.TAKEN_BACK, at=at, kind="returned", until=until)
        connection.execute(
            update(subscriber)
            .where(subscriber.c.id == subscriber_id, subscriber.c.left_at == left_at)
            .values(left_at=None)
        )
    return back


def remember(
    connection: Connection,
    who: Iterable[tuple[int, int | None]],
    *,
    kind: str,
    by: Channel,
    at: datetime,
    note: str | None = None,
) -> None:
    """Writes events: what happened to whom on which list, through what."""
    rows = [
        {"at": at, "subscriber_id": subscriber_id, "list_id": list_id, "kind": kind, "channel": by.value, "note": note}
        for subscriber_id, list_id in who
    ]
    if rows:
        connection.execute(insert(event), rows)
