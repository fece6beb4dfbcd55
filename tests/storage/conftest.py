"""A database with four readers, and a ledger of issue 29 to them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.models import State
from dispatcher.storage.database import Database
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.mailings import Mailing
from tests.storage.books import ANN, CLEO, DAN, EVE, enlist, freeze_to, open_at


@pytest.fixture
def database(tmp_path: Path, database_url: str) -> Iterator[Database]:
    """On SQLite, and the test once more on PostgreSQL."""
    database = open_at(tmp_path, database_url)
    yield database
    database.close()


@pytest.fixture
def in_sqlite(tmp_path: Path) -> Iterator[Database]:
    """For what SQLite alone does."""
    database = open_at(tmp_path)
    yield database
    database.close()


@pytest.fixture
def mailing(database: Database) -> Mailing:
    enlist(database, ANN, CLEO, DAN, EVE)
    return freeze_to(database)


@pytest.fixture
def ledger(database: Database, mailing: Mailing) -> Iterator[Ledger]:
    ledger = Ledger(database, mailing)
    assert ledger.counts() == {State.QUEUED: 4}
    yield ledger
    ledger.close()
