"""Who sends is known to everybody, as long as he lives."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.errors import Unfinished
from dispatcher.storage.database import Database
from dispatcher.storage.lock import run_lock
from dispatcher.storage.senders import senders, signs_of_life
from tests.storage.books import open_at


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_at(tmp_path)
    yield database
    database.close()


def test_who_holds_the_lock_is_known_and_who_asks_does_not_hold_it(database: Database) -> None:
    assert senders(database) == []
    with run_lock(database.path):
        assert [each.pid for each in senders(database)] == [os.getpid()]
        with pytest.raises(Unfinished, match=str(os.getpid())), run_lock(database.path):
            pass
        assert len(senders(database)) == 1
    assert senders(database) == []
    with run_lock(database.path):
        pass


def test_the_holder_gives_signs_of_life(database: Database, tmp_path: Path) -> None:
    lock = tmp_path / "dispatcher.db.lock"
    with run_lock(database.path), lock.open("r+") as file, signs_of_life(file.fileno(), between=0.005):
        os.utime(lock, (0, 0))
        until = time.monotonic() + 20
        while senders(database)[0].seen_at.timestamp() < 1:
            assert time.monotonic() < until


def test_who_died_here_is_nobody_whoever_has_his_number_and_who_is_elsewhere_may_live(
    database: Database, tmp_path: Path
) -> None:
    lock = tmp_path / "dispatcher.db.lock"
    here = {"pid": os.getpid(), "host": os.uname().nodename, "since": "2026-11-25T12:00:00+00:00"}
    lock.write_text(json.dumps(here))
    assert senders(database) == []
    lock.write_text(json.dumps(here | {"host": "elsewhere"}))
    assert [each.host for each in senders(database)] == ["elsewhere"]
    lock.write_text('{"pid": 1, ')  # it is being written
    assert senders(database) == []
