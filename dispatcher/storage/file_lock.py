"""A lock beside a file: the kernel drops it when its holder dies, who says in it who he is and gives signs of life."""

import fcntl
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from dispatcher.errors import LedgerFailed
from dispatcher.storage.driver import Sender, another_run, this_run

_BETWEEN_BEATS = 2.0  # seconds
_LOCKS = Path("/proc/locks")  # 1: FLOCK  ADVISORY  WRITE 4711 fe:01:131090 0 EOF


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Holds the lock. Raises Unfinished at once, naming the holder, if another run has it."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise LedgerFailed(f"{path}: {error.strerror}; the folder must be writable") from error
    with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise another_run(file.read()) from None
        try:
            file.truncate(0)
            file.write(this_run())
            file.flush()
        except OSError as error:
            raise LedgerFailed(f"{path}: {error.strerror}; nothing is sent without its lock") from error
        try:
            with signs_of_life(descriptor):
                yield
        finally:
            file.seek(0)
            file.truncate()


def holder(path: Path) -> Sender | None:
    """Who holds the lock, without asking for it: whoever wants to send meanwhile finds it free."""
    try:
        file = path.stat()
        said = json.loads(path.read_text("utf-8"))
        found = Sender(
            pid=int(said["pid"]),
            host=str(said["host"]),
            since=datetime.fromisoformat(said["since"]),
            seen_at=datetime.fromtimestamp(file.st_mtime, UTC),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if found.host != socket.gethostname() or _is_held(file.st_ino) else None


@contextmanager
def signs_of_life(descriptor: int, *, between: float = _BETWEEN_BEATS) -> Iterator[None]:
    """Touches the lock every so many seconds."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(between):
            os.utime(descriptor)

    beating = threading.Thread(target=beat, name="heart", daemon=True)
    beating.start()
    try:
        yield
    finally:
        ended.set()
        beating.join()


def _is_held(inode: int) -> bool:
    """Whether somebody on this machine holds the lock; to try it would keep others from it for a moment."""
    try:
        held = _LOCKS.read_text("ascii").splitlines()
    except OSError:
        return True  # it cannot be told here
    return any(each.split()[1] == "FLOCK" and each.split(":")[-1].split()[0] == str(inode) for each in held)
