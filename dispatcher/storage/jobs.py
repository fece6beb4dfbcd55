"""Keeps the jobs that are dealt out to whoever sends, a thousand deliveries each: hands in Procrastinate's queue.

A run takes the next job when it is hungry. The library's own worker takes as many as it has places for, and would keep
from others what waits for a slow domain.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from importlib import resources
from typing import Any

from procrastinate import PsycopgConnector, SyncPsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from psycopg_pool import PoolTimeout
from sqlalchemy import Connection, TextClause, text

from dispatcher.errors import LedgerFailed, SettingsWrong
from dispatcher.storage.columns import from_text
from dispatcher.storage.database import Database
from dispatcher.storage.pen import BLOCK
from dispatcher.storage.postgres import SESSION, connection_options
from dispatcher.storage.queue import ENGINE, queue_of, withdraw_jobs

_TASK = "send"
_LATEST = "03.04.00_50"  # the newest of the library's migrations that this program has been tried with
_PATIENCE = 10.0  # seconds for a connection to the server
_NO_SUCH_ROW = "23503"  # foreign_key_violation
_DEFERRING = JobManager(SyncPsycopgConnector())  # on connections that are given to it
# By the library's own ways, but only of a job that nobody else was given meanwhile. It is locked in a part of its own:
# otherwise the function would be called before the lock is had.
_MINE = """
    WITH mine AS MATERIALIZED (SELECT id FROM procrastinate_jobs
        WHERE id = :job AND status = 'doing' AND worker_id IS NOT DISTINCT FROM :worker FOR UPDATE)
"""
_FINISH = text(f"{_MINE} SELECT procrastinate_finish_job_v1(id, 'succeeded', true) FROM mine")  # noqa: S608  a constant
_GIVE_BACK = text(f"{_MINE} SELECT procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL) FROM mine")  # noqa: S608
_FIRST_DUE = text(
    "SELECT min(due_at) FROM delivery WHERE mailing_id = :mailing AND state = 'deferred' AND id >= :first AND id < :end"
)


def make_room(database: Database) -> None:
    """Makes the library's tables, or brings them up to date; several processes may ask at once.

    Raises SettingsWrong where they cannot be made, LedgerFailed.
    """
    with database.writing() as connection:
        there: str | None = connection.scalar(text("SELECT value FROM fact WHERE name = :name"), {"name": ENGINE})
        if there is not None and there >= _LATEST:
            return
        folder = resources.files("procrastinate.sql")
        if there is None:
            _require_place(connection, database)
            steps = [folder / "schema.sql"]
        else:
            named = {each.name: each for each in (folder / "migrations").iterdir() if each.name.endswith(".sql")}
            steps = [named[name] for name in sorted(named) if there < name[: len(_LATEST)] <= _LATEST]
        for step in steps:
            connection.exec_driver_sql(step.read_text(encoding="utf-8").replace("%", "%%"))
        connection.execute(
            text("INSERT INTO fact VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value"),
            {"name": ENGINE, "value": _LATEST},
        )


def _require_place(connection: Connection, database: Database) -> None:
    schema: str | None = connection.scalar(text("SELECT quote_ident(current_schema())"))
    if connection.scalar(text("SELECT to_regclass('procrastinate_jobs')")) is not None:
        raise SettingsWrong(
            f"{database.place}: another program's Procrastinate is there; give the newsletter a database of its own"
        )
    if not connection.scalar(text("SELECT has_schema_privilege(current_schema(), 'CREATE')")):
        raise SettingsWrong(
            f"{database.place}: workers need tables, which this user may not make; "
            f"let its owner run: GRANT CREATE ON SCHEMA {schema} TO …"
        )


def defer(connection: Connection, mailing_id: int, blocks: Sequence[int], at: datetime | None = None) -> None:
    """Makes the one job of each block in the caller's transaction; nobody takes it before `at`."""
    jobs = [
        Job(
            queue=queue_of(mailing_id),
            task_name=_TASK,
            task_kwargs={"mailing": mailing_id, "block": block},
            scheduled_at=at,
            lock=None,
            queueing_lock=None,
        )
        for block in blocks
    ]
    if jobs:
        withdraw_jobs(connection, mailing_id, blocks)
        _DEFERRING.batch_defer_jobs(jobs, connection=connection.connection.driver_connection)


class _TakenForDeadError(Exception):
    """The worker was silent for so long that its row is gone."""


