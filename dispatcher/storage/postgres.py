"""Opens a PostgreSQL database as a ledger needs it: durable, one general writer and one sending run at a time."""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import errors
from psycopg.types.string import StrDumper
from sqlalchemy import Connection, Engine, create_engine, event, func, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from dispatcher.errors import SettingsWrong
from dispatcher.storage.columns import as_json
from dispatcher.storage.driver import Sender, another_run, this_run
from dispatcher.storage.postgres_pen import PostgresPen

ERRORS: tuple[type[Exception], ...] = (psycopg.Error,)

# What a URL does not say otherwise. A server that is gone is noticed within half a minute, not after hours.
_DEFAULTS = {
    "application_name": "dispatcher", "connect_timeout": "10", "tcp_user_timeout": "30000", "keepalives_idle": "10",
    "keepalives_interval": "5", "keepalives_count": "3",
}  # fmt: skip
# What the server is told: to wait for a lock as long as SQLite does, and to let go of the dead as soon as we do.
_TOLD = {
    "lock_timeout": "30s", "tcp_user_timeout": "30000", "tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}  # fmt: skip
SESSION = "; ".join(f"SET {name} = '{value}'" for name, value in _TOLD.items()).encode()
_OLDEST = 13
_WRITES, _RUN = 0x4449_5357, 0x4449_5352  # our advisory locks; of several newsletters in a database, each has its own
_DURABLE = ("synchronous_commit", "fsync", "full_page_writes")


def make_engine(url: URL) -> Engine:
    """Connects to nothing yet. The password may come from the environment: PGPASSWORD, or ~/.pgpass."""
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)  # what it warns of is raised, too
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args=_defaults(url),
        hide_parameters=True,
        pool_pre_ping=True,  # of `serve`, which outlives restarts of the server
        json_serializer=as_json,
    )
    event.listen(engine, "connect", _configure)
    return engine


def connection_options(engine: Engine) -> dict[str, Any]:
    """As its connections have them, for who makes some of his own: a URL of libpq's is spelled otherwise."""
    _, options = engine.dialect.create_connect_args(engine.url)
    return {**_defaults(engine.url), **options}


def _defaults(url: URL) -> dict[str, str]:
    """Options of every connection, but for those that a URL names itself."""
    return {name: value for name, value in _DEFAULTS.items() if name not in url.query}


def place(engine: Engine) -> str:
    """Without user, password and options."""
    url = engine.url
    return URL.create("postgresql", host=url.host, port=url.port, database=url.database).render_as_string()


def spoken(error: BaseException) -> str | None:
    if not isinstance(error, psycopg.Error):
        return str(error).partition("\n")[0]
    if isinstance(error, errors.IntegrityError | errors.ProgrammingError | errors.DataError):
        return "this user may not use the tables" if isinstance(error, errors.InsufficientPrivilege) else None
    words = error.diag.message_primary or str(error).partition("\n")[0]
    words = re.sub(r"^.* failed: (?=\S)|FATAL: +", "", words)
    words = re.sub(r'(user|role) "[^"]*"', "this user", words)
    return words.strip().rstrip(".") or type(error).__name__


def begin(connection: Connection, *, writes: bool) -> None:
    """Psycopg begins by itself; where there are no tables yet, there is nothing to lock.

    Senders do not take this lock: the pen's statements stand beside other writers.
    """
    if writes:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITES}, to_regclass('fact')::oid::int)")


@contextmanager
def run_lock(engine: Engine) -> Iterator[None]:
    """A lock of a session, which the server drops when its holder dies."""
    session = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        if not session.scalar(text(f"SELECT pg_try_advisory_lock({_RUN}, to_regclass('fact')::oid::int)")):
            raise another_run(session.scalar(text("SELECT value FROM fact WHERE name = 'run'")) or "")
        session.execute(
            text(
                "INSERT INTO fact (name, value) VALUES ('run', :holder)"
                " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
            ),
            {"holder": this_run()},
        )
        yield
    finally:
        with suppress(DBAPIError):  # it may have broken
            session.invalidate()  # not only given back: the lock is the session's
            session.close()


def senders(engine: Engine) -> list[Sender]:
    """The server drops the lock when it misses its holder, within half a minute."""
    query = text(
        "SELECT value FROM fact WHERE name = 'run' AND EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory'"
        " AND classid = :ours AND objid = to_regclass('fact')::oid AND granted AND database = (SELECT oid FROM"
        " pg_database WHERE datname = current_database()))"
    )
    with engine.connect() as connection:
        said = connection.scalar(query, {"ours": _RUN})
    if said is None:
        return []
    holder = json.loads(said)
    since = datetime.fromisoformat(holder["since"])
    return [Sender(pid=holder["pid"], host=holder["host"], since=since, seen_at=datetime.now(UTC))]


def open_pen(engine: Engine) -> PostgresPen:
    return PostgresPen(engine)


def unsafe_settings(connection: Connection) -> list[str]:
    """Settings of the server or this user with which a commit may be lost after it was promised."""
    return [
        f"{name} is off; set {name} = on in the server's configuration"
        for name in _DURABLE
        if connection.scalar(select(func.current_setting(name))) == "off"
    ]


def last_number(connection: Connection, table: str) -> int:
    sequence = select(func.pg_get_serial_sequence(table, "id"))
    return connection.scalar(select(func.coalesce(func.pg_sequence_last_value(sequence.scalar_subquery()), 0))) or 0


def set_last_number(connection: Connection, table: str, number: int) -> None:
    if number:
        connection.execute(select(func.setval(func.pg_get_serial_sequence(table, "id"), number)))


def _configure(connection: psycopg.Connection[Any], _entry: ConnectionPoolEntry) -> None:
    if connection.info.server_version < _OLDEST * 10_000:
        raise SettingsWrong(f"database: PostgreSQL {_OLDEST} or newer is needed")
    if connection.info.parameter_status("server_encoding") != "UTF8":
        raise SettingsWrong("database: names do not fit into its encoding; make it with: createdb --encoding=UTF8")
    connection.adapters.register_dumper(str, _WithoutNul)
    connection.autocommit = True
    connection.execute(SESSION)
    connection.autocommit = False


class _WithoutNul(StrDumper):
    """PostgreSQL keeps no U+0000; SQLite does, and nobody misses it."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\0", "\ufffd"))
