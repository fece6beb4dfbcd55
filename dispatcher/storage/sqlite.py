"""Opens a SQLite file as a ledger needs it: durable, for our eyes only, one writer and one sending run at a time."""

import os
import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry

from dispatcher.errors import LedgerFailed, SettingsWrong
from dispatcher.storage import file_lock
from dispatcher.storage.columns import as_json
from dispatcher.storage.driver import Sender
from dispatcher.storage.sqlite_pen import SqlitePen

ERRORS: tuple[type[Exception], ...] = (sqlite3.Error,)

_BUSY_SECONDS = 30


def path_of(url: URL, folder: Path) -> Path:
    """The file; a relative path is relative to `folder`. Raises SettingsWrong."""
    if not url.database or url.database == ":memory:":
        raise SettingsWrong("database: a ledger in memory would forget; use sqlite:///dispatcher.db")
    return folder / url.database


def make_engine(path: Path) -> Engine:
    """The file is made with mode 0600. Raises LedgerFailed."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise LedgerFailed(f"{path}: {error.strerror}; the ledger must be a file that can be written") from error
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": _BUSY_SECONDS},
        hide_parameters=True,
        json_serializer=as_json,
    )
    event.listen(engine, "connect", _configure)
    return engine


def place(engine: Engine) -> str:
    return str(engine.url.database)


def spoken(error: BaseException) -> str | None:
    is_ours = isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError)
    return None if is_ours else str(error)


def begin(connection: Connection, *, writes: bool) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def run_lock(engine: Engine) -> AbstractContextManager[None]:
    """A lock beside the file."""
    return file_lock.hold(_lock_path(engine))


def senders(engine: Engine) -> list[Sender]:
    found = file_lock.holder(_lock_path(engine))
    return [] if found is None else [found]


def open_pen(engine: Engine) -> SqlitePen:
    return SqlitePen(engine)


def unsafe_settings(_connection: Connection) -> list[str]:
    """None: every connection is configured here."""
    return []


def last_number(connection: Connection, table: str) -> int:
    return connection.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = :table"), {"table": table}) or 0


def set_last_number(connection: Connection, table: str, number: int) -> None:
    connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :table"), {"table": table})
    values = {"table": table, "number": number}
    connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :number)"), values)


def _lock_path(engine: Engine) -> Path:
    return Path(f"{engine.url.database}.lock")


def _configure(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver's own BEGINs come too late; ours are above
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # NORMAL would survive a crash of the process but may lose an intent with the power: a reader mailed twice.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA cache_size=-4000")  # KB; each connection has its own, and rows are read in order
    cursor.close()
