"""What the benchmarks on PostgreSQL stand on: a server on a disk, a newsletter with many readers in it, its senders."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.million import Journal
from tests.benchmarks.send import make_keys, make_newsletter
from tests.servers.postgresql import PostgreSQL, own_postgresql

_DISK = Path("/var/tmp")  # noqa: S108  on a disk, other than /tmp on some machines
_SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB"}  # durable, as it is where nobody says otherwise
_LONGEST_SILENCE = 60.0  # seconds
_BETWEEN_LOOKS = 0.05  # seconds
_THEN = "2026-01-01T00:00:00.000000+00:00"
_READERS = f"""
    INSERT INTO subscriber (ref, email, address_key, domain, name, attributes, created_at)
    SELECT (random() * (2 ^ 32 - 1))::bigint, local || '@' || domain, local || '@' || domain, domain, 'Reader ' || n,
        CASE n % 2 WHEN 0 THEN '{{"plan": "pro"}}' ELSE '{{}}' END::jsonb, '{_THEN}'
    FROM (SELECT n, 'reader' || lpad(n::text, 7, '0') AS local, 'd' || n % 97 || '.example.net' AS domain
        FROM generate_series(1, %s - 1) AS n) AS people
"""  # noqa: S608  constants; reader 0 was imported
_MEMBERS = f"""
    INSERT INTO membership (list_id, subscriber_id, state, source, changed_at)
    SELECT list.id, subscriber.id, 'active', 'import', '{_THEN}' FROM subscriber, list WHERE subscriber.id > 1
"""  # noqa: S608  a constant


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A server, and in it a database with all readers of the newsletter in `folder`."""

    server: PostgreSQL
    folder: Path
    name: str  # of the database

    @property
    def url(self) -> str:
        return self.server.url(self.name)

    def environment(self, url: str, relay: str = "") -> dict[str, str]:
        told = {"DISPATCHER_DATABASE": url, "DISPATCHER_SECRET": "s" * 40}
        return {**os.environ, **told, **({"DISPATCHER_RELAY": relay} if relay else {})}

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        return self.server.execute(statement, database=self.name)

    @property
    def server_cpu(self) -> float:
        """Seconds that all its processes have used so far, those that have ended, too."""
        first = (self.server.folder / "data/postmaster.pid").read_text("ascii").split()[0]
        ticks = 0
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text("utf-8", "replace").rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if path.parent.name == first:
                ticks += sum(map(int, fields[11:15]))
            elif fields[1] == first:
                ticks += sum(map(int, fields[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    @property
    def log_position(self) -> int:
        """Octets that were ever written to the write-ahead log."""
        return int(self.execute("SELECT pg_current_wal_lsn() - '0/0'")[0][0])

    def octets(self, table: str) -> tuple[int, int]:
        """Of a table with its indexes, and of its indexes alone."""
        [(whole, indexes)] = self.execute(f"SELECT pg_total_relation_size('{table}'), pg_indexes_size('{table}')")
        return whole, indexes


@contextmanager
def prepared(readers: int, *, stories: int = 16, signs: bool = False, **settings: str) -> Iterator[Ground]:
    """A newsletter whose readers are imported, on a server of its own; `stories` say how long its messages are."""
    with (
        tempfile.TemporaryDirectory(dir=_DISK) as folder,
        own_postgresql(_DISK, **{**_SETTINGS, **settings}) as server,
        server.database() as url,
    ):
        ground = Ground(server=server, folder=Path(folder), name=url.rpartition("/")[2])
        make_newsletter(ground.folder, readers=1, stories=stories, environment=ground.environment(url))
        if signs:
            make_keys(ground.folder)
        ground.execute(_READERS.replace("%s", str(readers)).replace("%%", "%"))
        ground.execute(_MEMBERS)
        ground.execute("VACUUM (ANALYZE)")
        yield ground


def start(
    ground: Ground, way: str, *, url: str | None = None, relay: str = "", core: int | None = None
) -> subprocess.Popen[str]:
    """A process of `tests.benchmarks.sender`, kept to one core if it is named."""
    kept = [] if core is None else ["--core", str(core)]
    with (ground.folder / "complaints").open("a") as complaints:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.sender", way, str(ground.folder), *kept],
            env=ground.environment(url or ground.url, relay),
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            cwd=Path(__file__).parents[2],
        )


def told(process: subprocess.Popen[str], ground: Ground) -> Mapping[str, Any]:
    """What it took, once it has ended."""
    said, _ = process.communicate()
    if process.returncode:
        complaints = (ground.folder / "complaints").read_text("utf-8")
        raise SystemExit(f"a sender ended with {process.returncode}:\n{said}{complaints[-2000:]}")
    found: Mapping[str, Any] = json.loads(said.splitlines()[-1])
    return found


def wait_for(journal: Journal, messages: float, senders: Sequence[subprocess.Popen[str]], ground: Ground) -> float:
    """Until the sink has so many; the time then. Whoever sends nothing for long has failed."""
    so_far, since = journal.look(), time.monotonic()
    while journal.look() < messages:
        if journal.messages > so_far:
            so_far, since = journal.messages, time.monotonic()
        has_failed = any(each.poll() for each in senders) or time.monotonic() - since > _LONGEST_SILENCE
        if has_failed:
            for each in senders:
                each.kill()
            complaints = (ground.folder / "complaints").read_text("utf-8")
            raise SystemExit(f"{so_far:,} messages, and then nothing:\n{complaints[-2000:]}")
        time.sleep(_BETWEEN_LOOKS)
    return time.monotonic()
