"""Lets one run send at a time, on whatever machine it is, and tells which."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from dispatcher.storage.database import Database
from dispatcher.storage.driver import Sender


@contextmanager
def run_lock(database: Database) -> Iterator[None]:
    """Holds the lock. Raises Unfinished at once, naming the holder, if another run has it."""
    with ExitStack() as held:
        with database.failures_named():
            held.enter_context(database.driver.run_lock(database.engine))
        yield


def senders(database: Database) -> list[Sender]:
    """Who sends. Raises LedgerFailed."""
    with database.failures_named():
        return database.driver.senders(database.engine)
