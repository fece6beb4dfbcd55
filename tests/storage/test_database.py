"""The database: durable, closed to others, one writer, one sender; and honest about what it cannot do."""

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from dispatcher.errors import LedgerFailed, SettingsWrong, Unfinished
from dispatcher.models import State
from dispatcher.storage.columns import as_text, from_text
from dispatcher.storage.database import (
    Database,
    database_path,
    find_database,
    open_database,
    require_durable,
)
from dispatcher.storage.keys import remember_key, require_keys
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.lock import run_lock
from dispatcher.storage.readers import find_subscriber
from dispatcher.storage.sqlite_pen import SqlitePen
from tests.servers.cell import free_ports
from tests.servers.postgresql import PostgreSQL
from tests.storage.books import (
    ANN,
    CLEO,
    NOON,
    SQLITE,
    again,
    change,
    claim,
    enlist,
    freeze_to,
    give_up,
    is_sqlite,
    open_at,
    person,
    rows,
)

OLD, NEW = "o" * 32, "n" * 32


def test_every_connection_is_durable(in_sqlite: Database) -> None:
    enlist(in_sqlite, ANN)
    ledger = Ledger(in_sqlite, freeze_to(in_sqlite))
    assert isinstance(ledger._pen, SqlitePen)
    connection = ledger._pen.connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL: an intent survives a power cut
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    assert connection.execute("PRAGMA busy_timeout").fetchone()[0] >= 5000
    with in_sqlite.writing() as writing:
        assert writing.execute(text("PRAGMA synchronous")).scalar() == 2
        assert writing.execute(text("PRAGMA journal_mode")).scalar() == "wal"
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


def test_a_database_has_one_name_for_ever_and_no_two_the_same(database: Database, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    reopened, other = again(database), open_at(tmp_path / "other")
    assert database.instance == reopened.instance
    assert database.instance != other.instance
    for each in (reopened, other):
        each.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_of_many_who_open_a_new_database_at_once_one_makes_it(
    tmp_path: Path, postgresql: PostgreSQL, kind: str
) -> None:
    def instance(url: str) -> str:
        with closing(open_at(tmp_path, url)) as opened:
            return opened.instance

    with postgresql.database(template="template1") as empty, ThreadPoolExecutor(4) as openers:
        assert len(set(openers.map(instance, [SQLITE if kind == "sqlite" else empty] * 4))) == 1


def test_the_database_of_a_newer_program_is_left_alone(database: Database) -> None:
    change(database, "UPDATE fact SET value = '99' WHERE name = 'schema'")
    with pytest.raises(LedgerFailed, match=r"newer Dispatcher; update this one"):
        again(database)


@pytest.mark.parametrize("content", [b"this is no database, just a text file of some length\n" * 100])
def test_a_file_that_is_no_database_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "dispatcher.db").write_bytes(content)
    with pytest.raises(LedgerFailed, match=r"dispatcher\.db: .*not a database"):
        open_at(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerFailed, match="must be a file that can be written"):
        open_database("sqlite:///nowhere/dispatcher.db", tmp_path)


def test_looking_makes_no_database(tmp_path: Path) -> None:
    assert find_database("sqlite:///dispatcher.db", tmp_path) is None
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


def test_a_second_run_is_told_who_sends(database: Database) -> None:
    with run_lock(database):
        with pytest.raises(Unfinished, match=rf"pid {os.getpid()} on \S+, since 20") as caught, run_lock(database):
            pytest.fail("two runs at a time")
        assert caught.value.exit_code == 75
        if is_sqlite(database):
            assert Path(f"{database.place}.lock").stat().st_mode & 0o777 == 0o600
    with run_lock(database):
        pass


def test_a_run_that_fails_gives_the_lock_back(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), run_lock(database):
        raise ZeroDivisionError
    with run_lock(database):
        pass


