"""How fast messages may go: at a rate, slower when somebody asks for less, not at all when he says tomorrow."""

from dataclasses import dataclass

import pytest

from dispatcher.delivery.pace import Limit, Pace, Pacing, asks_for_less, asks_for_tomorrow, speaks_of_all
from dispatcher.models import Reply


@dataclass
class Ticks:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def granted(pace: Pace, ticks: Ticks, seconds: float) -> int:
    """How many messages go within so much time, each over as soon as it is begun."""
    until, count = ticks.now + seconds, 0
    while ticks.now < until:
        if pace.wait() == 0:
            pace.take()
            pace.settle()
            count += 1
        else:
            ticks.now += 0.01
    return count


@pytest.mark.parametrize("per_second", [0.5, 2, 50, 400])
def test_a_rate_is_kept_over_time(per_second: float) -> None:
    ticks = Ticks()
    pace = Pace(Limit(per_second=per_second), ticks)
    assert granted(pace, ticks, 60) == pytest.approx(per_second * 60, rel=0.05, abs=1)


def test_only_so_many_are_on_their_way_at_once() -> None:
    pace = Pace(Limit(connections=2), Ticks())
    pace.take()
    assert pace.wait() == 0
    pace.take()
    assert pace.wait() is None
    pace.settle()
    assert pace.wait() == 0


def test_who_is_asked_for_less_gives_half_and_then_slowly_more_up_to_the_limit() -> None:
    ticks = Ticks()
    pace = Pace(Limit(per_second=100), ticks)
    granted(pace, ticks, 5)
    pace.slow_down()
    pace.slow_down()  # several connections hear the same
    assert granted(pace, ticks, 10) == pytest.approx(500, rel=0.05)
    granted(pace, ticks, 60 * 10)
    assert granted(pace, ticks, 10) == pytest.approx(500 * 1.05**10, rel=0.1)
    granted(pace, ticks, 60 * 10)
    assert granted(pace, ticks, 10) == pytest.approx(1000, rel=0.05)


def test_a_domain_has_its_own_limit_or_that_of_each() -> None:
    pacing = Pacing(each_domain=Limit(connections=5), domains={"example.com": Limit(per_second=3)})
    assert pacing.for_domain("example.com") == Limit(per_second=3)
    assert pacing.for_domain("example.net") == Limit(connections=5)


@pytest.mark.parametrize(
    ("said", "less", "of_all", "tomorrow"),
    [
        ("454 Throttling failure: Maximum sending rate exceeded.", True, True, False),
        ("454 Throttling failure: Daily message quota exceeded.", True, True, True),
        ("421 4.7.28 Gmail has detected an unusual rate of mail", True, False, False),
        ("451 4.7.650 The mail server has been temporarily rate limited", True, False, False),
        ("421 4.7.0 [TSS04] Messages temporarily deferred", True, False, False),
        ("550 5.4.5 Daily user sending limit exceeded", False, False, True),
        ("452 4.2.2 mailbox full", False, False, False),
        ("452 4.2.2 over quota", False, False, False),
        ("451 4.7.1 greylisted, try again later", False, False, False),
        ("550 5.1.1 no such user", False, False, False),
        ("250 2.0.0 accepted at a high rate", False, False, False),
    ],
)
def test_what_is_asked_for_is_understood(said: str, less: bool, of_all: bool, tomorrow: bool) -> None:
    reply = Reply(code=int(said[:3]), text=said[4:])
    assert (asks_for_less(reply), asks_for_tomorrow(reply)) == (less, tomorrow)
    if less:
        assert speaks_of_all(reply) == of_all
