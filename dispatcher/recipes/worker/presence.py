"""Has a worker be known to live, whether it sends or waits: `/metrics` tells when it last gave a sign of life."""

import contextlib
import time
from datetime import timedelta

from dispatcher.errors import LedgerFailed
from dispatcher.storage.database import Database
from dispatcher.storage.runs import begin_run, end_run, give_sign_of_life

_SIGNS = 6  # until the silence after which it is taken for dead


class Presence:
    """From its first sign of life to its end."""

    def __init__(self, database: Database, dead_after: timedelta) -> None:
        self._database = database
        self._between_signs = dead_after.total_seconds() / _SIGNS
        self._number: int | None = None
        self._next_at = 0.0

    def give_sign(self) -> None:
        """Now and then; who was taken for dead begins anew. Raises LedgerFailed."""
        if time.monotonic() < self._next_at:
            return
        if self._number is None or not give_sign_of_life(self._database, self._number):
            self._number = begin_run(self._database, None)
        self._next_at = time.monotonic() + self._between_signs

    def end(self) -> None:
        if self._number is not None:
            with contextlib.suppress(LedgerFailed):  # then its silence tells
                end_run(self._database, self._number)
