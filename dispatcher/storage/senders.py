"""Tells who is sending: whoever holds the run's lock says who he is, and gives signs of life."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dispatcher.storage.database import Database

_BETWEEN_BEATS = 2.0  # seconds
_LOCKS = Path("/proc/locks")  # 1: FLOCK  ADVISORY  WRITE 4711 fe:01:131090 0 EOF


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sends, and when he last gave a sign of life; not a promise that he still lives."""

    pid: int
    host: str
    since: datetime
    seen_at: datetime


def senders(database: Database) -> list[Sender]:
    """Who holds the lock, without asking for it: whoever wants to send meanwhile finds it free."""
    path = lock_path(database.path)
    try:
        file = path.stat()
        holder = json.loads(path.read_text("utf-8"))
        found = Sender(
            pid=int(holder["pid"]),
            host=str(holder["host"]),
            since=datetime.fromisoformat(holder["since"]),
            seen_at=datetime.fromtimestamp(file.st_mtime, UTC),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [found] if found.host != socket.gethostname() or _is_held(file.st_ino) else []


def lock_path(database: Path) -> Path:
    """The lock beside a database that is a file."""
    return database.with_name(database.name + ".lock")


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
