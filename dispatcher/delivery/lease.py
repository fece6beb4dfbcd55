"""How long a run may send without hearing that it is still believed to live: shorter than others wait for it."""

import time
from collections.abc import Callable
from datetime import timedelta

_OWN_PART = 0.75  # of the silence after which others take over: clocks differ in speed, and a dot takes its time


def ticks_of_the_machine() -> float:
    """Seconds that go on while a laptop sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lease:
    """Renewed by each sign of life that the database took."""

    def __init__(self, dead_after: timedelta, ticks: Callable[[], float] = ticks_of_the_machine) -> None:
        self._length = dead_after.total_seconds() * _OWN_PART
        self._ticks = ticks
        self._ends_at = ticks() + self._length

    @property
    def is_over(self) -> bool:
        return self._ticks() >= self._ends_at

    @property
    def beat(self) -> float:
        """Seconds between two signs of life."""
        return self._length / 5

    def ticks(self) -> float:
        return self._ticks()

    def renew(self, asked_at: float) -> None:
        """`asked_at`: when the sign of life was begun, since the database may have taken it right then."""
        self._ends_at = asked_at + self._length

    def end(self) -> None:
        """Somebody has ended the run."""
        self._ends_at = float("-inf")
