"""Lets one run send at a time: a lock that the kernel drops when its holder dies."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from dispatcher.errors import LedgerFailed, Unfinished
from dispatcher.storage.senders import lock_path, signs_of_life


@contextmanager
def run_lock(database: Path) -> Iterator[None]:
    """Holds the lock beside the database. Raises Unfinished at once, naming the holder, if another run has it."""
    path = lock_path(database)
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
            with signs_of_life(descriptor):
                yield
        finally:
            file.seek(0)
            file.truncate()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _holder(text: str) -> str:
    try:
        holder = json.loads(text)
        return f"pid {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        return "it has just begun"
