"""A database of any earlier version becomes today's, with everybody who was in it."""

import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect

from dispatcher.audience.people import find_person
from dispatcher.errors import Unfinished
from dispatcher.storage.database import Database
from dispatcher.storage.lock import run_lock
from dispatcher.storage.migrations import STEPS, VERSION
from tests.servers.postgresql import PostgreSQL
from tests.storage.books import SQLITE, open_at

EARLIER = Path(__file__).parent / "earlier"
OLDEST = 2


@pytest.fixture
def oldest(database_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database of the oldest version, beside one of today's."""
    if database_url == SQLITE:
        connection = sqlite3.connect(tmp_path / "dispatcher.db")
        connection.executescript((EARLIER / f"version-{OLDEST}.sql").read_text(encoding="utf-8"))
        connection.close()
        yield SQLITE
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    with server.database("template1") as url:
        dump = (EARLIER / f"version-{OLDEST}.postgresql.sql").read_text(encoding="utf-8")
        server.execute(dump, database=url.rpartition("/")[2])
        yield url


def shape(database: Database) -> dict[str, object]:
    """Tables with their columns, keys and indexes; of an upgraded one the columns may stand in another order."""
    found = inspect(database.engine)
    return {
        name: (
            sorted((each["name"], str(each["type"]), each["nullable"]) for each in found.get_columns(name)),
            found.get_pk_constraint(name)["constrained_columns"],
            sorted((str(each["constrained_columns"]), each["referred_table"]) for each in found.get_foreign_keys(name)),
            sorted((str(each["name"]), str(each["column_names"])) for each in found.get_indexes(name)),
        )
        for name in found.get_table_names()
    }


@pytest.mark.parametrize("version", range(OLDEST, VERSION))
def test_a_database_of_an_earlier_version_is_upgraded_in_place(
    tmp_path: Path, oldest: str, version: int, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatcher.storage.migrations.VERSION", version)
    monkeypatch.setattr("dispatcher.storage.migrations.STEPS", STEPS[: version - 1])
    open_at(tmp_path, oldest).close()
    monkeypatch.undo()
    (tmp_path / "new").mkdir()
    with closing(open_at(tmp_path / "new", database_url)) as new, closing(open_at(tmp_path, oldest)) as upgraded:
        assert find_person(upgraded, "ann@example.org").memberships[0].state == "active"
        assert find_person(upgraded, "bob@example.org").memberships[0].state == "unsubscribed"
        assert shape(upgraded) == shape(new)


def test_a_database_is_not_upgraded_under_a_run_of_an_earlier_version(
    tmp_path: Path, oldest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it claims then would name no run, and be settled as a doubt."""
    monkeypatch.setattr("dispatcher.storage.migrations.VERSION", OLDEST)
    monkeypatch.setattr("dispatcher.storage.migrations.STEPS", STEPS[: OLDEST - 1])
    with closing(open_at(tmp_path, oldest)) as earlier, run_lock(earlier):
        before = shape(earlier)
        monkeypatch.undo()
        with pytest.raises(Unfinished, match=f"another run is sending: pid {os.getpid()} on"):
            open_at(tmp_path, oldest)
        assert shape(earlier) == before
    with ThreadPoolExecutor(4) as threads:  # all but the first find nothing to do
        for opened in [threads.submit(open_at, tmp_path, oldest) for _ in range(4)]:
            opened.result(60).close()
