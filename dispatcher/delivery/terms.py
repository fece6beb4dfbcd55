"""What a run is told: how its messages are made, how fast they may go, and how long to try."""

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dispatcher.delivery.line import Parcel
from dispatcher.delivery.pace import Pacing
from dispatcher.models import Delivery

Build = Callable[[Delivery, datetime], Parcel | str]
"""Builds a delivery's message, dated with its first attempt, or says why the reader is skipped."""

Sign = Callable[[Sequence[bytes]], Awaitable[bytes]]
"""Makes the header field that signs a message given in pieces."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


_NO_LIMITS = Pacing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How long to try, and how fast."""

    patience: timedelta  # for deferred readers and a lost relay
    retry_for: timedelta  # since a reader's first attempt; then the last reply is final
    pacing: Pacing = _NO_LIMITS
    most: int | None = None  # messages in this run
    dead_after: timedelta = timedelta(seconds=60)  # of silence, where several processes send
    clock: Callable[[], datetime] = _utc_now
    ticks: Callable[[], float] = time.monotonic  # seconds, for pacing
    jitter: Callable[[], float] = random.random
