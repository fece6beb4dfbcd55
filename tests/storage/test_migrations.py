"""A database of any earlier version becomes today's, with everybody who was in it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect

from dispatcher.audience.people import find_person
from dispatcher.storage.database import Database
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
