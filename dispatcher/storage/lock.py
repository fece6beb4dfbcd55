"""Lets one run send at a time, on whatever machine it is."""

from collections.abc import Iterator
from contextlib import contextmanager

from dispatcher.storage.database import Database


@contextmanager
def run_lock(database: Database) -> Iterator[None]:
    """Holds the lock. Raises Unfinished at once, naming the holder, if another run has it."""
    with database.driver.run_lock(database.engine):
        yield
