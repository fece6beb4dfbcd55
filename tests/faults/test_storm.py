"""Short forms of `python -m tests.faults`: a storm, a full disk, a locked database, a clock that jumps."""

from pathlib import Path

import pytest

from dispatcher.models import State
from tests.faults.room import engine_alone, readers
from tests.faults.sick import fill_disk, lock_database, turn_clock
from tests.faults.storm import ODDS, ride_out
from tests.sink import Sink


def test_after_a_storm_every_row_is_right(tmp_path: Path) -> None:
    with Sink(tmp_path / "sink", odds=ODDS, seed=29) as sink:
        weather = ride_out(engine_alone(tmp_path / "letter", sink, readers(600)))
    assert {State.SENT, State.REFUSED, State.IN_DOUBT} >= weather.states.keys()
    assert weather.faults.keys() >= {"550", "451", "421", "keep", "reset", "body", "what"}


@pytest.mark.parametrize("size", [1, 4])
def test_on_a_full_disk_sending_stops_and_goes_on_later(tmp_path: Path, size: int) -> None:
    illness = fill_disk(tmp_path, size)
    assert illness.code == 74
    assert illness.taken < 600
    assert illness.doubts <= 8


def test_a_database_that_others_lock_for_a_while_is_waited_for(tmp_path: Path) -> None:
    illness = lock_database(tmp_path, seconds=1)
    assert (illness.code, illness.doubts) == (0, 0)


def test_a_clock_that_jumps_costs_nobody_a_message(tmp_path: Path) -> None:
    assert turn_clock(tmp_path, people=150).doubts == 0
