"""Waits: for a while, unless somebody interrupts or stops the mailing, or for those who send it beside us."""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

from dispatcher.errors import Unfinished
from dispatcher.storage.control import is_stopped
from dispatcher.storage.database import Database
from dispatcher.storage.runs import running

_BETWEEN_LOOKS = 0.5  # seconds in which a stop is noticed
_DRAINED_WITHIN = 60.0  # seconds


def passes(
    database: Database,
    mailing_id: int,
    seconds: float,
    on_interrupt: Callable[[], None],
    say: Callable[[], None] = lambda: None,
) -> bool:
    """False as soon as somebody interrupts or stops the mailing; `say` tells of it once that is heard.

    Only for the main thread.
    """
    until = time.monotonic() + seconds

    def heard(*_: object) -> None:
        on_interrupt()
        raise KeyboardInterrupt

    before = {each: signal.signal(each, heard) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        say()
        while (left := until - time.monotonic()) > 0:
            if is_stopped(database, mailing_id):
                return False
            time.sleep(min(left, _BETWEEN_LOOKS))
    except KeyboardInterrupt:
        return False
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    return True


@contextlib.contextmanager
def interrupts_kept(on_interrupt: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Has SIGINT and SIGTERM wait until we ask whether one came. Only for the main thread."""
    came: list[int] = []

    def heard(number: int, _frame: object) -> None:
        came.append(number)
        on_interrupt()

    before = {each: signal.signal(each, heard) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(came)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def let_others_end(database: Database, mailing_id: int, dead_after: timedelta) -> None:
    """Waits until nobody sends a mailing that was stopped. Raises Unfinished, naming who does not end."""
    until = time.monotonic() + _DRAINED_WITHIN
    while living := [each for each in running(database, mailing_id) if each.silence < dead_after]:
        if time.monotonic() > until:
            raise Unfinished(f"pid {living[0].pid} on {living[0].host} is still sending; wait for it, or end it")
        time.sleep(_BETWEEN_LOOKS)
