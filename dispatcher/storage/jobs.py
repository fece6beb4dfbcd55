"""Deals a mailing out to whoever sends: jobs of Procrastinate, each a thousand deliveries.

The ledger stays the truth: a job that is lost is derived from it again, and one that runs twice mails nobody twice.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from importlib import resources

from procrastinate import PsycopgConnector, SyncPsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from psycopg_pool import PoolTimeout
from sqlalchemy import Connection, text

from dispatcher.errors import LedgerFailed
from dispatcher.storage.database import Database, now
from dispatcher.storage.pen import BLOCK
from dispatcher.storage.postgres import connection_defaults
from dispatcher.storage.schema import as_text, from_text

_TASK, _QUEUE = "send", "mailing "
_LATEST = "03.04.00_50"  # the newest of the library's migrations that this program has been tried with
_DEALS = 0x4449_5344  # our advisory locks: one process at a time deals a mailing out
_PATIENCE = 10.0  # seconds for a connection to the server
_ENGINE = "engine"  # the fact of which migration its tables have
_DEFERRING = JobManager(SyncPsycopgConnector())  # on connections that are given to it

# The next block is looked up from the last one: to group all rows by block would read each of them.
_WITHOUT_JOB = text("""
    WITH RECURSIVE waiting (block) AS (
        (SELECT id / :size FROM delivery WHERE mailing_id = :mailing AND state = 'queued' ORDER BY id LIMIT 1)
        UNION ALL
        SELECT (SELECT id / :size FROM delivery WHERE mailing_id = :mailing AND state = 'queued'
            AND id >= (waiting.block + 1) * :size ORDER BY id LIMIT 1)
        FROM waiting WHERE waiting.block IS NOT NULL),
    due (block) AS (
        SELECT DISTINCT id / :size FROM delivery WHERE mailing_id = :mailing AND state = 'deferred' AND due_at <= :now),
    known (block) AS (
        SELECT (args ->> 'block')::bigint FROM procrastinate_jobs
        WHERE queue_name = :queue AND status IN ('todo', 'doing') AND (scheduled_at IS NULL OR scheduled_at <= now()))
    SELECT block FROM (SELECT block FROM waiting WHERE block IS NOT NULL UNION SELECT block FROM due) AS wanted
    WHERE NOT EXISTS (SELECT FROM known WHERE known.block = wanted.block) ORDER BY block
""")
_RELEASED = text("SELECT id FROM mailing WHERE released_at IS NOT NULL AND stopped_at IS NULL ORDER BY id")
_END_RELEASE = text("""
    UPDATE mailing SET released_at = NULL WHERE id = :mailing
    AND NOT EXISTS (SELECT FROM delivery WHERE mailing_id = :mailing AND state = 'queued')
    AND NOT EXISTS (SELECT FROM delivery WHERE mailing_id = :mailing AND state = 'sending')
    AND NOT EXISTS (SELECT FROM delivery WHERE mailing_id = :mailing AND state = 'deferred')
""")
_WITHDRAW = text("DELETE FROM procrastinate_jobs WHERE queue_name = :queue AND status = 'todo'")
_WITH_JOBS = text(f"""
    SELECT id FROM mailing WHERE released_at IS NOT NULL AND stopped_at IS NULL AND EXISTS (
        SELECT FROM procrastinate_jobs WHERE queue_name = '{_QUEUE}' || mailing.id
        AND status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now()))
    ORDER BY id
""")  # noqa: S608  a constant


def make_room(database: Database) -> None:
    """Makes the library's tables, or brings them up to date; several processes may ask at once. Raises LedgerFailed."""
    with database.writing() as connection:
        there: str | None = connection.scalar(text("SELECT value FROM fact WHERE name = :name"), {"name": _ENGINE})
        if there is not None and there >= _LATEST:
            return
        folder = resources.files("procrastinate.sql")
        if there is None:
            steps = [folder / "schema.sql"]
        else:
            named = sorted(
                (each.name, each) for each in (folder / "migrations").iterdir() if each.name.endswith(".sql")
            )
            steps = [each for name, each in named if there < name[: len(_LATEST)] <= _LATEST]
        for step in steps:
            connection.exec_driver_sql(step.read_text(encoding="utf-8").replace("%", "%%"))
        connection.execute(
            text("INSERT INTO fact VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value"),
            {"name": _ENGINE, "value": _LATEST},
        )


