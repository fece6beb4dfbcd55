"""Opens the newsletter's database, makes its tables, and guards the rules that keep a ledger safe."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import Connection, Engine, RootTransaction, event, func, insert, inspect, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from dispatcher.errors import DispatcherError, LedgerFailed, SettingsWrong
from dispatcher.storage import migrations, schema, sqlite
from dispatcher.storage.driver import Driver

MOVED = "moved"  # the fact where to
_LIKE = "sqlite:///dispatcher.db, or postgresql://user@host/name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """An open database; `instance` is its random name, made once."""

    engine: Engine
    driver: Driver
    instance: str

    @property
    def place(self) -> str:
        """Names it in messages."""
        return self.driver.place(self.engine)

    @property
    def is_shared(self) -> bool:
        """Whether processes on several machines may send from it side by side."""
        return self.engine.dialect.name == "postgresql"

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one moment and changes nothing. Raises LedgerFailed."""
        with self.failures_named(), self.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is durable when the block ends, or did not happen. Raises LedgerFailed."""
        with self.transactions() as connection, begin(connection, writes=True):
            yield connection

    @contextmanager
    def writing_beside(self) -> Iterator[Connection]:
        """As `writing`, but where the database has room for several writers it waits for none of them.

        For single rows that are found by their keys. Raises LedgerFailed.
        """
        with self.transactions() as connection, begin(connection, writes=not self.is_shared):
            yield connection

    @contextmanager
    def transactions(self) -> Iterator[Connection]:
        """A connection without a transaction; `begin(connection)` and `begin(connection, writes=True)` give them."""
        with self.failures_named(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def failures_named(self) -> Iterator[None]:
        """Makes LedgerFailed of what an operator can mend."""
        with _failures_named(self.engine, self.driver):
            yield

    def close(self) -> None:
        self.engine.dispose()


def open_database(url: str, folder: Path) -> Database:
    """Opens the database that a URL names, and makes its tables; a relative SQLite path is relative to `folder`.

    Raises SettingsWrong for a URL that cannot be used, Unfinished if an earlier Dispatcher is sending from it,
    LedgerFailed otherwise.
    """
    engine, driver = _engine(_parsed(url), folder)
    try:
        with _failures_named(engine, driver):
            return Database(engine=engine, driver=driver, instance=_instance(engine, driver))
    except BaseException:
        engine.dispose()
        raise


def find_database(url: str, folder: Path) -> Database | None:
    """As `open_database`, but makes nothing: None where there is none yet."""
    parsed = _parsed(url)
    if is_file(url):
        return open_database(url, folder) if sqlite.path_of(parsed, folder).exists() else None
    engine, driver = _engine(parsed, folder)
    try:
        with _failures_named(engine, driver), engine.connect() as connection:
            has_tables = inspect(connection).has_table(schema.fact.name)
    finally:
        engine.dispose()
    return open_database(url, folder) if has_tables else None


def is_file(url: str) -> bool:
    """Whether the database is a file of this machine, and its secret may be one beside it. Raises SettingsWrong."""
    return _parsed(url).get_backend_name() == "sqlite"


def database_path(url: str, folder: Path) -> Path:
    """The file a SQLite URL names. Raises SettingsWrong."""
    return sqlite.path_of(_parsed(url), folder)


def require_durable(database: Database) -> None:
    """Raises SettingsWrong where the server may forget what it has promised to keep."""
    with database.reading() as connection:
        unsafe = database.driver.unsafe_settings(connection)
    if unsafe:
        why = "what is lost with the power is mailed twice"
        raise SettingsWrong("\n".join(f"{database.place}: {each}; {why}" for each in unsafe))


def require_known_tables(database: Database) -> None:
    """Raises LedgerFailed once a newer Dispatcher has changed them under this one, SettingsWrong once it moved."""
    with database.reading() as connection:
        facts: dict[str, str] = {row.name: row.value for row in connection.execute(select(schema.fact))}
    _refuse_moved(facts.get(MOVED), database.place)
    if int(facts["schema"]) > migrations.VERSION:
        raise LedgerFailed(f"{database.place}: written by a newer Dispatcher; update this one")


def require_unmoved(database: Database, connection: Connection) -> None:
    """Keeps the newsletter here until the caller's transaction ends. Raises SettingsWrong if it has moved."""
    connection.execute(select(schema.fact).where(schema.fact.c.name == "instance").with_for_update(read=True))
    # By a statement of its own, which sees what was done while the first one waited.
    moved = connection.scalar(select(schema.fact.c.value).where(schema.fact.c.name == MOVED))
    _refuse_moved(moved, database.place)


