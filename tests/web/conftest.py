"""A site to change, and one in which nothing may ever change."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.postgresql import PostgreSQL
from tests.storage.books import SQLITE
from tests.web.house import House, build


@pytest.fixture
def house_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the site's database is: in a file, or by the tests' switch in PostgreSQL; some modules ask for both."""
    if os.environ.get("DISPATCHER_TESTS_DATABASE") != "postgresql":
        yield SQLITE
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    with server.database() as url:
        yield url


@pytest.fixture
def house(tmp_path: Path, house_url: str) -> Iterator[House]:
    house = build(tmp_path, house_url)
    yield house
    house.database.close()


@pytest.fixture(scope="module")
def fortress(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """For those who only try: nothing in it ever changes."""
    house = build(tmp_path_factory.mktemp("fortress"))
    before = house.everyone()
    yield house
    assert house.everyone() == before
    house.database.close()
