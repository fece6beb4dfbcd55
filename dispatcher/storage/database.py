"""Opens the newsletter's database, makes its tables, and guards the rules that keep a ledger safe."""

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, RootTransaction, create_engine, event, insert, inspect, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, ProgrammingError
from sqlalchemy.pool import ConnectionPoolEntry

from dispatcher.errors import DispatcherError, LedgerFailed, SettingsWrong
from dispatcher.storage import migrations, schema

_BUSY_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """An open database; `instance` is its random name, made once."""

    engine: Engine
    path: Path
    instance: str

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one moment and changes nothing. Raises LedgerFailed."""
        with _failures_named(self.path), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is durable when the block ends, or did not happen. Raises LedgerFailed."""
        with (
            _failures_named(self.path),
            self.engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def transactions(self) -> Iterator[Connection]:
        """A connection without a transaction; `begin(connection)` and `begin(connection, writes=True)` give them."""
        with _failures_named(self.path), self.engine.connect() as connection:
            yield connection

    def close(self) -> None:
        self.engine.dispose()


def open_database(url: str, folder: Path, *, create: bool = True) -> Database:
    """Opens the database that a SQLAlchemy URL names; a relative SQLite path is relative to `folder`.

    The file is made with mode 0600. Raises SettingsWrong for a URL that cannot be used, LedgerFailed otherwise.
    """
    path = database_path(url, folder)
    if not path.exists() and not create:
        raise LedgerFailed(f"{path}: there is no database here yet; it is made by the first send or import")
    with _failures_named(path):
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise LedgerFailed(f"{path}: {error.strerror}; the ledger must be a file that can be written") from error
        engine = create_engine(
            URL.create("sqlite", database=str(path)), connect_args={"timeout": _BUSY_SECONDS}, hide_parameters=True
        )
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
        instance = _instance(engine, path)
    return Database(engine=engine, path=path, instance=instance)


def begin(connection: Connection, *, writes: bool = False) -> RootTransaction:
    """A transaction, which as a context manager commits or rolls back; what writes waits for other writers first."""
    connection.execution_options(writes=writes)
    return connection.begin()


def database_path(url: str, folder: Path) -> Path:
    """The file a SQLite URL names. Raises SettingsWrong for any other URL."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise SettingsWrong("database is not a URL; write it as sqlite:///dispatcher.db") from error
    if parsed.get_backend_name() != "sqlite":
        raise SettingsWrong(f"database: {parsed.get_backend_name()} is not supported; use sqlite:///dispatcher.db")
    if not parsed.database or parsed.database == ":memory:":
        raise SettingsWrong("database: a ledger in memory would forget; use sqlite:///dispatcher.db")
    return folder / parsed.database


@contextmanager
def _failures_named(path: Path) -> Iterator[None]:
    try:
        yield
    except DispatcherError:
        raise
    except (DatabaseError, sqlite3.DatabaseError) as error:
        if isinstance(error, IntegrityError | ProgrammingError | sqlite3.IntegrityError | sqlite3.ProgrammingError):
            raise  # ours to mend, not the operator's
        cause = getattr(error, "orig", None) or error
        raise LedgerFailed(f"{path}: {cause}; nothing more is sent until the database can be written") from error


def _configure(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver's own BEGINs come too late; ours are below
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # NORMAL would survive a crash of the process but may lose an intent with the power: a reader mailed twice.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA cache_size=-4000")  # KB; each connection has its own, and rows are read in order
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _instance(engine: Engine, path: Path) -> str:
    """The database's name; a database that is new gets its tables first."""
    with engine.connect() as connection:
        if not inspect(connection).has_table(schema.fact.name):
            connection.rollback()
            with begin(connection, writes=True):
                _create(connection)
        facts: dict[str, str] = {row.name: row.value for row in connection.execute(select(schema.fact))}
        connection.rollback()
        if int(facts["schema"]) < migrations.VERSION:
            with begin(connection, writes=True):
                migrations.upgrade(connection)
    if int(facts["schema"]) > migrations.VERSION:
        raise LedgerFailed(f"{path}: written by a newer Dispatcher; update this one")
    return facts["instance"]


def _create(connection: Connection) -> None:
    schema.metadata.create_all(connection)
    if connection.scalar(select(schema.fact.c.value).limit(1)) is None:  # another process may have been faster
        facts = {"schema": str(migrations.VERSION), "instance": secrets.token_hex(16)}
        connection.execute(insert(schema.fact), [{"name": name, "value": value} for name, value in facts.items()])


def now() -> datetime:
    return datetime.now(UTC)
