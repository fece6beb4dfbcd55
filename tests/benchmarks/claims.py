"""What claims and outcomes cost a database, in groups as sixteen connections make them; see tests.benchmarks.plan."""

import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dispatcher.models import Outcome, Reply, State
from dispatcher.storage.database import now
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.pen import Claim
from tests.benchmarks.ground import prepared
from tests.storage.books import enlist, freeze_to, open_at, person

GROUP = 16  # connections whose outcomes and claims go into one commit
_WRITERS = 2  # of PostgreSQL: one waits for the disk while the other's statements are carried out
_REPLY = Reply(code=250, text="2.0.0 Ok: queued as 4bXyZ0123456789AbC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """What one message costs the database; the last two are not measured here, but where messages are sent."""

    per_second: float  # messages that are claimed and recorded, over 16 connections of each writer
    row_octets: float  # of a delivery, with its indexes and its reader's reply
    written_octets: float  # to the disk, log and tables
    senders: int | None = None  # processes that can send at once, each on one core; None: as many as there are cores
    worker_cpu: float = 0.0  # seconds of a core that a message costs a worker beyond what it does with SQLite
    server_cpu: float = 0.0  # seconds of the server's cores


def claim_and_record(ledger: Ledger, rows: Sequence[int]) -> list[float]:
    """Returns the seconds of each commit."""
    took, last = list[float](), list[Outcome]()
    for start in range(0, len(rows), GROUP):
        claims = [Claim(delivery_id=row, at=now()) for row in rows[start : start + GROUP]]
        begun = time.perf_counter()
        ledger.commit(last, claims)
        took.append(time.perf_counter() - begun)
        last = [
            Outcome(delivery_id=each.delivery_id, state=State.SENT, reply=_REPLY, relay="smtp.example.org:587")
            for each in claims
        ]
    ledger.commit(last, [])
    return took


def measure_sqlite(readers: int) -> Book:
    """With one writer, in a database on this machine's disk."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name, closing(open_at(Path(name))) as database:
        enlist(
            database, *(person(f"reader{number:07}@d{number % 97}.example.net", number) for number in range(readers))
        )
        before = _octets(Path(name))
        with closing(Ledger(database, freeze_to(database))) as ledger:
            rows = [each.id for each in ledger.queued(after=0, limit=readers)]
            written, begun = _written(), time.perf_counter()
            claim_and_record(ledger, rows)
            took, written = time.perf_counter() - begun, _written() - written
        return Book(
            per_second=round(readers / took),
            row_octets=round((_octets(Path(name)) - before) / readers),
            written_octets=round(written / readers),
            senders=1,
        )


def measure_postgresql(readers: int) -> Book:
    """With two writers beside each other, on a server on this machine's disk; what else it tells goes to stderr."""
    with (
        prepared(readers, autovacuum="off") as ground,
        closing(open_at(ground.folder, ground.url)) as database,
        closing(Ledger(database, freeze_to(database))) as ledger,
        closing(Ledger(database, ledger.mailing)) as other,
        ThreadPoolExecutor(_WRITERS) as threads,
    ):
        ground.execute("VACUUM (ANALYZE) delivery")
        ground.execute("CHECKPOINT")
        rows = [each.id for each in ledger.queued(after=0, limit=readers)]
        log, server, cpu, begun = ground.log_position, ground.server_cpu, time.process_time(), time.perf_counter()
        halves = rows[: readers // 2], rows[readers // 2 :]
        took = [each for part in threads.map(claim_and_record, (ledger, other), halves) for each in part]
        seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
        server, log = ground.server_cpu - server, ground.log_position - log
        whole, indexes = ground.octets("delivery")
    took.sort()
    print(
        f"# client {cpu / readers * 1e6:.0f} µs, server {server / readers * 1e6:.0f} µs of a processor a message; log "
        f"{log / readers:.0f} octets; {indexes / readers:.0f} octets of a row are in indexes; a commit p50 "
        f"{took[len(took) // 2] * 1000:.1f} ms, p99 {took[len(took) * 99 // 100] * 1000:.1f} ms",
        file=sys.stderr,
    )
    row = whole / readers
    return Book(per_second=round(readers / seconds), row_octets=round(row), written_octets=round(log / readers + row))


def _octets(folder: Path) -> int:
    """Of the database, once its log is in it."""
    with closing(open_at(folder)) as database, database.writing() as connection:
        connection.exec_driver_sql("UPDATE fact SET value = value")
    return sum(path.stat().st_size for path in folder.glob("dispatcher.db"))


def _written() -> int:
    """Octets that this process had written to disks."""
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text("ascii").splitlines())
    return int(fields["write_bytes"])
