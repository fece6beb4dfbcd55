"""Tells what operators asked of a mailing and what still holds: an hour, a stop, that it is given up."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from dispatcher.storage.control import CANCELLED
from dispatcher.storage.database import Database
from dispatcher.storage.schema import mailing


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    scheduled_at: datetime | None = None  # None too once a worker has begun it
    scheduled_to: str | None = None  # the list
    stopped: str | None = None  # in words
    is_cancelled: bool = False


def asked_of(database: Database, mailing_id: int) -> Asked:
    with database.reading() as connection:
        return asked_in(connection.execute(select(mailing).where(mailing.c.id == mailing_id)).one())


def asked_in(row: Row[*tuple[Any, ...]]) -> Asked:
    """Of a row with the columns of `mailing`."""
    is_cancelled = row.paused_because == CANCELLED
    stopped = None
    if row.stopped_at is not None and not is_cancelled:
        stopped = f"paused: {row.paused_because}" if row.paused_because else "stopped"
    return Asked(
        scheduled_at=row.scheduled_at if row.scheduled else None,
        scheduled_to=row.scheduled["list"] if row.scheduled else None,
        stopped=stopped,
        is_cancelled=is_cancelled,
    )
