"""Decides when the next message may go: evenly at a rate, slower when asked to be, then slowly up again."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dispatcher.delivery.grants import Places, Times
from dispatcher.models import Reply

_AT_ONCE = 0.05  # seconds' worth of messages that may go together: timers are no finer
_GROWTH = 1.05  # a minute, after a slow-down
_SLOWEST = 1 / 60  # messages a second
_WINDOW = 10.0  # seconds over which the rate so far is measured
_ONE_LESSON = 1.0  # seconds in which several answers ask for the same slow-down


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What is asked of a pace; None is no limit."""

    per_second: float | None = None
    connections: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """The limits that hold over all relays together: in all, per recipient domain, and for single domains."""

    per_second: float | None = None
    each_domain: Limit = Limit()
    domains: Mapping[str, Limit] = field(default_factory=dict)

    @property
    def limits_domains(self) -> bool:
        return bool(self.domains) or self.each_domain != Limit()

    def for_domain(self, domain: str) -> Limit:
        return self.domains.get(domain, self.each_domain)


class Pace:
    """Grants messages at a limit's rate, or without one as fast as they come."""

    def __init__(
        self,
        limit: Limit,
        clock: Callable[[], float] = time.monotonic,
        *,
        times: Times | None = None,
        places: Places | None = None,
        so_far: tuple[float, int] | None = None,
    ) -> None:
        """`times` and `places` keep the limit where it is shared with other runs; what a relay asks for is our own.

        `so_far`: since when messages went without a pace, and how many.
        """
        self._limit = limit
        self._clock = clock
        self._times = times
        self._places = places
        self._rate = limit.per_second if times is None else None
        self._next_at = 0.0
        self._in_hand = 0  # messages taken and not settled
        self._slowed_at = float("-inf")
        self._grown_at = 0.0
        self._window: tuple[float, int] = so_far or (clock(), 0)  # begun at, granted since

    @property
    def in_hand(self) -> int:
        """How many of its messages are on their way."""
        return self._in_hand

    def wait(self, *, behind_one: bool = False) -> float | None:
        """Seconds until the next message may go, 0 if at once; None while as many are on their way as may be.

        `behind_one`: on the connection of one that is in hand.
        """
        most = self._limit.connections if self._places is None else self._places.count
        if most is not None and not behind_one and self._in_hand >= most:
            return None
        wait = 0.0 if self._rate is None else self._next_at - self._clock()
        if self._times is not None and wait <= _AT_ONCE:
            wait = self._times.wait()
        return wait if wait > _AT_ONCE else 0.0

    def take(self, *, behind_one: bool = False) -> None:
        """A message goes; `behind_one`: in the place of one that is in hand and will not be settled."""
        now = self._clock()
        self._in_hand += not behind_one
        begun, granted = self._window
        self._window = (now, 1) if now - begun > _WINDOW else (begun, granted + 1)
        if self._rate is not None:
            self._grow(now)
        if self._rate is not None:
            self._next_at = max(self._next_at, now) + 1 / self._rate
        if self._times is not None:
            self._times.take()

    def settle(self) -> None:
        """A message that was taken has ended, or was given back."""
        self._in_hand -= 1

    def slow_down(self) -> None:
        """Halves the rate; answers that come close together ask once."""
        now = self._clock()
        if now - self._slowed_at < _ONE_LESSON:
            return
        begun, granted = self._window
        so_far = granted / max(now - begun, 1.0)
        self._rate = max(min(self._rate or so_far, so_far or _SLOWEST) / 2, _SLOWEST)
        self._slowed_at = self._grown_at = now
        self._next_at = now + 1 / self._rate

    def _grow(self, now: float) -> None:
        if self._slowed_at == float("-inf") or self._rate is None:
            return
        self._rate *= _GROWTH ** ((now - self._grown_at) / 60)
        self._grown_at = now
        if self._limit.per_second is not None:
            self._rate = min(self._rate, self._limit.per_second)


# Greylisting and full mailboxes ask one reader to come again; these ask for less mail. RFC 3463 X.7.28, and the words
# of Gmail ("rate"), Yahoo (TS codes), Outlook ("throttled"), SES ("Throttling failure"), Postfix and Exim ("too many").
_ASKS_FOR_LESS = re.compile(r"(?i)\b4\.7\.28\b|\brate\b|throttl|too (many|much|fast)|slow down|\bTSS?0\d\b|fewer")
_OF_ALL_OUR_MAIL = re.compile(r"(?i)throttling failure|maximum sending rate")  # SES, of an account's rate
_ASKS_FOR_TOMORROW = re.compile(r"(?i)daily.*(quota|limit)|(quota|limit).*(per|a) day")


def asks_for_less(reply: Reply | None) -> bool:
    """Whether a 4yz reply is about how much or how fast we send, not about one reader."""
    return reply is not None and reply.code // 100 == 4 and bool(_ASKS_FOR_LESS.search(reply.text))


def speaks_of_all(reply: Reply | None) -> bool:
    """Whether a reply that asks for less is a relay's own, about whatever we give it, and not a domain's."""
    return reply is not None and bool(_OF_ALL_OUR_MAIL.search(reply.text))


def asks_for_tomorrow(reply: Reply | None) -> bool:
    """Whether a relay says that its quota of the day is used up."""
    return reply is not None and reply.code >= 400 and bool(_ASKS_FOR_TOMORROW.search(reply.text))
