"""What all runs together may have, on a real PostgreSQL: never more than there is, and nobody without for ever."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from dispatcher.models import Outcome, State
from dispatcher.storage.allowances import (
    HORIZON,
    Allowances,
    MessageWish,
    PlaceWish,
    forget_old_limits,
    keep_used,
    reserve,
)
from dispatcher.storage.database import Database, now
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.mailings import Mailing
from dispatcher.storage.runs import begin_run, end_run, forget_old_runs, has_ended
from tests.servers.postgresql import PostgreSQL
from tests.storage.books import ANN, CLEO, DAN, EVE, OK, change, claim, enlist, freeze_to, open_at

RELAY, DAY = "relay relay.example.org:25", "day of relay.example.org:25"


class House:
    """Runs, each with a connection of its own."""

    def __init__(self, database: Database, mailing: Mailing) -> None:
        self.database = database
        self.mailing = mailing
        self._allowances: dict[int, Allowances] = {}

    def begin(self, *, turn: float = 10.0) -> int:
        number = begin_run(self.database, self.mailing.id)
        self._allowances[number] = Allowances(self.database, turn=turn)
        return number

    def close(self) -> None:
        for each in self._allowances.values():
            each.close()

    def places(self, run: int, *, uses: int, wants: int, most: int = 4) -> int:
        dealt = self._allowances[run].deal(run, [], [PlaceWish(key=RELAY, most=most, uses=uses, wants=wants)])
        return dealt.places.get(RELAY, 0)

    def messages(
        self, run: int, messages: int, *, per_second: float, key: str = RELAY, unused: int = 0
    ) -> tuple[float, int]:
        wish = MessageWish(key=key, per_second=per_second, messages=messages, unused=unused)
        grant = self._allowances[run].deal(run, [wish], []).messages[key]
        return grant.begins_in, grant.messages

    def reserve(self, run: int, *, most: int, used: int = 0) -> tuple[int, bool]:
        since = now() - timedelta(days=1)
        got = reserve(self.database, run, DAY, relay="relay.example.org:25", since=since, most=most, used=used)
        return got.messages, got.is_over


@pytest.fixture
def house(tmp_path: Path, postgresql: PostgreSQL) -> Iterator[House]:
    with ExitStack() as stack:
        database = open_at(tmp_path, stack.enter_context(postgresql.database()))
        stack.callback(database.close)
        enlist(database, ANN, CLEO, DAN, EVE)
        house = House(database, freeze_to(database))
        stack.callback(house.close)
        yield house


# --- messages by a rate ----------------------------------------------------------------------------------


def test_a_rate_grants_what_goes_within_the_horizon_and_goes_on_where_it_ended(house: House) -> None:
    run, other = house.begin(), house.begin()
    begins_in, count = house.messages(run, 1_000, per_second=100)
    assert (begins_in, count) == (0, 30)
    begins_in, count = house.messages(other, 1_000, per_second=100)
    assert count < 20  # what passed since, or one
    assert begins_in + count / 100 <= HORIZON + 0.01
    assert house.messages(other, 1_000, per_second=100, key="all") == (0, 30)  # another limit


def test_a_rate_below_one_message_in_the_horizon_grants_one_and_then_none_until_it_is_time(house: House) -> None:
    run = house.begin()
    assert house.messages(run, 5, per_second=0.1) == (0, 1)
    begins_in, count = house.messages(run, 5, per_second=0.1)
    assert (round(begins_in), count) == (10, 0)


def test_what_was_granted_and_did_not_go_another_may_have_but_nothing_of_what_is_past(house: House) -> None:
    run, other = house.begin(), house.begin()
    assert house.messages(run, 1, per_second=0.1) == (0, 1)
    assert house.messages(run, 0, per_second=0.1, unused=1)[1] == 0
    assert house.messages(other, 1, per_second=0.1) == (0, 1)
    assert house.messages(run, 0, per_second=0.1, unused=1_000)[1] == 0
    assert house.messages(other, 100, per_second=0.1) == (0, 1)
    assert house.messages(other, 100, per_second=0.1)[1] == 0


def test_many_who_ask_at_once_get_no_more_than_the_rate(house: House) -> None:
    runs = [house.begin() for _ in range(4)]
    until = time.monotonic() + 1.0
    begun = time.monotonic()

    def ask(run: int) -> int:
        granted = 0
        while time.monotonic() < until:
            granted += house.messages(run, 7, per_second=200)[1]
        return granted

    with ThreadPoolExecutor(len(runs)) as pool:
        granted = sum(pool.map(ask, runs))
    lasted = time.monotonic() - begun
    assert granted <= (lasted + HORIZON) * 200 + 1
    assert granted >= 190


# --- places ----------------------------------------------------------------------------------------------


def test_a_run_alone_has_all_and_comes_down_to_its_part_when_another_wants_some(house: House) -> None:
    run, other = house.begin(), house.begin()
    assert house.places(run, uses=0, wants=4) == 4
    assert house.places(other, uses=0, wants=4) == 0
    assert house.places(run, uses=4, wants=4) == 2
    assert house.places(other, uses=0, wants=4) == 0  # they are still used
    assert house.places(run, uses=2, wants=4) == 2
    assert house.places(other, uses=0, wants=4) == 2


def test_what_one_run_does_not_want_another_has(house: House) -> None:
    run, other = house.begin(), house.begin()
    assert house.places(run, uses=0, wants=1, most=16) == 1
    assert house.places(other, uses=0, wants=16, most=16) == 15


def test_what_an_ended_run_held_is_free_and_so_is_what_is_given_back(house: House) -> None:
    run, other, third = house.begin(), house.begin(), house.begin()
    assert house.places(run, uses=0, wants=4) == 4
    end_run(house.database, run)
    assert house.places(other, uses=0, wants=4) == 4
    house.places(other, uses=0, wants=0)
    assert house.places(third, uses=0, wants=4) == 4


def test_of_what_machines_were_told_the_lowest_holds(house: House) -> None:
    run, other = house.begin(), house.begin()
    assert house.places(run, uses=0, wants=2, most=2) == 2
    assert house.places(other, uses=0, wants=16, most=16) == 0
    assert house.places(run, uses=2, wants=2, most=2) == 1
    assert house.places(run, uses=1, wants=2, most=2) == 1
    assert house.places(other, uses=0, wants=16, most=16) == 1


def test_with_more_runs_than_places_they_take_turns(house: House) -> None:
    runs = [house.begin(turn=0.02) for _ in range(3)]
    held, had, lacked = dict.fromkeys(runs, 0), set[int](), set[int]()
    until = time.monotonic() + 20
    while had != set(runs) or lacked != set(runs):
        assert time.monotonic() < until
        for run in runs:
            part = house.places(run, uses=held[run], wants=1, most=2)
            held[run] = part  # who is to make room does, and tells so next time
            assert sum(held.values()) <= 2
            (had if part else lacked).add(run)


def test_many_who_ask_at_once_hold_no_more_than_there_is(house: House) -> None:
    runs, most = [house.begin() for _ in range(5)], 7
    held, worst, lock = dict.fromkeys(runs, 0), [0], threading.Lock()
    until = time.monotonic() + 1.0

    def work(run: int) -> int:
        best, wants = 0, Random(run)  # noqa: S311  the same each time
        while time.monotonic() < until:
            got = house.places(run, uses=held[run], wants=wants.randint(1, most), most=most)
            with lock:
                held[run] = max(held[run], got)
                worst[0] = max(worst[0], sum(held.values()))
            best = max(best, got)
            house.places(run, uses=held[run], wants=0, most=most)
            with lock:
                held[run] = 0  # told only afterwards
            house.places(run, uses=0, wants=0, most=most)
        return best

    with ThreadPoolExecutor(len(runs)) as pool:
        best = list(pool.map(work, runs))
    assert worst[0] <= most
    assert min(best) >= 1


# --- messages of a day -----------------------------------------------------------------------------------


def test_a_day_is_parted_and_what_was_sent_before_counts(house: House) -> None:
    earlier = Ledger(house.database, house.mailing)
    earlier.begin_run()
    assert earlier.commit([], [claim(1)]) == [True]
    earlier.commit([Outcome(delivery_id=1, state=State.SENT, reply=OK, relay="relay.example.org:25")], [])
    run, other = house.begin(), house.begin()
    assert earlier.run is not None
    end_run(house.database, earlier.run)
    earlier.close()
    got, reserved = Counter[int](), 0
    while True:
        for each in (run, other):
            more, _ = house.reserve(each, most=101, used=got[each])
            got[each] += more
        if sum(got.values()) == reserved:
            break
        reserved = sum(got.values())
    assert reserved == 100
    assert min(got.values()) >= 30


def test_a_day_is_over_once_nobody_may_give_some_back(house: House) -> None:
    run, other = house.begin(), house.begin()
    assert house.reserve(run, most=10) == (10, False)
    assert house.reserve(other, most=10) == (0, False)
    keep_used(house.database, run, DAY, used=4)
    assert house.reserve(other, most=10) == (6, False)
    assert house.reserve(other, most=10, used=6) == (0, True)
    end_run(house.database, run)  # whose messages the ledger would tell of
    assert house.reserve(other, most=10, used=6) == (4, False)


def test_limits_and_runs_of_old_are_forgotten_once_nobody_sends(house: House) -> None:
    run = house.begin()
    house.messages(run, 1, per_second=10, key="old")
    house.messages(run, 1, per_second=10, key="new")
    change(house.database, "UPDATE allowance SET next_at = next_at - 90000 WHERE key = 'old'")
    forget_old_limits(house.database)
    assert keys(house.database) == {"old", "new"}
    end_run(house.database, run)
    forget_old_limits(house.database)
    assert keys(house.database) == {"new"}
    forget_old_runs(house.database)
    assert has_ended(house.database, run)
    change(house.database, "UPDATE run SET ended_at = '2026-10-20T12:00:00.000000+00:00'")
    forget_old_runs(house.database)
    assert not has_ended(house.database, run)
    assert house.begin() > run


def keys(database: Database) -> set[str]:
    with database.reading() as connection:
        return set(connection.exec_driver_sql("SELECT key FROM allowance").scalars())
