"""A very large list, from its freeze to its last reader: `python -m tests.benchmarks.million [READERS]`.

The readers are imported before. Measured are the time to the first message at the sink, a kill in the middle and the
time to the first message after it, the peak of memory of the whole process, the rate, and how SQLite looks up a claim
in a ledger of that size. A million readers take some ten minutes and 5 GB of disk.
"""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.send import make_newsletter
from tests.sink import Sink

_KILLED_AFTER = 0.05  # of all readers


@dataclass(slots=True)
class Journal:
    """What the sink has written, read without keeping it: the messages of a million readers are counted, not held."""

    path: Path
    messages: int = 0
    addressed: set[int] | None = None
    twice: int = 0
    _read: int = 0

    def look(self) -> int:
        with self.path.open("rb") as file:
            file.seek(self._read)
            while (line := file.readline()).endswith(b"\n"):
                self._read += len(line)
                if line.startswith(b'["take"'):
                    self._note(int(line.split(b'"reader', 1)[1].split(b"@", 1)[0]))
        return self.messages

    def _note(self, reader: int) -> None:
        self.addressed = set() if self.addressed is None else self.addressed
        self.messages += 1
        self.twice += reader in self.addressed
        self.addressed.add(reader)


def start(folder: Path, sink: Sink) -> subprocess.Popen[bytes]:
    program = "from dispatcher.cli.send_issue import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program, "-C", str(folder), "1", "--yes"],
        env={**os.environ, "DISPATCHER_RELAY": sink.url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def seconds_until(journal: Journal, messages: int) -> float:
    begun = time.monotonic()
    while journal.look() < messages:
        time.sleep(0.02)
    return time.monotonic() - begun


def plan_of_a_claim(folder: Path) -> list[str]:
    """How SQLite finds the row and the membership that a claim is about."""
    from dispatcher.storage.sqlite_pen import CLAIM  # noqa: PLC0415

    with sqlite3.connect(folder / "dispatcher.db") as connection:
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {CLAIM}", (None, "", 1))]


def main() -> None:
    readers = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as name, Sink(Path(name) / "sink", lax=True) as sink:
        folder = Path(name)
        make_newsletter(folder, readers=readers)
        journal = Journal(sink.journal)
        sending = start(folder, sink)
        print(f"{readers:,} readers: first message after {seconds_until(journal, 1):.1f} s", flush=True)
        seconds_until(journal, int(readers * _KILLED_AFTER))
        sending.send_signal(signal.SIGKILL)
        sending.wait()
        sink.wait_until_quiet()
        so_far = journal.look()
        sending, begun = start(folder, sink), time.monotonic()
        print(f"killed after {so_far:,}; first message {seconds_until(journal, so_far + 1):.1f} s after the restart")
        for step in "\n".join(plan_of_a_claim(folder)).splitlines():
            print(f"  a claim: {step}", flush=True)
        _, status, usage = os.wait4(sending.pid, 0)
        seconds = time.monotonic() - begun
        sent = journal.look() - so_far
        cpu = usage.ru_utime + usage.ru_stime
        print(f"exit code {os.waitstatus_to_exitcode(status)} (76: rows in doubt, of the kill)")
        print(f"{sent:,} messages in {seconds:.0f} s: {sent / seconds:,.0f}/s, {cpu / sent * 1000:.3f} CPU-s/1,000")
        print(f"peak of memory {usage.ru_maxrss / 1024:.0f} MB; database {_size(folder) / 1e6:,.0f} MB")
        print(f"{len(journal.addressed or ()):,} of {readers:,} readers have it; {journal.twice} twice")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("dispatcher.db*"))


if __name__ == "__main__":
    main()
