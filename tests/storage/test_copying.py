"""A newsletter moves between SQLite and PostgreSQL with every row and number, and its old database is closed."""

import asyncio
import os
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, Table, select

from dispatcher.errors import LedgerFailed, SettingsWrong, Unfinished
from dispatcher.models import Kind, State
from dispatcher.storage import copying
from dispatcher.storage.copying import move_database
from dispatcher.storage.database import Database, require_known_tables
from dispatcher.storage.jobs import open_jobs
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.mailings import Mailing, find_mailing
from dispatcher.storage.releases import dealt_out, release
from dispatcher.storage.runs import begin_run, end_run, give_sign_of_life
from dispatcher.storage.schema import metadata
from tests.servers.postgresql import PostgreSQL
from tests.storage.books import (
    ANN,
    CLEO,
    DAN,
    EVE,
    NOON,
    SQLITE,
    again,
    balance,
    change,
    claim,
    enlist,
    freeze_to,
    leave,
    open_at,
    outcome,
    person,
    put_into,
    rows,
)

WANG_FANG = "wangfang@example.de"


@pytest.fixture(params=["to PostgreSQL", "to SQLite"])
def way(request: pytest.FixtureRequest, tmp_path: Path, postgresql: PostgreSQL) -> Iterator[tuple[Database, Database]]:
    """A database with an issue half sent, and an empty one of the other kind."""
    (tmp_path / "sqlite").mkdir()
    (tmp_path / "postgresql").mkdir()
    with postgresql.database() as url:
        both = [open_at(tmp_path / "sqlite", SQLITE), open_at(tmp_path / "postgresql", url)]
        source, target = both if request.param == "to PostgreSQL" else both[::-1]
        enlist(
            source, ANN, person(CLEO, name="Cleo", attributes={"plan": "pro"}), person(WANG_FANG, name="王芳"), DAN, EVE
        )
        leave(source, DAN)
        change(source, "DELETE FROM membership WHERE subscriber_id = 5")
        change(source, "DELETE FROM event WHERE subscriber_id = 5")
        change(source, "DELETE FROM subscriber WHERE id = 5")  # Eve: her number must not be given again
        mailing = freeze_to(source, spoken={"en": [None], "zh": []})
        with closing(Ledger(source, mailing)) as ledger:
            put_into(ledger, 1, State.SENT)
            put_into(ledger, 2, State.DEFERRED)
            put_into(ledger, 3, State.SENDING)
        yield source, target
        for each in both:
            each.close()


def everything(database: Database) -> dict[str, list[tuple[object, ...]]]:
    with database.reading() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in metadata.sorted_tables
            if table.name != "fact"
        }


def test_every_row_is_there_and_the_issue_goes_on(way: tuple[Database, Database]) -> None:
    source, target = way
    before = everything(source)
    counts = move_database(source, target, NOON)
    assert counts == {name: len(found) for name, found in before.items()}
    with closing(again(target)) as moved:
        assert everything(moved) == before
        assert moved.instance == source.instance  # so that links and the receipt are known
        mailing = find_mailing(moved, 29, Kind.LIVE)
        assert mailing is not None
        with closing(Ledger(moved, mailing)) as ledger:
            assert ledger.commit([outcome(3, State.SENT)], []) == []
            assert ledger.requeue_deferred(NOON.replace(hour=23)) == 1
            assert ledger.commit([], [claim(2)]) == [True]
        assert rows(moved) == {1: State.SENT, 2: State.SENDING, 3: State.SENT}
        assert balance(moved, mailing)
        enlist(moved, EVE)
        with moved.reading() as connection:
            assert connection.exec_driver_sql("SELECT max(id) FROM subscriber").scalar() == 6


def test_the_old_database_cannot_be_used_by_mistake(way: tuple[Database, Database]) -> None:
    source, target = way
    move_database(source, target, NOON)
    with pytest.raises(SettingsWrong, match=r"the newsletter moved to .* on 2026-11-25 12:00 UTC"):
        again(source)
    with pytest.raises(SettingsWrong, match="moved"):  # nor by whoever had it open
        leave(source, ANN)
    assert [row[2] for row in everything(source)["membership"]].count("active") == 3


