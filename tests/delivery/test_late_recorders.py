"""A run that another machine settled left its recorder on this one: it ends the doubts it knows of, and no others."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from dispatcher.delivery.recorder import Slot, record, recorder_of
from dispatcher.delivery.recovery import read_late_recorders
from dispatcher.models import Outcome, State
from dispatcher.storage.database import Database
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.mailings import Mailing
from dispatcher.storage.runs import UNRECORDED, end_run
from tests.storage.books import ANN, CLEO, DAN, EVE, OK, change, claim, enlist, freeze_to, open_at, rows

DOUBT = State.IN_DOUBT


class _Crash(Exception):
    pass


@pytest.fixture
def issue(tmp_path: Path, database_url: str) -> Iterator[tuple[Database, Mailing]]:
    with closing(open_at(tmp_path, database_url)) as database:
        enlist(database, ANN, CLEO, DAN, EVE)
        yield database, freeze_to(database)


@contextmanager
def crash(folder: Path, database: Database, number: int) -> Iterator[list[Slot]]:
    with suppress(_Crash), record(recorder_of(folder, database, number), run=number, slots=3) as slots:
        yield slots
        raise _Crash


def settled_elsewhere(database: Database, mailing: Mailing, folder: Path) -> int:
    """A run that had the answer to Ann's, was in the middle of Cleo's, and had ended Dan's; Eve's it had not begun."""
    with closing(Ledger(database, mailing)) as ledger:
        number = ledger.begin_run()
        assert all(ledger.commit([], [claim(row) for row in (1, 2, 3, 4)]))
        with crash(folder, database, number) as (ann, cleo, dan):
            ann.claimed(1)
            ann.ending()
            ann.answered(OK)
            cleo.claimed(2)
            dan.claimed(3)
            dan.ending()
        end_run(database, number)
        ledger.settle(number, [Outcome(delivery_id=row, state=DOUBT, reason=UNRECORDED) for row in (1, 2, 3, 4)])
    return number


def test_it_ends_the_doubts_it_knows_of(issue: tuple[Database, Mailing], tmp_path: Path) -> None:
    database, mailing = issue
    number = settled_elsewhere(database, mailing, tmp_path)
    read_late_recorders(database, tmp_path)
    assert rows(database) == {1: State.SENT, 2: State.QUEUED, 3: DOUBT, 4: DOUBT}
    assert not recorder_of(tmp_path, database, number).exists()


def test_what_the_run_itself_was_in_doubt_of_or_an_operator_settled_stays(
    issue: tuple[Database, Mailing], tmp_path: Path
) -> None:
    database, mailing = issue
    settled_elsewhere(database, mailing, tmp_path)
    change(database, "UPDATE delivery SET reason = 'the connection was lost' WHERE id = 2")
    change(database, "UPDATE delivery SET state = 'queued', reason = NULL WHERE id = 1")
    read_late_recorders(database, tmp_path)
    assert rows(database) == {1: State.QUEUED, 2: DOUBT, 3: DOUBT, 4: DOUBT}


@pytest.mark.parametrize("whose", ["elsewhere", "that lives", "unknown"])
def test_that_of_another_run_is_left_alone(issue: tuple[Database, Mailing], tmp_path: Path, whose: str) -> None:
    database, mailing = issue
    number = settled_elsewhere(database, mailing, tmp_path)
    statement = {
        "elsewhere": "UPDATE run SET host = 'elsewhere.example.org'",
        "that lives": "UPDATE run SET ended_at = NULL",
        "unknown": "DELETE FROM run",
    }
    change(database, statement[whose])
    read_late_recorders(database, tmp_path)
    assert set(rows(database).values()) == {DOUBT}
    assert recorder_of(tmp_path, database, number).exists()
