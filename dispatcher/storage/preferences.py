"""What a reader sets for himself: his language, a pause, and whether he lets himself be counted."""

from datetime import datetime

from sqlalchemy import select, update

from dispatcher.storage.database import Database, now
from dispatcher.storage.memberships import move, remember
from dispatcher.storage.schema import membership, subscriber
from dispatcher.storage.standing import Channel, Standing


def pause(database: Database, subscriber_id: int, *, until: datetime) -> list[str]:
    """No mail from any list until then. Returns the names of the lists."""
    with database.writing() as connection:
        which = [membership.c.subscriber_id == subscriber_id]
        connection.execute(update(membership).where(*which, membership.c.state == Standing.PAUSED).values(until=until))
        return move(connection, which, Standing.PAUSED, Channel.CONFIRMED, at=now(), until=until)


def resume(database: Database, subscriber_id: int) -> list[str]:
    """The reader ends his pause himself."""
    which = [membership.c.subscriber_id == subscriber_id, membership.c.state == Standing.PAUSED]
    with database.writing() as connection:
        return move(connection, which, Standing.ACTIVE, Channel.CONFIRMED, at=now(), kind="returned")


def end_pauses(database: Database, at: datetime) -> None:
    """Pauses that are over end; asked before readers are chosen."""
    which = [membership.c.state == Standing.PAUSED, membership.c.until <= at]
    with database.reading() as connection:
        is_idle = connection.execute(select(membership.c.list_id).where(*which).limit(1)).first() is None
    if is_idle:
        return
    with database.writing() as connection:
        move(connection, which, Standing.ACTIVE, Channel.CLOCK, at=at, kind="returned")


def set_language(database: Database, subscriber_id: int, language: str | None) -> None:
    """What the reader himself chose."""
    with database.writing() as connection:
        connection.execute(update(subscriber).where(subscriber.c.id == subscriber_id).values(language=language))


def set_tracking(database: Database, subscriber_id: int, *, agrees: bool) -> None:
    """Whether the reader lets himself be counted; an event says when he changed his mind."""
    is_new = subscriber.c.agreed_to_tracking_at.is_(None) if agrees else subscriber.c.agreed_to_tracking_at.is_not(None)
    at = now()
    with database.writing() as connection:
        changed = connection.execute(
            update(subscriber)
            .where(subscriber.c.id == subscriber_id, is_new)
            .values(agreed_to_tracking_at=at if agrees else None)
        ).rowcount
        if changed:
            kind = "tracking agreed" if agrees else "tracking refused"
            remember(connection, [(subscriber_id, None)], kind=kind, by=Channel.CONFIRMED, at=at)
