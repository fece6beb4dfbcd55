"""Commits for all connections together: whatever came while the last commit ran goes into the next one."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from dispatcher.models import Outcome
from dispatcher.storage.ledger import Claim, Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    outcome: Outcome | None
    claim: Claim | None
    held: "asyncio.Future[bool]"


class Writer:
    """The one writer of the ledger; `progress` is told each outcome once it is durable."""

    def __init__(self, ledger: Ledger, progress: Callable[[Outcome], None]) -> None:
        self._ledger = ledger
        self._progress = progress
        self._entries: asyncio.Queue[_Entry | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._write())

    async def commit(self, outcome: Outcome | None, claim: Claim | None = None) -> bool:
        """Waits until both are durable; says whether the claim holds. Raises LedgerFailed; then neither happened."""
        if outcome is None and claim is None:
            return False
        entry = _Entry(outcome=outcome, claim=claim, held=asyncio.get_running_loop().create_future())
        self._entries.put_nowait(entry)
        return await entry.held

    async def close(self) -> None:
        self._entries.put_nowait(None)
        await self._task

    async def _write(self) -> None:
        while (first := await self._entries.get()) is not None:
            entries = [first]
            closing = False
            while not self._entries.empty():
                entry = self._entries.get_nowait()
                if entry is None:
                    closing = True
                    break
                entries.append(entry)
            await self._commit(entries)
            if closing:
                return

    async def _commit(self, entries: list[_Entry]) -> None:
        outcomes = [entry.outcome for entry in entries if entry.outcome is not None]
        claims = [entry.claim for entry in entries if entry.claim is not None]
        try:
            held = iter(await asyncio.to_thread(self._ledger.commit, outcomes, claims))
            told = [(entry, next(held) if entry.claim is not None else False) for entry in entries]
            for entry, holds in told:
                self._tell(entry, holds)
        except Exception as error:  # noqa: BLE001  whatever it is, the connections must hear of it
            for entry in entries:
                if not entry.held.done():
                    entry.held.set_exception(error)

    def _tell(self, entry: _Entry, holds: bool) -> None:
        if entry.outcome is not None:
            self._progress(entry.outcome)
        if holds and entry.claim is not None and entry.claim.ended is not None:
            self._progress(entry.claim.ended)
        if not entry.held.done():  # its connection may have been cancelled meanwhile
            entry.held.set_result(holds)
