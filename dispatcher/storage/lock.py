"""Lets one run send at a time, on whatever machine it is, and tells which."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

from dispatcher.storage.database import Database
from dispatcher.storage.driver import Sender
from dispatcher.storage.runs import running

_SILENT = timedelta(minutes=1)  # who gave no sign of life for so long is not named


@contextmanager
def run_lock(database: Database) -> Iterator[None]:
    """Holds the lock. Raises Unfinished at once, naming the holder, if another run has it."""
    with ExitStack() as held:
        with database.failures_named():
            held.enter_context(database.driver.run_lock(database.engine))
        yield


def senders(database: Database) -> list[Sender]:
    """Who sends: the holder of the lock, and where several send side by side, each of them. Raises LedgerFailed."""
    found = {(each.host, each.pid): each for each in holders(database)}
    if database.is_shared:
        for each in running(database):
            if each.silence < _SILENT and each.mailing_id is not None:
                sender = Sender(pid=each.pid, host=each.host, since=each.began_at, seen_at=each.seen_at)
                found.setdefault((each.host, each.pid), sender)
    return list(found.values())


def holders(database: Database) -> list[Sender]:
    """Who holds the lock: nobody, or one. Raises LedgerFailed."""
    with database.failures_named():
        return database.driver.senders(database.engine)
