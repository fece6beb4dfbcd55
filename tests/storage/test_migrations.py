"""A database of any earlier version becomes today's, with everybody who was in it."""

import sqlite3
from pathlib import Path

import pytest

from dispatcher.audience.people import find_person
from tests.storage.books import open_at

EARLIER = Path(__file__).parent / "earlier"


def columns(path: Path) -> dict[str, set[tuple[str, str]]]:
    connection = sqlite3.connect(path)
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {name: {(row[1], row[2]) for row in connection.execute(f"PRAGMA table_info({name})")} for name in names}
    found["indexes"] = {(row[0], "") for row in connection.execute("SELECT name FROM sqlite_master WHERE type='index'")}
    connection.close()
    return found


@pytest.mark.parametrize("dump", sorted(EARLIER.glob("*.sql")), ids=lambda path: path.stem)
def test_a_database_of_an_earlier_version_is_upgraded_in_place(tmp_path: Path, dump: Path) -> None:
    (tmp_path / "new").mkdir()
    open_at(tmp_path / "new").close()
    connection = sqlite3.connect(tmp_path / "dispatcher.db")
    connection.executescript(dump.read_text(encoding="utf-8"))
    connection.close()
    database = open_at(tmp_path)
    assert find_person(database, "ann@example.org").memberships[0].state == "active"
    assert find_person(database, "bob@example.org").memberships[0].state == "unsubscribed"
    database.close()
    assert columns(tmp_path / "dispatcher.db") == columns(tmp_path / "new/dispatcher.db")
