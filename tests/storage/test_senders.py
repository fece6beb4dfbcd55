"""Who sends is known to everybody, as long as he lives."""

import json
import os
import time
from contextlib import closing
from pathlib import Path

import pytest

from dispatcher.errors import Unfinished
from dispatcher.models import Outcome, State
from dispatcher.storage.database import Database
from dispatcher.storage.file_lock import signs_of_life
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.lock import run_lock, senders
from dispatcher.storage.runs import UNRECORDED, end_run, perhaps_still_sending
from tests.storage.books import ANN, CLEO, change, claim, enlist, freeze_to


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


def test_a_run_that_was_ended_for_its_silence_may_still_send_for_ten_minutes(database: Database) -> None:
    """Not one whose recorder told what it had done, nor one on the machine of a file."""
    enlist(database, ANN, CLEO)
    mailing = freeze_to(database)
    with closing(Ledger(database, mailing)) as ledger:
        number = ledger.begin_run()
        assert ledger.commit([], [claim(1), claim(2)]) == [True, True]
        end_run(database, number)
        reasons = {1: UNRECORDED, 2: "the run ended between the message and the relay's answer"}
        ledger.settle(
            number, [Outcome(delivery_id=row, state=State.IN_DOUBT, reason=why) for row, why in reasons.items()]
        )
    assert perhaps_still_sending(database, mailing.id) == ({1} if database.is_shared else set())
    change(database, "UPDATE run SET ended_at = '2026-11-25T12:00:00+00:00'")
    assert perhaps_still_sending(database, mailing.id) == set()
