"""What the connections of one run share: the queue, the ledger's writer, the relays, and whether it is over."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dispatcher.delivery.backlog import Backlog
from dispatcher.delivery.feed import Feed
from dispatcher.delivery.lease import Lease
from dispatcher.delivery.route import Route
from dispatcher.delivery.terms import Build, Sign, Terms
from dispatcher.delivery.writer import Writer
from dispatcher.errors import DispatcherError
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.runs import has_ended


@dataclass(slots=True, kw_only=True)
class Run:
    """What the couriers of one run share."""

    ledger: Ledger
    routes: Sequence[Route]
    feed: Feed
    backlog: Backlog
    build: Build
    sign: Sign | None
    terms: Terms
    writer: Writer
    stop: asyncio.Event
    lease: Lease | None  # None: nobody else can take the run for dead
    say: Callable[[str], None]
    failure: DispatcherError | None = None

    @property
    def is_over(self) -> bool:
        return self.stop.is_set() or self.failure is not None or self.has_lost_touch

    @property
    def has_lost_touch(self) -> bool:
        """Whether others may believe by now that the run is dead."""
        return self.lease is not None and self.lease.is_over

    async def notice_its_end(self) -> None:
        """A claim that does not hold may be that of a run which others have ended. Raises LedgerFailed."""
        if self.lease is None or self.ledger.run is None:
            return
        if await asyncio.to_thread(has_ended, self.ledger.database, self.ledger.run):
            self.lease.end()

    @property
    def usable(self) -> int:
        """How many relays are not given up."""
        return sum(route.failure is None for route in self.routes)

    def lose(self, route: Route, error: DispatcherError) -> None:
        """Gives a relay up; the others take over what it had. With the last of them the run fails."""
        if route.failure is not None:
            return
        route.failure = error
        if any(other.failure is None for other in self.routes):
            self.say(f"{error}; the other relays go on")
            self.backlog.reassign(route)
        else:
            self.failure = self.failure or error
