"""Remembers which process sends which mailing, under a number that fences: once its run has ended it claims nothing."""

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Select, delete, func, insert, literal_column, select, update
from sqlalchemy.sql import ColumnElement

from dispatcher.storage.database import Database, now, require_unmoved
from dispatcher.storage.schema import delivery, holding, run

UNRECORDED = "the run ended before the relay's answer was recorded"  # the reason of a doubt that nothing tells more of
_LONGEST_WAIT = timedelta(minutes=10)  # of a sender for the answer to a message, RFC 5321, 4.5.3.2.6
_REMEMBERED = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A run that has not ended, as far as the database knows; `silence` is since its last sign of life."""

    id: int
    mailing_id: int | None  # None: a worker, whatever it sends
    host: str
    pid: int
    began_at: datetime
    seen_at: datetime
    silence: timedelta


def begin_run(database: Database, mailing_id: int | None) -> int:
    """Returns its number, which is higher than that of every run before. Raises SettingsWrong where all has moved."""
    with database.writing_beside() as connection:
        require_unmoved(database, connection)
        at = clock(connection)
        row = {
            "mailing_id": mailing_id, "host": socket.gethostname(), "pid": os.getpid(), "began_at": at, "seen_at": at,
        }  # fmt: skip
        number: int = connection.execute(insert(run).values(row).returning(run.c.id)).scalar_one()
    return number


def give_sign_of_life(database: Database, number: int) -> bool:
    """False if somebody has ended the run."""
    with database.writing_beside() as connection:
        sign = update(run).where(run.c.id == number, run.c.ended_at.is_(None)).values(seen_at=clock(connection))
        return connection.execute(sign).rowcount == 1


def end_run(database: Database, number: int) -> bool:
    """From here on it claims nothing, and holds nothing of what is shared. False if it had ended before.

    Waits for the claims that are being made.
    """
    with database.writing_beside() as connection:
        # FOR UPDATE, since only that conflicts with the lock that a claim has on its run.
        known = connection.scalar(
            select(run.c.id).where(run.c.id == number, run.c.ended_at.is_(None)).with_for_update()
        )
        connection.execute(update(run).where(run.c.id == known).values(ended_at=clock(connection)))
        connection.execute(delete(holding).where(holding.c.run_id == number))
    return known is not None


def has_ended(database: Database, number: int) -> bool:
    with database.reading() as connection:
        return connection.scalar(select(run.c.ended_at).where(run.c.id == number)) is not None


def running(database: Database, mailing_id: int | None = None) -> list[Running]:
    """Runs that have not ended, of one mailing or of all, the first that began first."""
    query: Select[*tuple[object, ...]] = select(run).where(run.c.ended_at.is_(None)).order_by(run.c.id)
    if mailing_id is not None:
        query = query.where(run.c.mailing_id == mailing_id)
    with database.reading() as connection:
        at = clock(connection)
        return [
            Running(
                id=row.id,
                mailing_id=row.mailing_id,
                host=row.host,
                pid=row.pid,
                began_at=row.began_at,
                seen_at=row.seen_at,
                silence=at - row.seen_at,
            )
            for row in connection.execute(query)
        ]


def workers(database: Database) -> list[Running]:
    """Workers that have not ended, whatever they send."""
    return [each for each in running(database) if each.mailing_id is None]


def end_silent_workers(database: Database, dead_after: timedelta) -> None:
    for each in workers(database):
        if each.silence >= dead_after:
            end_run(database, each.id)


def ended_here(database: Database, number: int) -> int | None:
    """The mailing of a run that was on this machine and has ended; None of any other."""
    query = select(run.c.mailing_id).where(
        run.c.id == number, run.c.ended_at.is_not(None), run.c.host == socket.gethostname()
    )
    with database.reading() as connection:
        return connection.scalar(query)


def unrecorded(database: Database, mailing_id: int, number: int) -> list[int]:
    """Deliveries that became a doubt because nothing told how far the run had come with them."""
    query = select(delivery.c.id).where(
        delivery.c.mailing_id == mailing_id,
        delivery.c.run == number,
        delivery.c.state == literal_column("'in_doubt'"),
        delivery.c.reason == UNRECORDED,
    )
    with database.reading() as connection:
        return list(connection.scalars(query))


def perhaps_still_sending(database: Database, mailing_id: int) -> set[int]:
    """Deliveries in doubt whose run was ended for its silence only: it may live, and wait for the relay's answer.

    What its recorder told, or what is older than the longest wait for an answer, is not among them.
    """
    query = (
        select(delivery.c.id)
        .join(run, run.c.id == delivery.c.run)
        .where(
            delivery.c.mailing_id == mailing_id,
            delivery.c.state == literal_column("'in_doubt'"),
            delivery.c.reason == UNRECORDED,
        )
    )
    if not database.is_shared:  # who holds the run lock is the only one on the only machine
        return set()
    with database.reading() as connection:
        return set(connection.scalars(query.where(run.c.ended_at > clock(connection) - _LONGEST_WAIT)))


def under_way(database: Database) -> list[int]:
    """Mailings that somebody is sending, or was when he died."""
    unended = select(run.c.mailing_id).where(run.c.ended_at.is_(None), run.c.mailing_id.is_not(None))
    sending = select(delivery.c.mailing_id).where(delivery.c.state == literal_column("'sending'"))
    with database.reading() as connection:
        return sorted(set(connection.scalars(unended.union(sending))))


def left_behind(database: Database) -> set[int]:
    """Mailings with rows that are `sending`, and by no run that lives."""
    living = select(run.c.id).where(run.c.id == delivery.c.run, run.c.ended_at.is_(None)).exists()
    query = select(delivery.c.mailing_id).distinct().where(delivery.c.state == literal_column("'sending'"), ~living)
    with database.reading() as connection:
        return set(connection.scalars(query))


def forget_old_runs(database: Database) -> None:
    """A month after their end nothing rests on them: not even a doubt, whose sender is long known to be dead."""
    with database.writing_beside() as connection:
        is_old = run.c.ended_at < clock(connection) - _REMEMBERED
        connection.execute(delete(holding).where(holding.c.run_id.in_(select(run.c.id).where(is_old))))
        connection.execute(delete(run).where(is_old))


def clock(connection: Connection) -> datetime:
    """The time by the one clock that all processes share: the server's, or this machine's."""
    if connection.dialect.name == "postgresql":
        moment: ColumnElement[datetime] = func.clock_timestamp()
        return connection.execute(select(moment)).scalar_one()
    return now()
