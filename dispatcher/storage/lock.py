"""Lets one run send at a time: a lock that the kernel drops when its holder dies."""

import fcntl
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dispatcher.errors import LedgerFailed, Unfinished

_BETWEEN_BEATS = 2.0  # seconds
_LOCKS = Path("/proc/locks")  # 1: FLOCK  ADVISORY  WRITE 4711 fe:01:131090 0 EOF


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sends, and when he last gave a sign of life; not a promise that he still lives."""

    pid: int
    host: str
    since: datetime
    seen_at: datetime


@contextmanager
def run_lock(database: Path, *, between_beats: float = _BETWEEN_BEATS) -> Iterator[None]:
    """Holds the lock beside the database, and gives signs of life meanwhile, seconds apart.

    Raises Unfinished at once, naming the holder, if another run has it.
    """
    path = _path(database)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise LedgerFailed(f"{path}: {error.strerror}; the folder must be writable") from error
    with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unfinished(f"another run is sending: {_holder(file.read())}; wait for it, or stop it") from None
        file.truncate(0)
        json.dump({"pid": os.getpid(), "host": socket.gethostname(), "since": _now()}, file)
        file.flush()
        try:
            with _heart(descriptor, between_beats):
                yield
        finally:
            file.seek(0)
            file.truncate()


def senders(database: Path) -> list[Sender]:
    """Who holds the lock, without asking for it: whoever wants to send meanwhile finds it free."""
    path = _path(database)
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


@contextmanager
def _heart(descriptor: int, between_beats: float) -> Iterator[None]:
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(between_beats):
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


def _path(database: Path) -> Path:
    return database.with_name(database.name + ".lock")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _holder(text: str) -> str:
    try:
        holder = json.loads(text)
        return f"pid {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        return "it has just begun"
