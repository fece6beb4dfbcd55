"""A site to change, and one in which nothing may ever change."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.books import SQLITE
from tests.web.house import House, build


@pytest.fixture
def house_url() -> str:
    """Where the site's database is; modules that change much ask for both kinds."""
    return SQLITE


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
