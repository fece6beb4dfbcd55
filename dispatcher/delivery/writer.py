"""Commits for all connections together: whatever came while the last commit ran goes into the next one."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread

from dispatcher.models import Outcome
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.pen import Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    outcome: Outcome | None
    claim: Claim | None
    held: "asyncio.Future[bool]"


class Writer:
    """The one writer of the ledger; `progress` is told each outcome once it is durable.

    It has a thread of its own: to hand work to a pool costs as much as the statements.
    """

    def __init__(self, ledger: Ledger, progress: Callable[[Outcome], None]) -> None:
        self._ledger = ledger
        self._progress = progress
        self._loop = asyncio.get_running_loop()
        self._entries: list[_Entry] = []  # for the next commit
        self._is_busy = False
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self._groups: SimpleQueue[list[_Entry] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="ledger", daemon=True)
        self._thread.start()

    async def commit(self, outcome: Outcome | None, claim: Claim | None = None) -> bool:
        """Waits until both are durable; says whether the claim holds. Raises LedgerFailed; then neither happened."""
        if outcome is None and claim is None:
            return False
        entry = _Entry(outcome=outcome, claim=claim, held=self._loop.create_future())
        self._entries.append(entry)
        if not self._is_busy:
            self._is_busy = True
            self._is_idle.clear()
            self._loop.call_soon(self._begin)  # with all that comes until then
        return await entry.held

    async def close(self) -> None:
        """Waits for what is being written."""
        await self._is_idle.wait()
        self._groups.put(None)
        await asyncio.to_thread(self._thread.join)

    def _begin(self) -> None:
        entries, self._entries = self._entries, []
        self._groups.put(entries)

    def _work(self) -> None:
        while (entries := self._groups.get()) is not None:
            outcomes = [entry.outcome for entry in entries if entry.outcome is not None]
            claims = [entry.claim for entry in entries if entry.claim is not None]
            held: list[bool] | Exception
            try:
                held = self._ledger.commit(outcomes, claims)
            except Exception as error:  # noqa: BLE001  whatever it is, the connections must hear of it
                held = error
            self._loop.call_soon_threadsafe(self._end, entries, held)

    def _end(self, entries: list[_Entry], held: list[bool] | Exception) -> None:
        try:
            each_held = iter(held if isinstance(held, list) else ())
            for entry in entries:
                if isinstance(held, list):
                    self._tell(entry, next(each_held) if entry.claim is not None else False)
        except Exception as error:  # noqa: BLE001  what `progress` raises
            held = error
        if isinstance(held, Exception):
            for entry in entries:
                if not entry.held.done():
                    entry.held.set_exception(held)
        if self._entries:
            self._begin()
        else:
            self._is_busy = False
            self._is_idle.set()

    def _tell(self, entry: _Entry, holds: bool) -> None:
        if entry.outcome is not None:
            self._progress(entry.outcome)
        if holds and entry.claim is not None and entry.claim.ended is not None:
            self._progress(entry.claim.ended)
        if not entry.held.done():  # its connection may have been cancelled meanwhile
            entry.held.set_result(holds)
