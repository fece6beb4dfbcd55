"""Where a run's deliveries come from: a whole mailing, or blocks of it that a queue deals out to whoever is hungry."""

import asyncio
from bisect import insort
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Protocol

from dispatcher.models import Delivery, State
from dispatcher.storage.ledger import Ledger


class Feed(Protocol):
    """What a run may send."""

    def read(self, after: int, limit: int, but_not: Collection[str]) -> list[Delivery]:
        """Queued deliveries after an id, at most so many, of none of these domains; in the order of their ids."""

    async def more(self) -> bool:
        """Lets the run have more, if there is more."""

    async def left(self) -> int:
        """How many may be sent now."""

    async def tidy(self, is_held: Callable[[int], bool]) -> None:
        """Gives up what is done with; `is_held` says of a block whether one of its deliveries is in hand."""


class WholeMailing:
    """All that is queued of a mailing, for the one process that sends it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def read(self, after: int, limit: int, but_not: Collection[str]) -> list[Delivery]:
        return self._ledger.queued(after=after, limit=limit, but_not=but_not)

    async def more(self) -> bool:
        return False

    async def left(self) -> int:
        return (await asyncio.to_thread(self._ledger.counts))[State.QUEUED]

    async def tidy(self, is_held: Callable[[int], bool]) -> None: ...


class Dealer(Protocol):
    """See storage.jobs.Jobs."""

    async def join(self, run_id: int) -> None: ...

    async def take(self) -> int | None: ...

    async def end(self, block: int) -> None: ...

    async def give_sign_of_life(self) -> None: ...


class Blocks:
    """Blocks of a mailing that several processes send."""

    def __init__(self, ledger: Ledger, dealer: Dealer, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._dealer = dealer
        self._clock = clock
        self._blocks: list[int] = []
        self._tidying = asyncio.Lock()

    def read(self, after: int, limit: int, but_not: Collection[str]) -> list[Delivery]:
        return self._ledger.queued(after=after, limit=limit, but_not=but_not, blocks=tuple(self._blocks))

    async def more(self) -> bool:
        block = await self._dealer.take()
        if block is None:
            return False
        await asyncio.to_thread(self._ledger.requeue_deferred, self._clock(), [block])
        if block not in self._blocks:
            insort(self._blocks, block)
        return True

    async def left(self) -> int:
        queued = await asyncio.to_thread(self._ledger.queued_by_block, tuple(self._blocks))
        return queued.total()

    async def tidy(self, is_held: Callable[[int], bool]) -> None:
        async with self._tidying:
            free = [block for block in self._blocks if not is_held(block)]
            if not free:
                return
            queued = await asyncio.to_thread(self._ledger.queued_by_block, free)
            for block in free:
                if not queued[block] and not is_held(block):
                    self._blocks.remove(block)
                    await self._dealer.end(block)
