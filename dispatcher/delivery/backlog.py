"""Reads queued deliveries from the ledger a page at a time, and says which may go next over which relay.

Of a slow domain only so many are at hand; the others stay in the ledger, so that nobody waits for another's pace.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Sequence

from dispatcher.delivery.feed import Feed
from dispatcher.delivery.grants import Places, Times
from dispatcher.delivery.pace import Limit, Pace, Pacing
from dispatcher.delivery.route import Route
from dispatcher.delivery.shelf import Shelf
from dispatcher.models import Delivery
from dispatcher.storage.pen import BLOCK

_PAGE = 500  # deliveries read at a time
_FEW = 100  # at hand for a relay: time to read on
_MOST = 4_000  # at hand for all relays
_MOST_OF_A_SLOW_DOMAIN = 250  # at hand
_LONGEST_WAIT = 1.0  # seconds until a connection looks again
_BETWEEN_ASKS = 0.5  # seconds, where there was no more

Shared = Callable[[str, Limit], tuple[Times | None, Places | None]]
"""What keeps a limit of this name where it holds for other runs, too."""


def alone(_name: str, _limit: Limit) -> tuple[None, None]:
    """Nobody else sends."""
    return None, None


class Backlog:
    """What is queued: at hand, then taken by a connection, until it is settled or given back."""

    def __init__(
        self,
        feed: Feed,
        routes: Sequence[Route],
        pacing: Pacing,
        clock: Callable[[], float] = time.monotonic,
        *,
        most: int | None = None,
        shared: Shared = alone,
    ) -> None:
        """`most`: deliveries in all that may end; then nothing is left."""
        self._feed = feed
        self._asks_at = 0.0  # when there may be more
        self._routes = routes
        self._pacing = pacing
        self._limits_domains = pacing.limits_domains
        self._clock = clock
        self._shared = shared
        self._pace = self._paced("all", Limit(per_second=pacing.per_second))
        self._paces: dict[str, Pace] = {}  # of domains that have a limit or were slowed down
        self._shelves = {route: Shelf() for route in routes}
        self._begun_at = clock()
        self._taken: Counter[str] = Counter()  # by domain
        self._behind: dict[int, int] = {}  # one that is taken → the next on its connection, which has its place
        self._assigned = dict.fromkeys(routes, 0.0)  # messages by weight
        self._held: set[int] = set()  # at hand or taken
        self._held_of: Counter[int] = Counter()  # by block
        self._seen = 0  # the highest id read
        self._is_read = False  # to its end
        self._passed_over: set[str] = set()  # slow domains of which rows may have been left in the ledger
        self._refreshed = 0
        self._left = most  # None: no limit
        self._reading = asyncio.Lock()
        self._change = asyncio.Event()

    @property
    def at_hand(self) -> int:
        """How many deliveries could go at once, as far as they are read."""
        return sum(map(len, self._shelves.values()))

    @property
    def domains_at_hand(self) -> set[str]:
        return {domain for shelf in self._shelves.values() for domain in shelf.domains}

    def at_hand_over(self, route: Route) -> int:
        return len(self._shelves[route])

    def load(self, domain: str) -> tuple[int, int]:
        """How many of a domain's deliveries are at hand, and how many on their way."""
        pace = self._pace_of(domain)
        return self._waiting(domain), pace.in_hand if pace else 0

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing is queued but what connections have taken."""
        return self._has_no_more and not any(self._shelves.values())

    async def next(self, route: Route, *, is_over: Callable[[], bool]) -> Delivery | None:
        """The next delivery for a relay, as soon as pacing grants one; None when nothing is left for it."""
        while not is_over():
            await self.fill(route)
            if (found := self.take(route)) is not None:
                return found
            if self._left == 0 or (self._has_no_more and not self._shelves[route]):
                return None
            if route.has_had_its_day and not route.pace.in_hand:  # what is on its way may yet be given back
                return None
            self._change.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._wait(route)):
                    await self._change.wait()
        return None

    def take(self, route: Route, *, behind: Delivery | None = None) -> Delivery | None:
        """The next delivery that may go over a relay now; `behind` is on its way on the same connection."""
        if self._left == 0 or route.left_today == 0 or route.pace.wait() != 0 or self._pace.wait() != 0:
            return None
        served = behind.domain if behind else None
        delivery = self._shelves[route].take(lambda domain: self._may_go(domain, behind_one=domain == served))
        if delivery is not None:
            self._taken[delivery.domain] += 1
            route.pace.take()
            self._pace.take()
            if (pace := self._pace_of(delivery.domain)) is not None:
                pace.take(behind_one=delivery.domain == served)
                if behind is not None and delivery.domain == served:
                    self._behind[behind.id] = delivery.id
            if route.left_today is not None:
                route.left_today -= 1
            if self._left is not None:
                self._left -= 1
        return delivery

    def settle(self, route: Route, delivery: Delivery, *, counts: bool) -> None:
        """A connection is done with a delivery; `counts`: as one message of the relay's day."""
        if delivery.id in self._held:
            self._held.discard(delivery.id)
            self._held_of[delivery.id // BLOCK] -= 1
        self._release(route, delivery, counts=counts)

    def give_back(self, route: Route, delivery: Delivery) -> None:
        """Nothing became of a delivery: the next who asks may have it."""
        if self._left is not None:
            self._left += 1
        self._release(route, delivery, counts=False)
        self._shelves[self._route_for(delivery.domain) or route].put_first(delivery)

    def refresh(self) -> None:
        """Rows were queued again in the ledger."""
        self._refreshed += 1
        self._seen, self._is_read = 0, False
        self._change.set()

    def look_again(self) -> None:
        """More may go than before."""
        self._change.set()

    def holds(self, block: int) -> bool:
        """Whether a delivery of a block is at hand, or taken, or may not have been read yet."""
        return not self._is_read or self._held_of[block] > 0

    def slow_down(self, domain: str) -> None:
        """A domain asked for less mail; others go on as they did."""
        if self._pace_of(domain) is None:
            so_far = (self._begun_at, self._taken[domain])
            self._paces[domain] = Pace(Limit(), self._clock, so_far=so_far)
        self._paces[domain].slow_down()

    def reassign(self, route: Route) -> None:
        """Gives what is at hand for a relay to the others."""
        for delivery in self._shelves[route].clear():
            self._put(delivery, otherwise=route)
        self._change.set()

    async def fill(self, route: Route) -> None:
        """Reads on in the ledger while little is at hand for a relay."""
        shelf = self._shelves[route]
        while self._wants_more(shelf):
            async with self._reading:
                if self._wants_more(shelf):
                    await self._read_page() if not self._is_read else await self._ask()

    @property
    def _has_no_more(self) -> bool:
        return self._is_read and not self._passed_over

    def _wants_more(self, shelf: Shelf) -> bool:
        if self._is_read and any(self._waiting(each) < _MOST_OF_A_SLOW_DOMAIN // 2 for each in self._passed_over):
            self.refresh()  # for those who were passed over
        can_have = not self._is_read or self._clock() >= self._asks_at
        return can_have and len(shelf) < _FEW and self.at_hand < _MOST

    async def _ask(self) -> None:
        if await self._feed.more():
            self.refresh()
        else:
            self._asks_at = self._clock() + _BETWEEN_ASKS

    async def _read_page(self) -> None:
        if self._seen == 0:
            self._passed_over = set()
        full = {
            each for each in self._paces if self._waiting(each) >= _MOST_OF_A_SLOW_DOMAIN and not self._may_go(each)
        }
        if len(self._routes) > 1:  # nor may a relay that is slow keep its like from the others
            for shelf in self._shelves.values():
                if len(shelf) > _MOST // (2 * len(self._routes)):
                    full |= {each for each in shelf.domains if shelf.count(each) >= _MOST_OF_A_SLOW_DOMAIN}
        self._passed_over |= full
        held = frozenset(self._held)  # before the read: what is claimed meanwhile was held, too
        refreshed = self._refreshed
        found = await asyncio.to_thread(self._feed.read, self._seen, _PAGE, full)
        for delivery in found:
            if delivery.id not in held:
                self._put(delivery)
        if refreshed == self._refreshed:
            self._seen = found[-1].id if found else self._seen
            self._is_read = len(found) < _PAGE
        self._change.set()

    def _put(self, delivery: Delivery, otherwise: Route | None = None) -> None:
        route = self._route_for(delivery.domain) or otherwise or self._routes[0]
        self._assigned[route] += 1 / route.weight
        self._shelves[route].put(delivery)
        if delivery.id not in self._held:
            self._held.add(delivery.id)
            self._held_of[delivery.id // BLOCK] += 1

    def _route_for(self, domain: str) -> Route | None:
        """A relay that is there for the domain, else any that serves all; of several, the furthest behind its share."""
        up = [each for each in self._routes if each.is_up] or [each for each in self._routes if each.failure is None]
        able = [each for each in up if each.serves(domain)] or [each for each in up if each.serves_all] or up
        return min(able, key=self._assigned.__getitem__, default=None)

    def _release(self, route: Route, delivery: Delivery, *, counts: bool) -> None:
        route.pace.settle()
        self._pace.settle()
        if (pace := self._pace_of(delivery.domain)) is not None and not self._leaves_its_place(delivery):
            pace.settle()
        if not counts and route.left_today is not None:
            route.left_today += 1
        self._change.set()

    def _leaves_its_place(self, delivery: Delivery) -> bool:
        """Whether another on the same connection keeps the place that a delivery had with its domain."""
        if self._behind.pop(delivery.id, None) is not None:
            return True
        before = next((each for each, behind in self._behind.items() if behind == delivery.id), None)
        return before is not None and self._behind.pop(before) == delivery.id

    def _waiting(self, domain: str) -> int:
        return sum(shelf.count(domain) for shelf in self._shelves.values())

    def _may_go(self, domain: str, *, behind_one: bool = False) -> bool:
        pace = self._pace_of(domain)
        return pace is None or pace.wait(behind_one=behind_one) == 0

    def _pace_of(self, domain: str) -> Pace | None:
        pace = self._paces.get(domain)
        if pace is None and self._limits_domains and (limit := self._pacing.for_domain(domain)) != Limit():
            pace = self._paces[domain] = self._paced(f"domain {domain}", limit)
        return pace

    def _paced(self, name: str, limit: Limit) -> Pace:
        times, places = self._shared(name, limit)
        return Pace(limit, self._clock, times=times, places=places)

    def _wait(self, route: Route) -> float:
        """Seconds until it is worth to look again, unless something changes before."""
        domains = [pace.wait() for each in self._shelves[route].domains if (pace := self._pace_of(each)) is not None]
        soonest = min((each for each in domains if each is not None), default=0.0)
        waits = (route.pace.wait(), self._pace.wait(), soonest)
        return min(max(each if each is not None else _LONGEST_WAIT for each in waits) or _LONGEST_WAIT, _LONGEST_WAIT)
