"""A site to change, and one in which nothing may ever change."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.house import House, build


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = build(tmp_path)
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