def hold_back_runs(connection: Connection) -> None:
    """Nobody begins a run until the caller's transaction ends: see `require_unmoved`."""
    connection.execute(select(schema.fact).where(schema.fact.c.name == "instance").with_for_update())


def begin(connection: Connection, *, writes: bool = False, makes_tables: bool = False) -> RootTransaction:
    """A transaction, which as a context manager commits or rolls back; what writes waits for other writers first."""
    connection.execution_options(writes=writes, makes_tables=makes_tables)
    return connection.begin()


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise SettingsWrong(f"database is not a URL; write it as {_LIKE}") from error
    if parsed.drivername not in {"sqlite", "postgresql", "postgresql+psycopg"}:
        raise SettingsWrong(f"database: {parsed.drivername} is not supported; use {_LIKE}")
    return parsed


def _engine(url: URL, folder: Path) -> tuple[Engine, Driver]:
    if url.get_backend_name() == "sqlite":
        driver: Driver = sqlite
        engine = sqlite.make_engine(sqlite.path_of(url, folder))
    else:
        if any(find_spec(library) is None for library in ("psycopg", "procrastinate")):
            raise SettingsWrong(
                "database: PostgreSQL needs further libraries; run: pip install 'newsletter-dispatcher[postgres]'"
            )
        from dispatcher.storage import postgres  # noqa: PLC0415  its library is an extra

        driver = postgres
        engine = postgres.make_engine(url)
    event.listen(engine, "begin", lambda connection: _begin(connection, driver))
    return engine, driver


def _begin(connection: Connection, driver: Driver) -> None:
    options = connection.get_execution_options()
    writes = options.get("writes", False)
    driver.begin(connection, writes=writes)
    if writes and not options.get("makes_tables", False):
        moved = connection.scalar(select(schema.fact.c.value).where(schema.fact.c.name == MOVED))
        _refuse_moved(moved, driver.place(connection.engine))


def _refuse_moved(moved: str | None, place: str) -> None:
    if moved is not None:
        raise SettingsWrong(f"{place}: the newsletter moved to {moved}; set database, or DISPATCHER_DATABASE, to that")


@contextmanager
def _failures_named(engine: Engine, driver: Driver) -> Iterator[None]:
    failures: tuple[type[Exception], ...] = (DBAPIError, *driver.ERRORS)
    try:
        yield
    except DispatcherError:
        raise
    except failures as error:
        cause = driver.spoken(getattr(error, "orig", None) or error)
        if cause is None:
            raise  # ours to mend, not the operator's
        place = driver.place(engine)
        raise LedgerFailed(f"{place}: {cause}; nothing more is sent until the database can be written") from error


def _instance(engine: Engine, driver: Driver) -> str:
    """The database's name; a database that is new gets its tables first."""
    with engine.connect() as connection:
        if not inspect(connection).has_table(schema.fact.name):
            connection.rollback()
            with begin(connection, writes=True, makes_tables=True):
                _create(connection)
        facts: dict[str, str] = {row.name: row.value for row in connection.execute(select(schema.fact))}
        connection.rollback()
        _refuse_moved(facts.get(MOVED), driver.place(engine))
        if int(facts["schema"]) < migrations.VERSION:
            _upgrade(engine, driver, connection)
    if int(facts["schema"]) > migrations.VERSION:
        raise LedgerFailed(f"{driver.place(engine)}: written by a newer Dispatcher; update this one")
    return facts["instance"]


def _upgrade(engine: Engine, driver: Driver, connection: Connection) -> None:
    """Not under a run that an earlier Dispatcher made: the rows it claims then would name no run."""
    with begin(connection, writes=True) as transaction:  # who comes second waits here, and finds nothing to do
        if migrations.is_needed(connection):
            with driver.run_lock(engine):
                migrations.upgrade(connection)
                transaction.commit()


def _create(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # where there are no tables yet, there is nothing else to lock
        connection.execute(select(func.pg_advisory_xact_lock(0)))
    schema.metadata.create_all(connection)
    if connection.scalar(select(schema.fact.c.value).limit(1)) is None:  # another process may have been faster
        facts = {"schema": str(migrations.VERSION), "instance": secrets.token_hex(16)}
        connection.execute(insert(schema.fact), [{"name": name, "value": value} for name, value in facts.items()])


def now() -> datetime:
    return datetime.now(UTC)
