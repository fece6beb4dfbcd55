"""The queue of blocks: what a run took is its own until others took it for dead, and then it is theirs."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from dispatcher.errors import SettingsWrong
from dispatcher.models import State
from dispatcher.storage.control import ask_to_stop, cancel
from dispatcher.storage.database import Database
from dispatcher.storage.jobs import open_jobs
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.mailings import Mailing, find_mailing
from dispatcher.storage.queue import release_stalled
from dispatcher.storage.releases import deal_out_again, dealt_out, release
from dispatcher.storage.runs import end_run
from tests.servers.postgresql import PostgreSQL
from tests.storage.books import ANN, change, claim, enlist, freeze_to, open_at, outcome, rows

AT_ONCE = timedelta(seconds=-60)  # the silence after which a worker is taken for dead
BLOCK = 0


@pytest.fixture
def dealt(tmp_path: Path, postgresql: PostgreSQL) -> Iterator[tuple[Database, Mailing]]:
    """An issue to one reader, whose block waits for a worker."""
    with postgresql.database() as url:
        database = open_at(tmp_path, url)
        enlist(database, ANN)
        mailing = freeze_to(database)
        assert release(database, mailing.id) == 1
        yield database, mailing
        database.close()


def test_who_was_taken_for_dead_cannot_take_from_others_what_they_were_given(dealt: tuple[Database, Mailing]) -> None:
    database, mailing = dealt

    async def both() -> None:
        async with open_jobs(database, mailing.id) as slow:
            assert await slow.take() == BLOCK
            assert release_stalled(database, AT_ONCE) == 1
            async with open_jobs(database, mailing.id) as other:
                assert await other.take() == BLOCK
                await slow.give_back()
                assert not dealt_out(database)
            assert dealt_out(database) == [mailing.id]  # by the one who had it

    asyncio.run(both())


def test_a_block_that_two_have_is_ended_by_both(dealt: tuple[Database, Mailing]) -> None:
    database, mailing = dealt

    async def both() -> None:
        async with open_jobs(database, mailing.id) as slow:
            assert await slow.take() == BLOCK
            assert release_stalled(database, AT_ONCE) == 1
            async with open_jobs(database, mailing.id) as other:
                assert await other.take() == BLOCK
                await slow.end(BLOCK)
                await other.end(BLOCK)
        assert not dealt_out(database)

    asyncio.run(both())


def test_who_was_taken_for_dead_and_lives_takes_again(dealt: tuple[Database, Mailing]) -> None:
    database, mailing = dealt

    async def go_on() -> None:
        async with open_jobs(database, mailing.id) as jobs:
            release_stalled(database, AT_ONCE)
            assert await jobs.take() == BLOCK

    asyncio.run(go_on())


def test_two_may_give_the_same_job_to_others_at_once(dealt: tuple[Database, Mailing], postgresql: PostgreSQL) -> None:
    database, mailing = dealt

    async def one_takes() -> None:
        async with open_jobs(database, mailing.id) as jobs:
            assert await jobs.take() == BLOCK
            with database.engine.connect() as faster, ThreadPoolExecutor(1) as thread:
                faster.execute(
                    text("SELECT procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL) FROM procrastinate_jobs")
                )
                slower = thread.submit(release_stalled, database, AT_ONCE)
                until = time.monotonic() + 20
                while not postgresql.execute("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
                    assert time.monotonic() < until
                    assert not slower.done(), slower.result()
                faster.commit()
                slower.result(20)
        assert dealt_out(database) == [mailing.id]

    asyncio.run(one_takes())


@pytest.mark.parametrize("end", [State.QUEUED, State.DEFERRED])
@pytest.mark.parametrize("is_stopped", [False, True])
def test_what_a_run_taken_for_dead_never_sent_is_dealt_out_though_all_others_were_done(
    dealt: tuple[Database, Mailing], is_stopped: bool, end: State
) -> None:
    """Unless somebody has stopped the issue."""
    database, mailing = dealt
    with contextlib.closing(Ledger(database, mailing)) as slow:
        number = slow.begin_run()
        assert slow.commit([], [claim(1)]) == [True]
        end_run(database, number)
        slow.settle(number, [outcome(1, State.IN_DOUBT)])
        deal_out_again(database)
        assert not dealt_out(database)
        if is_stopped:
            ask_to_stop(database, mailing.id)
        slow.commit([outcome(1, end)], [])
    assert rows(database) == {1: end}
    deal_out_again(database)
    assert dealt_out(database) == ([] if is_stopped else [mailing.id])


def test_the_queue_is_reached_by_whatever_url_the_ledger_is(tmp_path: Path, postgresql: PostgreSQL) -> None:
    """A password with a space, a schema of its own, several hosts: libpq spells none of it like a URL of ours."""
    with postgresql.database() as url:
        name = url.rpartition("/")[2]
        postgresql.execute("CREATE SCHEMA news", database=name)
        hosts = "&".join(f"host=127.0.0.1:{port}" for port in (1, postgresql.port))
        database = open_at(
            tmp_path, f"postgresql://dispatcher:pass%20word@/{name}?{hosts}&options=-c%20search_path%3Dnews"
        )
        with contextlib.closing(database):
            enlist(database, ANN)
            mailing = freeze_to(database)
            assert release(database, mailing.id) == 1

            async def look() -> object:
                async with open_jobs(database, mailing.id) as jobs:
                    assert await jobs.take() == BLOCK
                    name_of = "SELECT setting FROM pg_settings WHERE name = 'lock_timeout'"
                    return (await jobs._manager.connector.execute_query_one_async(name_of))["setting"]

            assert asyncio.run(look()) == "30000"


def test_a_run_that_has_ended_is_not_known_by_a_number_that_another_worker_may_get(
    dealt: tuple[Database, Mailing],
) -> None:
    """A server that is new counts its workers from one again."""
    database, mailing = dealt

    async def both() -> None:
        async with open_jobs(database, mailing.id) as dead:
            with contextlib.closing(Ledger(database, mailing)) as ledger:
                number = ledger.begin_run()
            await dead.join(number)
            assert await dead.take() == BLOCK
            end_run(database, number)
            assert release_stalled(database, timedelta(minutes=1)) == 1
            assert dealt_out(database) == [mailing.id]
            change(database, "SELECT setval(pg_get_serial_sequence('procrastinate_workers', 'id'), 1, false)")
            async with open_jobs(database, mailing.id) as living:
                assert living._worker_id == dead._worker_id
                assert await living.take() == BLOCK
                assert release_stalled(database, timedelta(minutes=1)) == 0

    asyncio.run(both())


@pytest.mark.parametrize("is_one_of_several", [True, False])
def test_what_is_put_back_when_all_the_others_were_done_is_dealt_out_where_several_send(
    dealt: tuple[Database, Mailing], is_one_of_several: bool
) -> None:
    """What `send-issue` puts back alone is its own."""
    database, mailing = dealt

    async def refuse_and_put_back() -> None:
        async with open_jobs(database, mailing.id) as jobs:
            with contextlib.closing(Ledger(database, mailing)) as ledger:
                number = ledger.begin_run()
                if is_one_of_several:
                    await jobs.join(number)
                assert await jobs.take() == BLOCK
                ledger.commit([], [claim(1)])
                ledger.commit([outcome(1, State.REFUSED)], [])
                await jobs.end(BLOCK)
                deal_out_again(database)
                ledger.put_back([1])

    asyncio.run(refuse_and_put_back())
    assert rows(database) == {1: State.QUEUED}
    deal_out_again(database)
    assert dealt_out(database) == ([mailing.id] if is_one_of_several else [])


def test_a_release_does_not_end_while_rows_are_queued_again(
    dealt: tuple[Database, Mailing], postgresql: PostgreSQL
) -> None:
    """Who ends it does not see them yet, and who queues them sees that it is released."""
    database, mailing = dealt
    with contextlib.closing(Ledger(database, mailing)) as slow, ThreadPoolExecutor(1) as thread:
        number = slow.begin_run()
        assert slow.commit([], [claim(1)]) == [True]
        end_run(database, number)
        slow.settle(number, [outcome(1, State.IN_DOUBT)])
        change(database, "DELETE FROM procrastinate_jobs")
        with slow._pen.connection.transaction():  # type: ignore[attr-defined]
            slow.settle(number, [outcome(1, State.QUEUED)])
            ending = thread.submit(deal_out_again, database)
            until = time.monotonic() + 20
            while not postgresql.execute("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
                assert time.monotonic() < until
                assert not ending.done(), ending.result()
        ending.result(20)
    deal_out_again(database)
    assert dealt_out(database) == [mailing.id]


def jobs_of(database: Database) -> list[tuple[object, ...]]:
    with database.reading() as connection:
        query = "SELECT (args ->> 'block')::int, status::text, scheduled_at IS NULL FROM procrastinate_jobs ORDER BY id"
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def test_a_block_has_one_job_that_waits(dealt: tuple[Database, Mailing]) -> None:
    """A deferred reader's is for later; that of somebody who is queued again takes its place."""
    database, mailing = dealt

    async def defer_him() -> None:
        async with open_jobs(database, mailing.id) as jobs:
            assert await jobs.take() == BLOCK
            with contextlib.closing(Ledger(database, mailing)) as ledger:
                ledger.commit([], [claim(1)])
                ledger.commit([outcome(1, State.DEFERRED)], [])
            await jobs.end(BLOCK)

    asyncio.run(defer_him())
    assert jobs_of(database) == [(BLOCK, "todo", False)]
    change(database, "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 hour'")
    change(database, "UPDATE delivery SET state = 'queued'")
    for _ in range(2):
        deal_out_again(database)
        assert jobs_of(database) == [(BLOCK, "todo", True)]


