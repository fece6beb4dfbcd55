"""One server for all processes of a test run: whoever comes first starts it, whoever leaves last stops it."""

import contextlib
import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def shared(place: Path, *, start: Callable[[], str], stop: Callable[[str], None]) -> Iterator[str]:
    """What `start` said of the server; `place` is a folder that all these processes know."""
    place.mkdir(parents=True, exist_ok=True)
    with (place / "gate").open("a") as gate, (place / "users").open("a") as users:
        told = place / "server"
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        if not told.exists():
            told.write_text(start())
        server = told.read_text()
        fcntl.flock(gate, fcntl.LOCK_UN)
        try:
            yield server
        finally:
            fcntl.flock(gate, fcntl.LOCK_EX)
            fcntl.flock(users, fcntl.LOCK_UN)
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                told.unlink()
                stop(server)
