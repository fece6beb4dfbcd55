"""Records in shared memory how far each connection has come, so that a killed run leaves few doubts.

The pages of a memory-mapped file outlive the process, though not the machine: a recorder is believed only after a crash
on the same boot, and by the run whose rows it names. It is a hint; the ledger stays the truth. One slot a connection:

    phase  code  delivery  length  text
    B      H     Q         H       up to 240 bytes of the reply

A slot is written when its row's claim is durable, so that the outcome of the row before it is durable, too. The process
may be killed in the middle of any store but that of a single byte: struct clears what it is about to write, so from the
claim on, nothing writes over the phase and the delivery but the next phase.
"""

import contextlib
import fcntl
import mmap
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from dispatcher.errors import LedgerFailed, RelayUnusable, Unfinished
from dispatcher.models import Reply
from dispatcher.storage.database import Database

_MAGIC = b"DISPATCHER FLIGHT RECORDER 1\n"
_HEAD = struct.Struct("<29s36sqI")  # magic, boot, run, slots
_SLOT = struct.Struct("<BHQH240s")
_CODE, _TEXT = struct.Struct("<H"), struct.Struct("<H240s")  # of the reply, on both sides of the delivery
_CODE_AT, _TEXT_AT = 1, 11
_SLOT_BYTES = 256
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Progress(IntEnum):
    """How far a delivery has come; each stands until the next is written."""

    NONE = 0
    CLAIMED = 1  # the relay cannot have the message yet
    ENDING = 2  # the end of the content may be out
    ANSWERED = 3  # the reply stands in the slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """Where a delivery was when its run died."""

    progress: Progress
    reply: Reply | None


class Slot:
    """One connection's place in the recorder; plain stores into memory, no system calls."""

    def __init__(self, memory: mmap.mmap, offset: int) -> None:
        self._memory = memory
        self._offset = offset

    def settled(self) -> None:
        """To be called once the outcome is durable: whoever tries the delivery next, it is his slot that counts."""
        self._memory[self._offset] = Progress.NONE

    def claimed(self, delivery_id: int) -> None:
        """To be called once the claim is durable."""
        self.settled()  # a kill between two stores must not mix two deliveries
        _SLOT.pack_into(self._memory, self._offset, Progress.NONE, 0, delivery_id, 0, b"")
        self._memory[self._offset] = Progress.CLAIMED

    def ending(self) -> None:
        """To be called immediately before the relay may have the message."""
        self._memory[self._offset] = Progress.ENDING

    def answered(self, reply: Reply) -> None:
        text = reply.text.encode()[:240]
        _CODE.pack_into(self._memory, self._offset + _CODE_AT, reply.code)
        _TEXT.pack_into(self._memory, self._offset + _TEXT_AT, len(text), text)
        self._memory[self._offset] = Progress.ANSWERED


def recorder_of(folder: Path, database: Database, run: int) -> Path:
    """Each run has a file of its own: several may write in one folder, and one number is another run's elsewhere."""
    return folder / f"{_name(database)}{run}"


def recorders_in(folder: Path, database: Database) -> Iterator[tuple[int, Path]]:
    """Those of a database's runs, with the numbers of these."""
    for path in folder.glob(f"{_name(database)}*"):
        number = path.name.rpartition("-")[2]
        if number.isdecimal():
            yield int(number), path


@contextmanager
def record(path: Path, *, run: int, slots: int) -> Iterator[list[Slot]]:
    """Makes the recorder of a run; it stays where a run could not record what it knew. Raises LedgerFailed."""
    size = _SLOT_BYTES * (slots + 1)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the mapping keeps it: see is_being_written
            os.ftruncate(descriptor, 0)
            os.posix_fallocate(descriptor, 0, size)  # or a full disk would kill us at the first store
            memory = mmap.mmap(descriptor, size)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise LedgerFailed(f"{path}: {error.strerror}; nothing is sent without a flight recorder") from error
    with memory:
        _HEAD.pack_into(memory, 0, _MAGIC, _boot_id(), run, slots)
        try:
            yield [Slot(memory, _SLOT_BYTES * (number + 1)) for number in range(slots)]
        except (RelayUnusable, Unfinished):
            path.unlink(missing_ok=True)
            raise
    path.unlink(missing_ok=True)


def is_being_written(path: Path) -> bool:
    """Whether its run lives: a lock at a server may be lost by a run that goes on."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def read_record(path: Path, *, run: int) -> Mapping[int, Flight] | None:
    """How far each delivery of a dead run had come, by its id; None if the recorder is not to be believed."""
    try:
        content = path.read_bytes()
        magic, boot, recorded_run, slots = _HEAD.unpack_from(content)
    except (OSError, struct.error):
        return None
    if magic != _MAGIC or boot != _boot_id() or recorded_run != run or len(content) != _SLOT_BYTES * (slots + 1):
        return None
    flights: dict[int, Flight] = {}
    for number in range(1, slots + 1):
        progress, code, delivery_id, length, text = _SLOT.unpack_from(content, _SLOT_BYTES * number)
        if progress in set(Progress) - {Progress.NONE}:
            reply = Reply(code=code, text=text[:length].decode("utf-8", "replace"))
            is_answered = progress == Progress.ANSWERED
            flights[delivery_id] = Flight(progress=Progress(progress), reply=reply if is_answered else None)
    return flights


def _name(database: Database) -> str:
    return f"dispatcher.db-flight-{database.instance[:12]}-"


def _boot_id() -> bytes:
    """Names this start of this machine; where it cannot be told, no two are the same."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip().encode()
    except OSError:
        return os.urandom(18).hex().encode()
