"""Asks for this run's share of the limits that all runs together keep, as long as it sends."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import islice

from dispatcher.delivery.courier import pause
from dispatcher.delivery.grants import POLL, Places, Times
from dispatcher.delivery.pace import Limit
from dispatcher.delivery.route import Route
from dispatcher.delivery.run_state import Run
from dispatcher.delivery.terms import Terms
from dispatcher.errors import LedgerFailed
from dispatcher.storage.allowances import Allowances, MessageWish, PlaceWish, keep_used, reserve
from dispatcher.storage.ledger import Ledger

ALL = "all"
_DOMAIN = "domain "  # before its name
_MOST_DOMAINS = 500  # asked for at a time
_LOST_AFTER = 10.0  # seconds without an answer
_DAY = timedelta(days=1)
_BETWEEN_DAYS = 1.0  # seconds between two questions for more of a relay's day that is used up
_TIME_TO_END = 5.0  # seconds for a question that is on its way


class Sharing:
    """What this run has of each limit, and the connection over which it asks for more."""

    def __init__(self, ledger: Ledger, terms: Terms) -> None:
        self._ledger = ledger
        self._terms = terms
        self._allowances = Allowances(ledger.database)
        self._times: dict[str, Times] = {}
        self._places: dict[str, Places] = {}
        self._domains: dict[str, None] = {}  # of which something is at hand, on its way or held, in the order of asking
        self._reserved: dict[Route, int] = {}  # messages of a relay's day
        self._reserve_at: dict[Route, float] = {}
        self._answered_at = 0.0

    def keep(self, key: str, limit: Limit) -> tuple[Times | None, Places | None]:
        """What keeps a limit in this run; a backlog.Shared."""
        if limit.per_second is not None:
            self._times[key] = Times(key, limit.per_second, self._terms.ticks)
        if limit.connections is not None:
            self._places[key] = Places(key, limit.connections, self._terms.ticks)
        return self._times.get(key), self._places.get(key)

    @asynccontextmanager
    async def asking(self, run: Run) -> AsyncIterator[None]:
        """Asks once, and then whenever something is wanted, until the block ends."""
        ended = asyncio.Event()
        self._answered_at = self._terms.ticks()
        for route in run.routes:
            route.lines_wanted = 1  # which begins alone
        await self._ask(run)
        for route in run.routes:
            route.lines_wanted = 0
        asking = asyncio.create_task(self._go_on_asking(run, ended))
        asking.add_done_callback(lambda task: None if task.cancelled() or not task.exception() else run.stop.set())
        try:
            yield
        finally:
            ended.set()
            await asyncio.wait({asking}, timeout=_TIME_TO_END)
            self._allowances.close()
        await asking

    async def _go_on_asking(self, run: Run, ended: asyncio.Event) -> None:
        while not ended.is_set():
            await pause(ended, POLL * random.uniform(0.75, 1.25))  # noqa: S311  so that no run is always the second
            await self._ask(run)

    async def _ask(self, run: Run) -> None:
        messages, places = self._wishes(run)
        try:
            if messages or places:
                await self._deal(messages, places)
            for route in run.routes:
                if route.most_today is not None:
                    await self._reserve(route, route.most_today)
            self._answered_at = self._terms.ticks()
        except LedgerFailed as error:  # what was not granted does not go
            for wish in places:
                self._places[wish.key].ask_again()
            if self._terms.ticks() - self._answered_at > _LOST_AFTER:
                run.failure = run.failure or error
        run.backlog.look_again()

    def _wishes(self, run: Run) -> tuple[list[MessageWish], list[PlaceWish]]:
        backlog = run.backlog
        messages = [self._times[ALL].wish(backlog.at_hand)] if ALL in self._times else []
        places: list[PlaceWish | None] = []
        for route in run.routes:
            if (times := self._times.get(route.key)) is not None:
                messages.append(times.wish(backlog.at_hand_over(route)))
            if route.places is not None:
                places.append(route.places.wish(in_use=route.lines_held, wanted=route.lines_wanted))
        if run.terms.pacing.limits_domains:
            self._domains.update(dict.fromkeys(backlog.domains_at_hand))
        lines = max(sum(route.lines_held for route in run.routes), 1)
        for domain in list(islice(self._domains, _MOST_DOMAINS)):
            del self._domains[domain]
            waiting, in_hand = backlog.load(domain)
            if (times := self._times.get(_DOMAIN + domain)) is not None:
                messages.append(times.wish(waiting))
            if (held := self._places.get(_DOMAIN + domain)) is not None:
                places.append(held.wish(in_use=in_hand, wanted=min(waiting + in_hand, lines)))
            if waiting or in_hand or (held is not None and held.count):
                self._domains[domain] = None  # behind the others
        return [each for each in messages if each is not None], [each for each in places if each is not None]

    async def _deal(self, messages: list[MessageWish], places: list[PlaceWish]) -> None:
        dealt = await asyncio.to_thread(self._allowances.deal, self._run_id, messages, places)
        for key, grant in dealt.messages.items():
            self._times[key].receive(grant)
        for key, count in dealt.places.items():
            self._places[key].receive(count)

    async def _reserve(self, route: Route, most: int) -> None:
        """Sees to it that a relay's connections have messages of the day, and that others have them else."""
        left, now = route.left_today or 0, self._terms.ticks()
        reserved = self._reserved.get(route, 0)
        if not route.lines_wanted and left and route in self._reserve_at:
            route.left_today, route.may_get_more_today = 0, True
            self._reserved[route] = reserved - left
            await asyncio.to_thread(keep_used, self._ledger.database, self._run_id, route.day_key, used=reserved - left)
        elif left <= route.lines_held and now >= self._reserve_at.get(route, now):
            if route in self._reserve_at and not route.lines_wanted:
                return
            got = await asyncio.to_thread(
                reserve, self._ledger.database, self._run_id, route.day_key, relay=str(route.relay),
                since=self._terms.clock() - _DAY, most=most, used=reserved - left,
            )  # fmt: skip
            self._reserved[route] = reserved + got.messages
            self._reserve_at[route] = now if got.messages else now + _BETWEEN_DAYS
            route.left_today = (route.left_today or 0) + got.messages
            route.may_get_more_today = not got.is_over

    @property
    def _run_id(self) -> int:
        if self._ledger.run is None:
            raise RuntimeError("a run without a number asks for its share")
        return self._ledger.run
