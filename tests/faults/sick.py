"""What the machine may do to a send: its disk is full, its database is locked, its clock jumps."""

import contextlib
import random
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dispatcher.models import State
from tests.faults.room import Room, engine_alone, readers
from tests.servers.cell import absent
from tests.sink import Fault, Sink

_STEP = 96 * 1024  # octets by which one disk is larger than the other
_ROOMY = 256 * 2**20
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
_JUMPS = ("+0", "+3600", "-3600", "+0")  # seconds, the clock's distance from the true time


@dataclass(frozen=True, slots=True, kw_only=True)
class Illness:
    """What a fault of the machine has cost."""

    code: int  # of the run that met it
    taken: int  # messages before it was over
    doubts: int


def fill_disk(folder: Path, size: int, *, people: int = 600) -> Illness:
    """Sends on a disk that has `size` steps left, then again on one with room; what is left of the first is counted."""
    with Sink(folder / "sink", lax=True) as sink, _disk(folder / "disk") as (disk, resize):
        room = engine_alone(disk / "letter", sink, readers(people))
        room.log = folder / "said"
        resize(_used(disk) + size * _STEP)
        code = room.send()
        sink.wait_until_quiet()
        taken = len(sink.taken)
        assert code in {0, 74}, room.said
        assert code == 0 or "nobody is lost" in room.said or "nothing" in room.said, room.said
        resize(_ROOMY)
        room.audit()
        return _recovered(room, code, taken)


def lock_database(folder: Path, seconds: float, *, people: int = 600) -> Illness:
    """Another program keeps the ledger's database locked in mid-issue; a short lock is waited for."""
    with Sink(folder / "sink", lax=True, delay=0.003) as sink:
        room = engine_alone(folder / "letter", sink, readers(people))
        sender = room.start()
        sink.wait_for(lambda sink: len(sink.taken) > people // 4)
        with contextlib.closing(sqlite3.connect(folder / "letter/dispatcher.db", timeout=30)) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
            taken = len(sink.taken)
            other.rollback()
        code = sender.wait(120)
        assert code in {0, 74}, room.said
        return _recovered(room, code, taken)


def turn_clock(folder: Path, *, people: int = 600, seed: int = 0) -> Illness:
    """The machine's clock jumps an hour forth and back again and again, while readers are greylisted and deferred."""
    if not FAKETIME.exists():
        absent("faketime")
    odds = {Fault.GREYLIST: 0.1, Fault.GOODBYE: 0.02, Fault.DEFERRAL: 0.02}
    with Sink(folder / "sink", lax=True, delay=0.02, odds=odds, seed=seed) as sink:
        room = engine_alone(folder / "letter", sink, readers(people))
        clock = folder / "clock"
        clock.write_text("+0")
        room.env = {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        code, runs = 75, 0
        with _jumping(clock, seed):
            while code == 75 and runs < 10:
                code, runs = room.send(), runs + 1
        assert code == 0, room.said
        return _recovered(room, code, len(sink.taken))


def _recovered(room: Room, code: int, taken: int) -> Illness:
    """Sends the rest; then everybody has one copy, but for those who are listed as doubts."""
    last_code = room.send()
    in_doubt = room.in_state(State.IN_DOUBT)
    assert last_code == (76 if in_doubt else 0), room.said
    assert room.sink.copies.keys() | in_doubt == room.lines().keys()
    room.check()
    return Illness(code=code, taken=taken, doubts=len(in_doubt))


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[tuple[Path, "_Resize"]]:
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_ROOMY}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        absent("the right to mount a disk")
    try:
        yield folder, _Resize(folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@dataclass(frozen=True, slots=True)
class _Resize:
    disk: Path

    def __call__(self, octets: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={octets}", str(self.disk)], check=True, capture_output=True)


def _used(disk: Path) -> int:
    return sum(each.stat().st_blocks * 512 for each in disk.rglob("*") if each.is_file()) + 64 * 1024


@contextlib.contextmanager
def _jumping(clock: Path, seed: int) -> Iterator[None]:
    over = threading.Event()

    def jump() -> None:
        draw = random.Random(seed)  # noqa: S311
        while not over.wait(0.1 + draw.random() / 4):
            with tempfile.NamedTemporaryFile("w", dir=clock.parent, delete=False) as file:
                file.write(draw.choice(_JUMPS))
            Path(file.name).rename(clock)

    thread = threading.Thread(target=jump, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
