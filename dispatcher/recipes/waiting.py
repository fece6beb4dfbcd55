"""Waits for a while, unless somebody interrupts or stops the mailing."""

import signal
import time
from collections.abc import Callable

from dispatcher.storage.control import is_stopped
from dispatcher.storage.database import Database

_BETWEEN_LOOKS = 0.5  # seconds in which a stop is noticed


def passes(database: Database, mailing_id: int, seconds: float, on_interrupt: Callable[[], None]) -> bool:
    """False as soon as somebody interrupts or stops the mailing. Only for the main thread."""
    until = time.monotonic() + seconds

    def heard(*_: object) -> None:
        on_interrupt()
        raise KeyboardInterrupt

    before = {each: signal.signal(each, heard) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
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
