"""Keeps what this run was granted of a limit that all runs share: times at which messages may go, and places."""

import math
from collections import deque
from collections.abc import Callable

from dispatcher.storage.allowances import HORIZON, Grant, MessageWish, PlaceWish

POLL = 0.15  # seconds between two looks at what was granted
_LATE = 0.15  # seconds for which a time that has passed may still be used
_LOOK = 1.0  # seconds after which a run looks what the others have left it


class Times:
    """When messages may go, of a rate; without a granted time none goes."""

    def __init__(self, key: str, per_second: float, clock: Callable[[], float]) -> None:
        self.key = key
        self._per_second = per_second
        self._clock = clock
        self._times: deque[float] = deque()
        self._most = math.ceil(per_second * HORIZON) + 1
        self._useful = self._most  # so many at hand have been of use
        self._missed = 0
        self._is_missing_some = False

    def wait(self) -> float:
        """Seconds until the next granted time; short while there is none."""
        now = self._clock()
        latest = now - max(_LATE, 0.5 / self._per_second)
        while self._times and self._times[0] < latest:  # gone: to make up for it would be a burst
            self._times.popleft()
            self._missed += 1
        if not self._times:
            self._is_missing_some = True
            return POLL
        return max(self._times[0] - now, 0.0)

    def take(self) -> None:
        if self._times:
            self._times.popleft()

    def wish(self, waiting: int) -> MessageWish | None:
        """What to ask for while so many messages wait, no more than was of use; what was of none is given back."""
        unused = self._missed
        if unused:
            self._useful = max(self._useful - unused, 1)
        elif self._is_missing_some:
            self._useful = min(2 * self._useful, self._most)
        self._missed, self._is_missing_some = 0, False
        wanted = max(min(waiting, self._useful) - len(self._times), 0)
        if not wanted and not unused:
            return None
        return MessageWish(key=self.key, per_second=self._per_second, messages=wanted, unused=unused)

    def receive(self, grant: Grant) -> None:
        """What was granted just now."""
        first = self._clock() + grant.begins_in
        self._times.extend(first + number / self._per_second for number in range(grant.messages))


class Places:
    """How many may be in use at once by this run, of a count; none before some are granted."""

    def __init__(self, key: str, most: int, clock: Callable[[], float]) -> None:
        self.key = key
        self.most = most
        self.count = 0
        self._clock = clock
        self._declared = 0
        self._wanted = 0  # when it asked last
        self._asked_at = float("-inf")

    def wish(self, *, in_use: int, wanted: int) -> PlaceWish | None:
        """What to tell and ask, if it is time to: what was granted is told as used until it is known to be less."""
        wanted = min(wanted, self.most)
        if not in_use and not wanted:
            self.count = 0
        uses = max(in_use, self.count)
        is_idle = not uses and not wanted
        if is_idle and not self._declared and self._asked_at == float("-inf"):
            return None
        has_news = wanted > self._wanted or uses < self._declared or (wanted > 0 and self.count == 0)
        if not is_idle and not has_news and self._clock() < self._asked_at + _LOOK:
            return None
        self._declared, self._wanted = uses, wanted
        self._asked_at = float("-inf") if is_idle else self._clock()
        return PlaceWish(key=self.key, most=self.most, uses=uses, wants=wanted)

    def receive(self, count: int) -> None:
        """What may be in use from now on; those beyond it are to end soon."""
        self.count = count
        self._declared = max(self._declared, count)

    def ask_again(self) -> None:
        """What was told last may not have been heard."""
        self._asked_at = self._clock() - _LOOK
