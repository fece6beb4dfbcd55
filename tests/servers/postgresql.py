"""A PostgreSQL of our own in memory, shared by all test processes; each test has a database of its own in it."""

import contextlib
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from dispatcher.storage.database import open_database
from tests.meeting import shared
from tests.servers.cell import absent, free_ports

_PROGRAMS = Path("/usr/lib/postgresql/15/bin")
_USER = "dispatcher"
_ROOM = 1 << 30  # octets
_TEMPLATE = "tables_of_version_now"
_SETTINGS = {
    "listen_addresses": "127.0.0.1", "max_connections": "200", "shared_buffers": "64MB", "max_wal_size": "128MB",
    "jit": "off",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgreSQL:
    """Where it is, and what makes databases in it."""

    port: int
    prefix: str  # of this test process's databases
    folder: Path
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, name: str) -> str:
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{name}"

    def execute(self, statement: str, *, database: str = "postgres") -> list[tuple[object, ...]]:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @contextlib.contextmanager
    def database(self, template: str = _TEMPLATE) -> Iterator[str]:
        """The URL of a database with our tables, and nobody in it."""
        name = f"{self.prefix}_{next(self.numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def restart(self) -> None:
        """As a crash and the recovery from it; what was committed is there."""
        _run("pg_ctl", "-D", f"{self.folder}/data", "-w", "-s", "-m", "immediate", "restart")

    def end_sessions(self, url: str) -> None:
        """What a database's users see when the server is restarted."""
        name = url.rpartition("/")[2]
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")  # noqa: S608


@contextlib.contextmanager
def shared_postgresql(meeting_place: Path, process: str) -> Iterator[PostgreSQL]:
    """The server that all test processes share."""
    if not (_PROGRAMS / "initdb").exists():
        absent("postgresql-15")

    def stop(told: str) -> None:
        _stop(told.split(maxsplit=1)[0])

    with shared(meeting_place, start=lambda: " ".join(_start()), stop=stop) as told:
        folder, port = told.split()
        yield PostgreSQL(port=int(port), prefix=f"t_{process}_{os.getpid()}", folder=Path(folder))


@contextlib.contextmanager
def own_postgresql(parent: Path | None = None, **settings: str) -> Iterator[PostgreSQL]:
    """A server with settings of its own; `parent`: on that disk, and not in memory."""
    folder, port = _start(parent, **settings)
    try:
        yield PostgreSQL(port=int(port), prefix="own", folder=Path(folder))
    finally:
        _stop(folder)


def _start(parent: Path | None = None, **settings: str) -> tuple[str, str]:
    memory = Path("/dev/shm")  # noqa: S108  a commit costs nothing there; in some containers it is a thimble
    has_room = memory.is_dir() and shutil.disk_usage(memory).free > _ROOM
    folder = tempfile.mkdtemp(prefix="dispatcher-tests-", dir=parent or (memory if has_room else None))
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody", "nogroup")
    # A collation that puts a before B and skips signs: whatever relies on another must say so.
    locale = ("--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US")
    _run("initdb", "-D", f"{folder}/data", "-U", _USER, "--auth=trust", *locale, "--no-sync", "--no-instructions")
    (port,) = free_ports(1)
    told = " ".join(f"-c {name}={value}" for name, value in {**_SETTINGS, **settings}.items())
    _run("pg_ctl", "-D", f"{folder}/data", "-w", "-s", "-l", f"{folder}/log", "-o", f"-p {port} -k {folder} {told}",
         "start")  # fmt: skip
    server = PostgreSQL(port=port, prefix="template", folder=Path(folder))
    server.execute(f"CREATE DATABASE {_TEMPLATE}")
    open_database(server.url(_TEMPLATE), Path(folder)).close()
    return folder, str(port)


def _stop(folder: str) -> None:
    _run("pg_ctl", "-D", f"{folder}/data", "-w", "-s", "-m", "immediate", "stop")
    shutil.rmtree(folder)


def _run(program: str, *options: str) -> None:
    """PostgreSQL does not run as root."""
    nobody = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    subprocess.run(
        [_PROGRAMS / program, *options],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=120,
        user=nobody.pw_uid if nobody else None,
        group=nobody.pw_gid if nobody else None,
        extra_groups=[] if nobody else None,
    )