class Jobs:
    """One run's hands in the queue of one mailing."""

    def __init__(self, database: Database, mailing_id: int, manager: JobManager, worker_id: int) -> None:
        self._database = database
        self._mailing_id = mailing_id
        self._manager = manager
        self._worker_id = worker_id
        self._run_id: int | None = None
        self._taken: dict[int, Job] = {}  # by block

    async def join(self, run_id: int) -> None:
        """Has it known whose jobs these are: once the run has ended, others get them."""
        self._run_id = run_id
        await asyncio.to_thread(_note_worker, self._database, run_id, self._worker_id)

    async def take(self) -> int | None:
        """A block to be sent; None if there is none now. Raises LedgerFailed."""
        try:
            job = await self._fetch()
        except _TakenForDeadError:
            await self._register_again()
            job = await self._fetch()
        if job is None:
            return None
        block: int = job.task_kwargs["block"]  # type: ignore[assignment]
        if block in self._taken:  # dealt out again, since some of it are due
            await self._finish(job)
        else:
            self._taken[block] = job
        return block

    async def end(self, block: int) -> None:
        """Nobody of a block is queued any more; its deferred rows get a job with their time. Raises LedgerFailed."""
        await asyncio.to_thread(self._defer_the_rest, block)
        await self._finish(self._taken.pop(block))

    async def give_back(self) -> None:
        """Whoever comes next may go on with what was taken. Raises LedgerFailed."""
        while self._taken:
            await asyncio.to_thread(_change, self._database, _GIVE_BACK, self._taken.popitem()[1], self._worker_id)

    async def leave(self) -> None:
        """Nobody need wait for a sign of its life. Raises LedgerFailed."""
        with _failures_named(self._database):
            await self._manager.unregister_worker(self._worker_id)

    async def give_sign_of_life(self) -> None:
        with _failures_named(self._database):
            await self._manager.update_heartbeat(self._worker_id)

    def _defer_the_rest(self, block: int) -> None:
        rows = {"mailing": self._mailing_id, "first": block * BLOCK, "end": (block + 1) * BLOCK}
        with self._database.writing_beside() as connection:
            due: str | None = connection.scalar(_FIRST_DUE, rows)
            if due is not None:
                defer(connection, self._mailing_id, [block], at=from_text(due))

    async def _fetch(self) -> Job | None:
        with _failures_named(self._database):
            try:
                return await self._manager.fetch_job(queues=[queue_of(self._mailing_id)], worker_id=self._worker_id)
            except ConnectorException as error:
                if getattr(error.__cause__, "sqlstate", None) == _NO_SUCH_ROW:
                    raise _TakenForDeadError from error
                raise

    async def _register_again(self) -> None:
        """What it had taken before is others' by now, or will be."""
        with _failures_named(self._database):
            self._worker_id = await self._manager.register_worker()
        if self._run_id is not None:
            await self.join(self._run_id)

    async def _finish(self, job: Job) -> None:
        await asyncio.to_thread(_change, self._database, _FINISH, job, self._worker_id)


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
                await jobs.leave()


@asynccontextmanager
async def _manager(database: Database) -> AsyncIterator[JobManager]:
    options = connection_options(database.engine)
    connector = PsycopgConnector(min_size=1, max_size=2, timeout=_PATIENCE, kwargs=options, configure=_configure)
    with _failures_named(database):
        await connector.open_async()
    try:
        yield JobManager(connector)
    finally:
        await connector.close_async()


async def _configure(connection: Any) -> None:
    await connection.set_autocommit(True)
    await connection.execute(SESSION)
    await connection.set_autocommit(False)


@contextmanager
def _failures_named(database: Database) -> Iterator[None]:
    failures: tuple[type[Exception], ...] = (ConnectorException, PoolTimeout, *database.driver.ERRORS)
    try:
        yield
    except failures as error:
        cause = database.driver.spoken(error.__cause__ or error)
        raise LedgerFailed(f"{database.place}: {cause}; sending has stopped, nobody is lost: run it again") from error


def _change(database: Database, way: TextClause, job: Job, worker_id: int | None) -> None:
    with database.writing_beside() as connection:
        connection.execute(way, {"job": job.id, "worker": worker_id})


def _note_worker(database: Database, run_id: int, worker_id: int) -> None:
    with database.writing_beside() as connection:
        connection.execute(
            text("UPDATE run SET worker_id = :worker WHERE id = :run"), {"worker": worker_id, "run": run_id}
        )