def test_a_database_with_a_newsletter_in_it_is_not_overwritten(way: tuple[Database, Database]) -> None:
    source, target = way
    enlist(target, "fay@example.de")
    before = everything(target)
    with pytest.raises(SettingsWrong, match="there is a newsletter in it already"):
        move_database(source, target, NOON)
    assert everything(target) == before
    leave(source, ANN)  # it did not move


def test_a_row_that_is_not_as_it_was_moves_nothing(
    way: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = way
    copy = copying._copy

    def copy_badly(reading: Connection, writing: Connection, table: Table) -> int:
        copied = copy(reading, writing, table)
        if table.name == "delivery":
            writing.exec_driver_sql("UPDATE delivery SET reply = 'another' WHERE id = 1")
        return copied

    monkeypatch.setattr(copying, "_copy", copy_badly)
    with pytest.raises(LedgerFailed, match=r"a row of delivery is not as it was: \[1\]"):
        move_database(source, target, NOON)
    assert not any(everything(target).values())
    leave(source, ANN)
    again(source).close()


@pytest.fixture
def both_shared(tmp_path: Path, postgresql: PostgreSQL) -> Iterator[tuple[Database, Mailing, Database]]:
    """Two databases of which several may send; in the first is an issue that was dealt out to workers."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    with postgresql.database() as old, postgresql.database() as new:
        source, target = open_at(tmp_path / "old", old), open_at(tmp_path / "new", new)
        enlist(source, ANN)
        mailing = freeze_to(source)
        assert release(source, mailing.id) == 1
        yield source, mailing, target
        source.close()
        target.close()


def test_nothing_moves_while_somebody_sends_as_one_of_several(
    both_shared: tuple[Database, Mailing, Database],
) -> None:
    """He holds no lock."""
    source, mailing, target = both_shared
    number = begin_run(source, mailing.id)
    with pytest.raises(Unfinished, match=rf"mail is being sent by pid {os.getpid()} on "):
        move_database(source, target, NOON)
    end_run(source, number)
    move_database(source, target, NOON)


def test_after_the_move_no_worker_goes_on_in_the_old_database(both_shared: tuple[Database, Mailing, Database]) -> None:
    source, mailing, target = both_shared
    presence = begin_run(source, None)
    move_database(source, target, NOON)
    assert not dealt_out(source)
    assert not give_sign_of_life(source, presence)
    for goes_on in (lambda: begin_run(source, mailing.id), lambda: require_known_tables(source)):
        with pytest.raises(SettingsWrong, match="the newsletter moved"):
            goes_on()


def test_who_begins_while_all_is_copied_waits_and_finds_that_it_has_moved(
    both_shared: tuple[Database, Mailing, Database], postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, mailing, target = both_shared
    copy = copying._copy
    with ThreadPoolExecutor(1) as thread:
        begun: list[Future[int]] = []

        def copy_while_somebody_begins(reading: Connection, writing: Connection, table: Table) -> int:
            if not begun:
                begun.append(thread.submit(begin_run, source, mailing.id))
                until = time.monotonic() + 20
                while not postgresql.execute("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
                    assert time.monotonic() < until
                    assert not begun[0].done(), begun[0].result()
            return copy(reading, writing, table)

        monkeypatch.setattr(copying, "_copy", copy_while_somebody_begins)
        move_database(source, target, NOON)
        with pytest.raises(SettingsWrong, match="the newsletter moved"):
            begun[0].result(20)


def test_the_new_database_makes_a_queue_of_its_own(both_shared: tuple[Database, Mailing, Database]) -> None:
    source, mailing, target = both_shared
    number = begin_run(source, mailing.id)
    change(source, "UPDATE run SET worker_id = 1")
    end_run(source, number)
    move_database(source, target, NOON)
    assert not dealt_out(target)
    assert release(target, mailing.id) == 1
    assert dealt_out(target) == [mailing.id]

    async def take() -> int | None:
        async with open_jobs(target, mailing.id) as jobs:  # the first of its workers, whose number a run of old had
            return await jobs.take()

    assert asyncio.run(take()) == 0
    assert [row[-1] for row in everything(target)["run"]] == [None]