def deal_out(connection: Connection, mailing_id: int) -> int:
    """Makes the jobs that are missing, in the caller's transaction; how many those were.

    For all that is queued, and for deferred rows that are due.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:ours, :mailing)"), {"ours": _DEALS, "mailing": mailing_id})
    values = {**_now(mailing_id), "size": BLOCK, "queue": _queue(mailing_id)}
    blocks: list[int] = list(connection.scalars(_WITHOUT_JOB, values))
    _defer(connection, [_job(mailing_id, block) for block in blocks])
    return len(blocks)


def release(database: Database, mailing_id: int) -> int:
    """Lets every worker go on with a mailing, from its first block on. Returns how many jobs were made."""
    make_room(database)
    with database.writing_beside() as connection:
        connection.execute(text("UPDATE mailing SET released_at = :now WHERE id = :mailing"), _now(mailing_id))
        return deal_out(connection, mailing_id)


def withdraw(database: Database, mailing_id: int) -> None:
    """Nobody but send-issue goes on with a mailing; what was begun is ended."""
    with database.writing_beside() as connection:
        connection.execute(text("UPDATE mailing SET released_at = NULL WHERE id = :mailing"), {"mailing": mailing_id})
        if _has_room(connection):
            connection.execute(_WITHDRAW, {"queue": _queue(mailing_id)})


def deal_out_again(database: Database) -> None:
    """For every mailing that was released and is not stopped: makes jobs that are missing, or ends its release.

    One process at a time does it; for the others it is done.
    """
    with database.writing_beside() as connection:
        if not _has_room(connection) or not connection.scalar(text(f"SELECT pg_try_advisory_xact_lock({_DEALS}, 0)")):
            return
        for mailing_id in list(connection.scalars(_RELEASED)):
            if not deal_out(connection, mailing_id):
                connection.execute(_END_RELEASE, {"mailing": mailing_id})


def dealt_out(database: Database) -> list[int]:
    """Mailings of which a job waits and may begin now."""
    with database.reading() as connection:
        return list(connection.scalars(_WITH_JOBS)) if _has_room(connection) else []


class Jobs:
    """One run's hands in the queue of one mailing."""

    def __init__(self, database: Database, mailing_id: int, manager: JobManager, worker_id: int) -> None:
        self._database = database
        self._mailing_id = mailing_id
        self._manager = manager
        self._worker_id = worker_id
        self._taken: dict[int, Job] = {}  # by block

    async def take(self) -> int | None:
        """A block to be sent; None if there is none now. Raises LedgerFailed."""
        with _failures_named(self._database):
            job = await self._manager.fetch_job(queues=[_queue(self._mailing_id)], worker_id=self._worker_id)
        if job is None:
            return None
        block: int = job.task_kwargs["block"]  # type: ignore[assignment]
        if block in self._taken:  # dealt out twice: the second has nothing to add
            await self._finish(job)
            return await self.take()
        self._taken[block] = job
        return block

    async def end(self, block: int) -> None:
        """Nobody of a block is queued any more; its deferred rows get a job with their time. Raises LedgerFailed."""
        await asyncio.to_thread(_deal_out_later, self._database, self._mailing_id, block)
        await self._finish(self._taken.pop(block))

    async def give_back(self) -> None:
        """Whoever comes next may go on with what was taken. Raises LedgerFailed."""
        with _failures_named(self._database):
            while self._taken:
                await self._manager.retry_job(self._taken.popitem()[1])

    async def give_sign_of_life(self) -> None:
        with _failures_named(self._database):
            await self._manager.update_heartbeat(self._worker_id)

    async def _finish(self, job: Job) -> None:
        with _failures_named(self._database):
            await self._manager.finish_job(job=job, status=Status.SUCCEEDED, delete_job=True)


@asynccontextmanager
async def open_jobs(database: Database, mailing_id: int) -> AsyncIterator[Jobs]:
    """Whatever is not ended when the block is left goes to somebody else. Raises LedgerFailed."""
    async with _manager(database) as manager:
        with _failures_named(database):
            worker_id = await manager.register_worker()
        jobs = Jobs(database, mailing_id, manager, worker_id)
        try:
            yield jobs
        finally:
            with contextlib.suppress(LedgerFailed):  # of a server that is gone, the others notice
                await jobs.give_back()
                with _failures_named(database):
                    await manager.unregister_worker(worker_id)


async def release_stalled(database: Database, silent_for: timedelta) -> int:
    """Gives jobs to others whose worker has been silent for so long. Returns how many. Raises LedgerFailed."""
    async with _manager(database) as manager:
        with _failures_named(database):
            stalled = list(await manager.get_stalled_jobs(seconds_since_heartbeat=silent_for.total_seconds()))
            for job in stalled:
                with contextlib.suppress(ConnectorException):  # somebody else was faster
                    await manager.retry_job(job)
            await manager.prune_stalled_workers(silent_for.total_seconds())
    return len(stalled)


@asynccontextmanager
async def _manager(database: Database) -> AsyncIterator[JobManager]:
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    connector = PsycopgConnector(
        conninfo=url, min_size=1, max_size=2, timeout=_PATIENCE, kwargs=dict(connection_defaults(database.engine.url))
    )
    with _failures_named(database):
        await connector.open_async()
    try:
        yield JobManager(connector)
    finally:
        await connector.close_async()


@contextmanager
def _failures_named(database: Database) -> Iterator[None]:
    try:
        yield
    except (ConnectorException, PoolTimeout, *database.driver.ERRORS) as error:
        cause = database.driver.spoken(error.__cause__ or error)
        raise LedgerFailed(f"{database.place}: {cause}; sending has stopped, nobody is lost: run it again") from error


def _deal_out_later(database: Database, mailing_id: int, block: int) -> None:
    rows = {"mailing": mailing_id, "first": block * BLOCK, "end": (block + 1) * BLOCK}
    with database.writing_beside() as connection:
        due: str | None = connection.scalar(
            text(
                "SELECT min(due_at) FROM delivery"
                " WHERE mailing_id = :mailing AND state = 'deferred' AND id >= :first AND id < :end"
            ),
            rows,
        )
        if due is not None:
            _defer(connection, [_job(mailing_id, block, at=from_text(due))])


def _job(mailing_id: int, block: int, at: datetime | None = None) -> Job:
    return Job(
        queue=_queue(mailing_id),
        task_name=_TASK,
        task_kwargs={"mailing": mailing_id, "block": block},
        scheduled_at=at,
        lock=None,
        queueing_lock=None,
    )


def _defer(connection: Connection, jobs: list[Job]) -> None:
    if jobs:
        _DEFERRING.batch_defer_jobs(jobs, connection=connection.connection.driver_connection)


def _has_room(connection: Connection) -> bool:
    return connection.scalar(text("SELECT to_regclass('procrastinate_jobs')")) is not None


def _now(mailing_id: int) -> dict[str, object]:
    return {"mailing": mailing_id, "now": as_text(now())}


def _queue(mailing_id: int) -> str:
    return f"{_QUEUE}{mailing_id}"
