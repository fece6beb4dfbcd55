"""The database: durable, closed to others, one writer, one sender; and honest about what it cannot do."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from dispatcher.errors import LedgerFailed, SettingsWrong, Unfinished
from dispatcher.storage.database import Database, database_path, open_database
from dispatcher.storage.keys import remember_key, require_keys
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.lock import run_lock
from dispatcher.storage.mailings import Mailing
from dispatcher.storage.schema import as_text, from_text
from tests.storage.books import NOON, open_at

OLD, NEW = "o" * 32, "n" * 32


def test_every_connection_is_durable(database: Database, mailing: Mailing) -> None:
    ledger = Ledger(database, mailing)
    assert ledger._connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL: an intent survives a power cut
    assert ledger._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert ledger._connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    assert ledger._connection.execute("PRAGMA busy_timeout").fetchone()[0] >= 5000
    with database.writing() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    ledger.close()


def test_the_file_is_closed_to_others(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        database = open_at(tmp_path)
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
        database.close()
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(["dispatcher.db", "dispatcher.db-wal", "dispatcher.db-shm"], 0o600)


def test_a_database_has_one_name_for_ever_and_no_two_the_same(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first, again, other = open_at(tmp_path), open_at(tmp_path), open_at(tmp_path / "other")
    assert first.instance == again.instance
    assert first.instance != other.instance
    for each in (first, again, other):
        each.close()


def test_the_database_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    open_at(tmp_path).close()
    with sqlite3.connect(tmp_path / "dispatcher.db") as connection:
        connection.execute("UPDATE fact SET value = '99' WHERE name = 'schema'")
    connection.close()
    with pytest.raises(LedgerFailed, match=r"newer Dispatcher; update this one"):
        open_at(tmp_path)


@pytest.mark.parametrize("content", [b"this is no database, just a text file of some length\n" * 100])
def test_a_file_that_is_no_database_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "dispatcher.db").write_bytes(content)
    with pytest.raises(LedgerFailed, match=r"dispatcher\.db: .*not a database"):
        open_at(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerFailed, match="must be a file that can be written"):
        open_database("sqlite:///nowhere/dispatcher.db", tmp_path)


def test_looking_makes_no_database(tmp_path: Path) -> None:
    with pytest.raises(LedgerFailed, match="no database here yet"):
        open_database("sqlite:///dispatcher.db", tmp_path, create=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///dispatcher.db", "/letter/dispatcher.db"),
        ("sqlite:///data/d.db", "/letter/data/d.db"),
        ("sqlite:////srv/d.db", "/srv/d.db"),
    ],
)
def test_a_relative_path_is_relative_to_the_folder(url: str, path: str) -> None:
    assert database_path(url, Path("/letter")) == Path(path)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/db", "dispatcher.db", ""])
def test_a_database_that_would_forget_or_is_not_known_is_refused(url: str) -> None:
    with pytest.raises(SettingsWrong, match=r"sqlite:///dispatcher\.db"):
        database_path(url, Path("/letter"))


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "who?"
    folder.mkdir()
    database = open_at(folder)
    database.close()
    assert (folder / "dispatcher.db").stat().st_size > 0
    assert [each.name for each in tmp_path.iterdir()] == ["who?"]


def test_times_sort_as_they_read() -> None:
    earlier, later = NOON, NOON.replace(microsecond=1)
    assert from_text(as_text(later)) == later
    assert as_text(earlier) < as_text(later)
    assert len(as_text(earlier)) == len(as_text(later))


# --- keys ------------------------------------------------------------------------------------------


def test_a_secret_once_in_use_must_stay(database: Database) -> None:
    require_keys(database, [NEW])
    remember_key(database, OLD)
    remember_key(database, OLD)
    require_keys(database, [NEW, OLD])
    with pytest.raises(SettingsWrong, match=r"fingerprint [0-9a-f]{16} is missing") as caught:
        require_keys(database, [NEW])
    assert OLD not in str(caught.value)


# --- the run's lock --------------------------------------------------------------------------------


def test_a_second_run_is_told_who_sends(tmp_path: Path) -> None:
    database = tmp_path / "dispatcher.db"
    with run_lock(database):
        with pytest.raises(Unfinished, match=rf"pid {os.getpid()} on \S+, since 20") as caught, run_lock(database):
            pytest.fail("two runs at a time")
        assert caught.value.exit_code == 75
        assert (tmp_path / "dispatcher.db.lock").stat().st_mode & 0o777 == 0o600
    with run_lock(database):
        pass


def test_a_run_that_fails_gives_the_lock_back(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), run_lock(tmp_path / "d.db"):
        raise ZeroDivisionError
    with run_lock(tmp_path / "d.db"):
        assert json.loads((tmp_path / "d.db.lock").read_text())["pid"] == os.getpid()


def test_the_lock_of_a_run_that_was_killed_is_free(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from dispatcher.storage.lock import run_lock\n"
        "with run_lock(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    database = tmp_path / "dispatcher.db"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"held\n"
        with pytest.raises(Unfinished, match=f"pid {run.pid} on"), run_lock(database):
            pytest.fail("two runs at a time")
        run.send_signal(signal.SIGKILL)
        run.wait(10)
    with run_lock(database):
        pass
