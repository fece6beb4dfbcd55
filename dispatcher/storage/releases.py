"""Lets workers go on with a mailing, and derives from the ledger which of its blocks nobody has in hand.

The ledger stays the truth: a job that is lost is made again, and one that runs twice mails nobody twice.
"""

from sqlalchemy import Connection, text

from dispatcher.storage import queue
from dispatcher.storage.columns import as_text
from dispatcher.storage.database import Database, now
from dispatcher.storage.jobs import defer, make_room
from dispatcher.storage.pen import BLOCK

_DEALS = 0x4449_5344  # our advisory locks: one process at a time deals a mailing out

# The next block is looked up from the last one: to group all rows by block would read each of them. In pairs, which
# only the index of what is queued has in this order: for `mailing_id =` a planner that believes half of all rows to be
# queued walks the primary key, and through all that was sent.
_WITHOUT_JOB = text("""
    WITH RECURSIVE waiting (block) AS (
        (SELECT id / :size FROM delivery WHERE state = 'queued' AND mailing_id BETWEEN :mailing AND :mailing
            ORDER BY mailing_id, id LIMIT 1)
        UNION ALL
        SELECT (SELECT id / :size FROM delivery WHERE state = 'queued' AND mailing_id <= :mailing
            AND (mailing_id, id) >= (:mailing, (waiting.block + 1) * :size) ORDER BY mailing_id, id LIMIT 1)
        FROM waiting WHERE waiting.block IS NOT NULL),
    due (block) AS (
        SELECT DISTINCT id / :size FROM delivery WHERE mailing_id = :mailing AND state = 'deferred' AND due_at <= :now),
    known (block) AS (
        SELECT (args ->> 'block')::bigint FROM procrastinate_jobs
        WHERE queue_name = :queue AND status IN ('todo', 'doing') AND (scheduled_at IS NULL OR scheduled_at <= now()))
    SELECT block FROM (SELECT block FROM waiting WHERE block IS NOT NULL UNION SELECT block FROM due) AS wanted
    WHERE NOT EXISTS (SELECT FROM known WHERE known.block = wanted.block) ORDER BY block
""")
# From here on somebody may hand over its content: it stays as it is frozen.
_RELEASE = text("""
    UPDATE mailing SET released_at = :now, handed_over_at = coalesce(handed_over_at, :now) WHERE id = :mailing
""")
_RELEASED = text("SELECT id FROM mailing WHERE released_at IS NOT NULL AND stopped_at IS NULL ORDER BY id")
_AGAINST_PENS = text("SELECT FROM mailing WHERE id = :mailing FOR NO KEY UPDATE")  # which may be queueing rows again
_END_RELEASE = text("""
    UPDATE mailing SET released_at = NULL WHERE id = :mailing
    AND (SELECT id FROM delivery WHERE state = 'queued' AND mailing_id BETWEEN :mailing AND :mailing
        ORDER BY mailing_id, id LIMIT 1) IS NULL
    AND (SELECT id FROM delivery WHERE state = 'sending' AND mailing_id BETWEEN :mailing AND :mailing
        ORDER BY mailing_id, id LIMIT 1) IS NULL
    AND (SELECT id FROM delivery WHERE state = 'deferred' AND mailing_id BETWEEN :mailing AND :mailing
        ORDER BY mailing_id, due_at LIMIT 1) IS NULL
""")
_DUE = text("""
    SELECT id FROM mailing WHERE kind = 'live' AND released_at IS NULL AND stopped_at IS NULL
    AND paused_because IS DISTINCT FROM 'cancelled' AND (
        (scheduled_at <= :now AND scheduled IS NULL)
        OR (scheduled_at IS NULL
            AND (SELECT due_at FROM delivery WHERE state = 'deferred' AND mailing_id BETWEEN mailing.id AND mailing.id
                ORDER BY mailing_id, due_at LIMIT 1) <= :now
            AND (SELECT id FROM delivery WHERE state = 'queued' AND mailing_id BETWEEN mailing.id AND mailing.id
                ORDER BY mailing_id, id LIMIT 1) IS NULL))
""")
_FORGET_HOUR = text("UPDATE mailing SET scheduled_at = NULL WHERE id = :mailing")
_WITH_JOBS = text(f"""
    SELECT id FROM mailing WHERE released_at IS NOT NULL AND stopped_at IS NULL AND EXISTS (
        SELECT FROM procrastinate_jobs WHERE queue_name = '{queue.QUEUE}' || mailing.id
        AND status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now()))
    ORDER BY id
""")  # noqa: S608  a constant


def release(database: Database, mailing_id: int) -> int:
    """Lets every worker go on with a mailing, from its first block on. Returns how many jobs were made."""
    make_room(database)
    with database.writing_beside() as connection:
        connection.execute(_RELEASE, _now(mailing_id))
        return _deal_out(connection, mailing_id)


def withdraw(database: Database, mailing_id: int) -> None:
    """Nobody but send-issue goes on with a mailing; what was begun is ended."""
    with database.writing_beside() as connection:
        connection.execute(text("UPDATE mailing SET released_at = NULL WHERE id = :mailing"), {"mailing": mailing_id})
        if queue.has_room(connection):
            queue.withdraw_jobs(connection, mailing_id)


def release_what_is_due(database: Database) -> None:
    """Mailings left to workers, and those of which only deferred readers are left and some of them are due."""
    with database.reading() as connection:
        due = list(connection.scalars(_DUE, {"now": as_text(now())}))
    for mailing_id in due:
        release(database, mailing_id)
        with database.writing_beside() as connection:
            connection.execute(_FORGET_HOUR, {"mailing": mailing_id})


def deal_out_again(database: Database) -> None:
    """For every mailing that was released and is not stopped: makes jobs that are missing, or ends its release.

    One process at a time does it; for the others it is done.
    """
    with database.writing_beside() as connection:
        if not queue.has_room(connection) or not connection.scalar(
            text(f"SELECT pg_try_advisory_xact_lock({_DEALS}, 0)")
        ):
            return
        for mailing_id in list(connection.scalars(_RELEASED)):
            if not _deal_out(connection, mailing_id):
                connection.execute(_AGAINST_PENS, {"mailing": mailing_id})
                if connection.execute(_END_RELEASE, {"mailing": mailing_id}).rowcount:
                    queue.withdraw_jobs(connection, mailing_id)


def dealt_out(database: Database) -> list[int]:
    """Mailings of which a job waits and may begin now."""
    with database.reading() as connection:
        return list(connection.scalars(_WITH_JOBS)) if queue.has_room(connection) else []


def has_room(database: Database) -> bool:
    """Whether anything was ever dealt out."""
    with database.reading() as connection:
        return queue.has_room(connection)


def _deal_out(connection: Connection, mailing_id: int) -> int:
    """Makes the jobs that are missing, in the caller's transaction; how many those were.

    For all that is queued, and for deferred rows that are due.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:ours, :mailing)"), {"ours": _DEALS, "mailing": mailing_id})
    values = {**_now(mailing_id), "size": BLOCK, "queue": queue.queue_of(mailing_id)}
    blocks: list[int] = list(connection.scalars(_WITHOUT_JOB, values))
    defer(connection, mailing_id, blocks)
    return len(blocks)


def _now(mailing_id: int) -> dict[str, object]:
    return {"mailing": mailing_id, "now": as_text(now())}