@pytest.mark.parametrize("how", ["cancelled", "done"])
def test_what_is_over_leaves_no_jobs(dealt: tuple[Database, Mailing], how: str) -> None:
    database, mailing = dealt
    if how == "cancelled":
        cancel(database, mailing.id)
    else:
        change(database, "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 hour'")
        change(database, "UPDATE delivery SET state = 'sent'")
        deal_out_again(database)
    assert jobs_of(database) == []


def test_what_is_released_stays_as_it_is_frozen(dealt: tuple[Database, Mailing]) -> None:
    database, mailing = dealt
    found = find_mailing(database, mailing.issue, mailing.kind)
    assert found is not None
    assert found.handed_over_at is not None


def test_another_program_s_queue_is_not_ours(tmp_path: Path, postgresql: PostgreSQL) -> None:
    with postgresql.database() as url, contextlib.closing(open_at(tmp_path, url)) as database:
        enlist(database, ANN)
        mailing = freeze_to(database)
        change(database, "CREATE TABLE procrastinate_jobs (id bigint)")
        assert not dealt_out(database)
        deal_out_again(database)
        cancel(database, mailing.id)
        with pytest.raises(SettingsWrong, match="another program's Procrastinate is there; give the newsletter a"):
            release(database, mailing.id)


def test_who_may_not_make_tables_is_told_what_to_do(tmp_path: Path, postgresql: PostgreSQL) -> None:
    with postgresql.database() as url:
        with contextlib.closing(open_at(tmp_path, url)) as database:
            enlist(database, ANN)
            mailing = freeze_to(database)
            change(database, "CREATE ROLE clerk LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk")
        try:
            with (
                contextlib.closing(open_at(tmp_path, url.replace("dispatcher@", "clerk@"))) as database,
                pytest.raises(SettingsWrong, match="let its owner run: GRANT CREATE ON SCHEMA public TO"),
            ):
                release(database, mailing.id)
        finally:
            postgresql.execute("DROP OWNED BY clerk; DROP ROLE clerk", database=url.rpartition("/")[2])
