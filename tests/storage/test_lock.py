"""Who sends is known to everybody, as long as he lives."""

import json
import os
import time
from pathlib import Path

import pytest

from dispatcher.errors import Unfinished
from dispatcher.storage.lock import run_lock, senders


def test_who_holds_the_lock_is_known_and_who_asks_does_not_hold_it(tmp_path: Path) -> None:
    database = tmp_path / "dispatcher.db"
    assert senders(database) == []
    with run_lock(database):
        (sender,) = senders(database)
        assert sender.pid == os.getpid()
        with pytest.raises(Unfinished, match=str(os.getpid())), run_lock(database):
            pass
        assert senders(database)[0].pid == os.getpid()
    assert senders(database) == []
    with run_lock(database):
        pass


def test_the_holder_gives_signs_of_life(tmp_path: Path) -> None:
    database = tmp_path / "dispatcher.db"
    with run_lock(database, between_beats=0.005):
        os.utime(tmp_path / "dispatcher.db.lock", (0, 0))
        until = time.monotonic() + 20
        while senders(database)[0].seen_at.timestamp() < 1:
            assert time.monotonic() < until


def test_who_died_here_is_nobody_whoever_has_his_number_and_who_is_elsewhere_may_live(
    tmp_path: Path,
) -> None:
    database, lock = tmp_path / "dispatcher.db", tmp_path / "dispatcher.db.lock"
    here = {"pid": os.getpid(), "host": os.uname().nodename, "since": "2026-11-25T12:00:00+00:00"}
    lock.write_text(json.dumps(here))
    assert senders(database) == []
    lock.write_text(json.dumps(here | {"host": "elsewhere"}))
    assert [each.host for each in senders(database)] == ["elsewhere"]
    lock.write_text('{"pid": 1, ')  # it is being written
    assert senders(database) == []