def test_the_lock_of_a_run_that_was_killed_is_free(database: Database) -> None:
    code = (
        "import sys, pathlib; from dispatcher.storage.lock import run_lock\n"
        "from dispatcher.storage.database import open_database\n"
        "with run_lock(open_database(sys.argv[1], pathlib.Path('/'))): print('held', flush=True); sys.stdin.read()"
    )
    url = database.engine.url.render_as_string(hide_password=False)
    with subprocess.Popen([sys.executable, "-c", code, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"held\n"
        with pytest.raises(Unfinished, match=f"pid {run.pid} on"), run_lock(database):
            pytest.fail("two runs at a time")
        run.send_signal(signal.SIGKILL)
        run.wait(10)
    until = time.monotonic() + 10
    while True:  # a server hears of it a moment later
        try:
            with run_lock(database):
                return
        except Unfinished:
            assert time.monotonic() < until


def test_the_lock_does_not_keep_others_from_writing(database: Database) -> None:
    with run_lock(database), closing(again(database)) as other:
        remember_key(other, OLD)


# --- PostgreSQL ------------------------------------------------------------------------------------


def test_a_server_that_may_forget_is_refused(tmp_path: Path, postgresql: PostgreSQL) -> None:
    with postgresql.database() as url:
        database = open_at(tmp_path, url)
        require_durable(database)
        name = url.rpartition("/")[2]
        postgresql.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        with closing(again(database)) as careless, pytest.raises(SettingsWrong) as caught:
            require_durable(careless)
        database.close()
    assert caught.value.exit_code == 78
    assert "synchronous_commit is off; set synchronous_commit = on" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://ann:s3cret@127.0.0.1:{closed}/letter", "postgresql://127.0.0.1:{closed}/letter: "),
        ("postgresql://ann:s3cret@127.0.0.1:{port}/nowhere", "does not exist"),
        ("postgresql://ann:s3cret@127.0.0.1:{port}/{name}", "this user does not exist"),
        ("postgresql://ann:s3cret@nowhere.invalid/letter?password=s3cret", "postgresql://nowhere.invalid/letter: "),
    ],
)
def test_a_database_that_cannot_be_reached_is_named_without_its_user(
    tmp_path: Path, postgresql: PostgreSQL, url: str, said: str
) -> None:
    with postgresql.database() as there:
        (closed,) = free_ports(1)
        facts = {"closed": closed, "port": postgresql.port, "name": there.rpartition("/")[2]}
        with pytest.raises(LedgerFailed, match=said.format(**facts)) as caught:
            open_database(url.format(**facts), tmp_path)
    assert "\n" not in str(caught.value)
    assert not {"ann", "s3cret"} & set(re.findall(r"\w+", str(caught.value)))


def test_a_driver_we_do_not_use_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsWrong, match=r"postgresql\+asyncpg is not supported"):
        open_database("postgresql+asyncpg://host/letter", tmp_path)


@pytest.mark.parametrize("library", ["psycopg", "procrastinate"])
def test_without_the_extra_a_postgresql_url_is_one_line_with_the_remedy(tmp_path: Path, library: str) -> None:
    code = (
        f"import sys, pathlib; sys.modules['{library}'] = None\n"
        "from dispatcher.storage.database import open_database\n"
        "try: open_database('postgresql://ann:s3cret@host/letter', pathlib.Path('.'))\n"
        "except Exception as error: print(type(error).__name__, error)\n"
        "open_database('sqlite:///d.db', pathlib.Path('.'))\n"
        "print([name for name in sys.modules if name.startswith(('psycopg', 'procrastinate')) and sys.modules[name]])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    first, imported = done.stdout.splitlines()
    assert first.startswith("SettingsWrong database: PostgreSQL needs further libraries; run: pip install ")
    assert "newsletter-dispatcher[postgres]" in first
    assert imported == "[]"


def test_what_postgresql_cannot_keep_is_kept_without_it(database: Database) -> None:
    enlist(database, person("ann@example.de", name="A\0nn", attributes={"plan": "p\0ro", "path": "c:\\u0000"}))
    found = find_subscriber(database, "ann@example.de")
    assert found is not None
    nul = "\0" if is_sqlite(database) else "\ufffd"
    assert (found.name, found.attributes) == (f"A{nul}nn", {"plan": "p\ufffdro", "path": "c:\\u0000"})
    assert find_subscriber(database, "nobody\0@example.de") is None


def test_a_connection_that_the_server_ends_is_a_failed_ledger(tmp_path: Path, postgresql: PostgreSQL) -> None:
    with postgresql.database() as url, closing(open_at(tmp_path, url)) as database:
        enlist(database, ANN, CLEO)
        mailing = freeze_to(database)
        ledger = Ledger(database, mailing)
        ledger.commit([], [claim(1)])
        postgresql.end_sessions(url)
        with pytest.raises(LedgerFailed, match="connection") as caught:
            ledger.commit([], [claim(2)])
        assert caught.value.exit_code == 74
        ledger.close()
        assert rows(database) == {1: State.SENDING, 2: State.QUEUED}  # the pool has connected anew
        with closing(Ledger(database, mailing)) as next_run:
            assert give_up(next_run, "the run ended") == 1
