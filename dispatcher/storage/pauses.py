"""Remembers that an issue is paused because too much came back, and that somebody went on all the same."""

from sqlalchemy import select, update

from dispatcher.storage.database import Database
from dispatcher.storage.schema import mailing

_GONE_ON = ""


def pause_mailing(database: Database, mailing_id: int, reason: str) -> bool:
    """Pauses it, once: who went on knows why. Returns whether it is paused now and was not before."""
    fresh = update(mailing).where(mailing.c.id == mailing_id, mailing.c.paused_because.is_(None))
    with database.writing() as connection:
        return connection.execute(fresh.values(paused_because=reason)).rowcount == 1


def paused_because(database: Database, mailing_id: int) -> str | None:
    """Why a mailing is paused, None if it is not."""
    with database.reading() as connection:
        return connection.scalar(select(mailing.c.paused_because).where(mailing.c.id == mailing_id)) or None


def go_on(database: Database, mailing_id: int) -> None:
    paused = update(mailing).where(mailing.c.id == mailing_id, mailing.c.paused_because.is_not(None))
    with database.writing() as connection:
        connection.execute(paused.values(paused_because=_GONE_ON))
