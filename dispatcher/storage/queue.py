"""Keeps the queue's tables clean by statements of our own: what nobody has in hand, and what nobody need take any more.

It needs no library of the queue's; what makes jobs and takes them is in `jobs.py`.
"""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection, text

from dispatcher.storage.database import Database

QUEUE = "mailing "
ENGINE = "engine"  # the fact of which migration the tables have
# There, and ours: another program's, or another newsletter's, may be found on the search path.
_HAS_ROOM = text("""
    SELECT EXISTS (SELECT FROM fact WHERE name = :engine) AND EXISTS (
        SELECT FROM pg_class AS jobs JOIN pg_class AS facts ON facts.relnamespace = jobs.relnamespace
        WHERE jobs.oid = to_regclass('procrastinate_jobs') AND facts.oid = to_regclass('fact'))
""")
# In one order, as all who write several of them: and none that is being taken.
_WITHDRAW = text("""
    DELETE FROM procrastinate_jobs WHERE id IN (
        SELECT id FROM procrastinate_jobs WHERE queue_name = :queue AND status = 'todo'
        AND (CAST(:blocks AS bigint[]) IS NULL OR (args ->> 'block')::bigint = ANY(:blocks)) ORDER BY id FOR UPDATE)
""")
_GONE = text("""
    SELECT worker.id FROM procrastinate_workers AS worker
    WHERE worker.last_heartbeat < now() - CAST(:silent_for AS interval)
    OR worker.id IN (SELECT worker_id FROM run WHERE ended_at IS NOT NULL AND worker_id IS NOT NULL)
    ORDER BY id FOR UPDATE SKIP LOCKED
""")
# Each is locked in a part of its own: otherwise the function would be called before the lock is had.
_GIVE_TO_OTHERS = text("""
    WITH stalled AS MATERIALIZED (
        SELECT id FROM procrastinate_jobs
        WHERE status = 'doing' AND (worker_id IS NULL OR worker_id = ANY(:gone)) ORDER BY id FOR UPDATE)
    SELECT procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL) FROM stalled
""")
_UNREGISTER = text("DELETE FROM procrastinate_workers WHERE id = ANY(:gone)")
_FORGET_NUMBERS = text("UPDATE run SET worker_id = NULL WHERE ended_at IS NOT NULL AND worker_id IS NOT NULL")


def queue_of(mailing_id: int) -> str:
    return f"{QUEUE}{mailing_id}"


def has_room(connection: Connection) -> bool:
    """Whether anything was ever dealt out."""
    is_shared = connection.dialect.name == "postgresql"
    return is_shared and bool(connection.scalar(_HAS_ROOM, {"engine": ENGINE}))


def withdraw_jobs(connection: Connection, mailing_id: int, blocks: Sequence[int] | None = None) -> None:
    """Nobody takes what is left of a mailing, or of these blocks, in the caller's transaction."""
    named = None if blocks is None else list(blocks)
    connection.execute(_WITHDRAW, {"queue": queue_of(mailing_id), "blocks": named})


def release_stalled(database: Database, silent_for: timedelta) -> int:
    """Gives jobs to others whose run has ended, or whose worker has been silent for so long. Returns how many.

    Raises LedgerFailed.
    """
    with database.writing_beside() as connection:
        gone = list(connection.scalars(_GONE, {"silent_for": silent_for}))
        given = connection.execute(_GIVE_TO_OTHERS, {"gone": gone}).rowcount
        connection.execute(_UNREGISTER, {"gone": gone})
        connection.execute(_FORGET_NUMBERS)  # a server that is new gives them to others
    return given
