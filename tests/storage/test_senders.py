"""Who sends is known to everybody, as long as he lives."""

import json
import os
import time
from pathlib import Path

import pytest

from dispatcher.errors import Unfinished
from dispatcher.storage.database import Database
from dispatcher.storage.file_lock import signs_of_life
from dispatcher.storage.lock import run_lock, senders


def test_who_holds_the_lock_is_known_and_who_asks_does_not_hold_it(database: Database) -> None:
    assert senders(database) == []
    with run_lock(database):
        assert [each.pid for each in senders(database)] == [os.getpid()]
        with pytest.raises(Unfinished, match=str(os.getpid())), run_lock(database):
            pass
        assert len(senders(database)) == 1
    assert senders(database) == []
    with run_lock(database):
        pass


def test_the_holder_gives_signs_of_life(in_sqlite: Database, tmp_path: Path) -> None:
    lock = tmp_path / "dispatcher.db.lock"
    with run_lock(in_sqlite), lock.open("r+") as file, signs_of_life(file.fileno(), between=0.005):
        os.utime(lock, (0, 0))
        until = time.monotonic() + 20
        while senders(in_sqlite)[0].seen_at.timestamp() < 1:
            assert time.monotonic() < until


def test_who_died_here_is_nobody_whoever_has_his_number_and_who_is_elsewhere_may_live(
    in_sqlite: Database, tmp_path: Path
) -> None:
    lock = tmp_path / "dispatcher.db.lock"
    here = {"pid": os.getpid(), "host": os.uname().nodename, "since": "2026-11-25T12:00:00+00:00"}
    lock.write_text(json.dumps(here))
    assert senders(in_sqlite) == []
    lock.write_text(json.dumps(here | {"host": "elsewhere"}))
    assert [each.host for each in senders(in_sqlite)] == ["elsewhere"]
    lock.write_text('{"pid": 1, ')  # it is being written
    assert senders(in_sqlite) == []
