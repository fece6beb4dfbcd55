"""What a run does with its share of a limit: no message without a granted time, no connection without a place."""

from collections.abc import Callable

import pytest

from dispatcher.delivery.grants import POLL, Places, Times
from dispatcher.delivery.pace import Limit, Pace
from dispatcher.storage.allowances import Grant
from tests.delivery.test_pace import Ticks

Shared = tuple[Ticks, Times, Pace]


@pytest.fixture
def shared() -> Shared:
    ticks = Ticks()
    times = Times("all", 10.0, ticks)
    return ticks, times, Pace(Limit(per_second=10.0), ticks, times=times)


def sent(pace: Pace, ticks: Ticks, seconds: float, each_step: Callable[[], None] = lambda: None) -> int:
    """How many messages go within so much time."""
    count = 0
    for _ in range(round(seconds / 0.01)):
        each_step()
        while pace.wait() == 0:
            pace.take()
            pace.settle()
            count += 1
        ticks.now += 0.01
    return count


def test_nothing_goes_before_it_is_granted(shared: Shared) -> None:
    ticks, times, pace = shared
    assert sent(pace, ticks, 60) == 0
    assert pace.wait() == POLL
    times.receive(Grant(begins_in=0.2, messages=3))
    assert sent(pace, ticks, 60) == 3


def test_messages_go_at_the_times_that_were_granted(shared: Shared) -> None:
    ticks, times, pace = shared
    times.receive(Grant(begins_in=1.0, messages=5))
    assert sent(pace, ticks, 0.9) == 0
    assert sent(pace, ticks, 0.2) == 2
    assert sent(pace, ticks, 0.2) == 2


def test_times_that_passed_are_not_made_up_for_in_a_burst(shared: Shared) -> None:
    ticks, times, pace = shared
    times.receive(Grant(begins_in=0.0, messages=5))
    ticks.now += 0.4
    assert sent(pace, ticks, 0.01) <= 3
    times.receive(Grant(begins_in=0.0, messages=5))
    ticks.now += 30
    assert sent(pace, ticks, 1) == 0


def test_it_asks_for_what_waits_and_for_less_of_what_was_of_no_use(shared: Shared) -> None:
    ticks, times, pace = shared
    assert times.wish(0) is None
    pace.wait()
    wish = times.wish(100)
    assert wish is not None
    assert wish.messages == 4
    assert times.wish(2) is not None
    times.receive(Grant(begins_in=0.0, messages=4))
    assert times.wish(100) is None  # it has them
    ticks.now += 10
    pace.wait()  # all have passed
    wish = times.wish(100)
    assert wish is not None
    assert (wish.messages, wish.unused) == (1, 4)
    for expected in (2, 4, 4):
        pace.wait()
        wish = times.wish(100)
        assert wish is not None
        assert wish.messages == expected


def test_a_relay_that_asks_for_less_gets_less_of_what_is_granted_and_later_no_more_than_that(shared: Shared) -> None:
    ticks, times, pace = shared

    next_at = [ticks.now]

    def grant() -> None:
        if times.wait() == POLL:
            next_at[0] = max(next_at[0], ticks.now)
            times.receive(Grant(begins_in=next_at[0] - ticks.now, messages=2))
            next_at[0] += 2 / 10.0

    assert sent(pace, ticks, 10, grant) == pytest.approx(100, rel=0.1)
    pace.slow_down()
    assert sent(pace, ticks, 10, grant) == pytest.approx(50, rel=0.15)
    ticks.now += 60 * 60
    assert sent(pace, ticks, 10, grant) == pytest.approx(100, rel=0.1)


# --- places ----------------------------------------------------------------------------------------------


def test_nothing_is_in_use_before_there_is_a_place() -> None:
    ticks = Ticks()
    places = Places("domain example.org", 4, ticks)
    pace = Pace(Limit(connections=4), ticks, places=places)
    assert pace.wait() is None
    places.receive(1)
    assert pace.wait() == 0
    pace.take()
    assert pace.wait() is None
    assert pace.wait(behind_one=True) == 0


def test_what_was_granted_is_declared_until_less_is_in_use() -> None:
    ticks = Ticks()
    places = Places("relay", 8, ticks)
    first = places.wish(in_use=0, wanted=20)
    assert first is not None
    assert (first.uses, first.wants) == (0, 8)
    places.receive(5)
    assert places.wish(in_use=3, wanted=8) is None  # nothing new
    assert places.wish(in_use=3, wanted=7) is None
    ticks.now += 1
    second = places.wish(in_use=3, wanted=8)
    assert second is not None
    assert second.uses == 5  # it may use them while the question is on its way
    places.receive(2)
    assert places.wish(in_use=5, wanted=8) is None  # they have not ended yet
    third = places.wish(in_use=2, wanted=8)
    assert third is not None
    assert third.uses == 2


def test_who_wants_more_than_before_asks_at_once() -> None:
    places = Places("relay", 8, Ticks())
    places.wish(in_use=0, wanted=1)
    places.receive(1)
    more = places.wish(in_use=1, wanted=6)
    assert more is not None
    assert (more.uses, more.wants) == (1, 6)
    assert places.wish(in_use=1, wanted=6) is None


def test_what_is_idle_is_given_back_once() -> None:
    places = Places("relay", 8, Ticks())
    assert places.wish(in_use=0, wanted=0) is None
    places.wish(in_use=0, wanted=2)
    places.receive(2)
    back = places.wish(in_use=0, wanted=0)
    assert back is not None
    assert (back.uses, back.wants, places.count) == (0, 0, 0)
    assert places.wish(in_use=0, wanted=0) is None
    places.ask_again()  # it was not heard
    assert places.wish(in_use=0, wanted=0) is not None
