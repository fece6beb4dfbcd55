"""Sends what the ledger has queued over every relay at once, then who was deferred, as long as patience lasts."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from pathlib import Path

from dispatcher.delivery.backlog import Backlog, Shared, alone
from dispatcher.delivery.courier import Courier, pause
from dispatcher.delivery.feed import Blocks, Dealer, Feed, WholeMailing
from dispatcher.delivery.grants import POLL
from dispatcher.delivery.lease import Lease
from dispatcher.delivery.limits import Sharing
from dispatcher.delivery.pace import Limit, Pace
from dispatcher.delivery.recorder import Slot, record, recorder_of
from dispatcher.delivery.relay import MaildirRelay, Relay
from dispatcher.delivery.route import Route, has_had_its_day, key_of, refuses_all
from dispatcher.delivery.run_state import Run
from dispatcher.delivery.terms import Build, Sign, Terms
from dispatcher.delivery.verdicts import Breaker
from dispatcher.delivery.warm_up import messages_in_a_day
from dispatcher.delivery.writer import Writer
from dispatcher.errors import LedgerFailed, LostTouch, RelayUnusable, Unfinished
from dispatcher.models import Outcome, State
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.runs import end_run, give_sign_of_life

_DAY = timedelta(days=1)
_BETWEEN_TIDYINGS = 0.5  # seconds
_REMEMBERED = timedelta(days=30)  # receivers forget a sender in about that time


async def deliver(
    ledger: Ledger,
    relays: Sequence[Relay],
    build: Build,
    terms: Terms,
    *,
    sign: Sign | None = None,
    recorders: Path,
    progress: Callable[[Outcome], None],
    say: Callable[[str], None],
    stop: asyncio.Event,
    dealer: Dealer | None = None,
) -> None:
    """Sends all that is queued, then deferred readers when due, while patience lasts and `stop` is not set.

    With a `dealer` the run is one of several: it sends what is dealt out to it, until there is no more just now.
    `recorders` is the folder of flight recorders. Raises RelayUnusable when no relay takes our mail, Unfinished when
    they were lost for too long or have had their day's messages, LedgerFailed when the ledger cannot be written.
    """
    had_others = ledger.counts()[State.SENT] > 0
    sharing = Sharing(ledger, terms) if ledger.database.is_shared else None
    shared = sharing.keep if sharing else alone
    routes = [_route(ledger, each, terms, shared, had_others=had_others) for each in relays]
    feed: Feed = WholeMailing(ledger) if dealer is None else Blocks(ledger, dealer, terms.clock)
    run = Run(
        ledger=ledger,
        routes=routes,
        feed=feed,
        backlog=Backlog(feed, routes, terms.pacing, terms.ticks, most=terms.most, shared=shared),
        build=build,
        sign=sign,
        terms=terms,
        writer=Writer(ledger, progress),
        stop=stop,
        lease=Lease(terms.dead_after) if ledger.database.is_shared else None,
        say=say,
    )
    try:
        with _numbered(ledger, recorders, slots=sum(route.most_lines for route in routes)) as slots:
            async with _living(run, dealer), sharing.asking(run) if sharing else contextlib.nullcontext():
                await _send(run, slots, dealer)
    finally:
        await run.writer.close()


async def _send(run: Run, slots: Sequence[Slot], dealer: Dealer | None) -> None:
    if dealer is not None:
        await _send_share(run, slots, dealer)
        return
    await _send_queued(run, slots)
    patience_ends = run.terms.ticks() + run.terms.patience.total_seconds()  # whatever becomes of the clock
    while not run.stop.is_set() and (due := await asyncio.to_thread(run.ledger.next_due)) is not None:
        wait = (due - run.terms.clock()).total_seconds()
        if wait > patience_ends - run.terms.ticks():
            break
        await pause(run.stop, wait)
        await asyncio.to_thread(run.ledger.requeue_deferred, run.terms.clock())
        run.backlog.refresh()
        await _send_queued(run, slots)


@contextlib.contextmanager
def _numbered(ledger: Ledger, recorders: Path, *, slots: int) -> Iterator[list[Slot]]:
    """A run with its number and its recorder; one that could not record all it knew is left to recovery."""
    number = ledger.begin_run()
    try:
        with record(recorder_of(recorders, ledger.database, number), run=number, slots=slots) as made:
            yield made
    except (RelayUnusable, Unfinished):
        end_run(ledger.database, number)
        raise
    end_run(ledger.database, number)


async def _send_share(run: Run, slots: Sequence[Slot], dealer: Dealer) -> None:
    """Sends block after block."""
    if run.ledger.run is not None:
        await dealer.join(run.ledger.run)
    tidying = asyncio.create_task(_tidy(run))
    try:
        while not run.is_over and (await run.feed.left() or await run.feed.more()):
            before = await run.feed.left()
            await _send_queued(run, slots)
            await run.feed.tidy(lambda _: False)  # no connection is open
            if before and await run.feed.left() == before and not run.is_over:
                raise Unfinished("nobody could be mailed just now")
    finally:
        tidying.cancel()
        await asyncio.gather(tidying, return_exceptions=True)
    if run.failure is not None:
        raise run.failure


@contextlib.asynccontextmanager
async def _living(run: Run, dealer: Dealer | None) -> AsyncIterator[None]:
    """Gives signs of life where others could take the run for dead."""
    if run.lease is None:
        yield
        return
    staying = asyncio.create_task(_stay_alive(run, run.lease, dealer))
    try:
        yield
    finally:
        staying.cancel()
        await asyncio.gather(staying, return_exceptions=True)
    if run.has_lost_touch:
        raise LostTouch("the database took no sign of life for too long: what is left goes to others")


async def _stay_alive(run: Run, lease: Lease, dealer: Dealer | None) -> None:
    """While nobody hears it, the run goes on until its lease is over."""
    number = run.ledger.run
    if number is None:
        raise RuntimeError("a run that others could take for dead has a number")
    while True:
        await asyncio.sleep(lease.beat)
        asked_at = lease.ticks()
        with contextlib.suppress(LedgerFailed):
            if not await asyncio.to_thread(give_sign_of_life, run.ledger.database, number):
                lease.end()
                return
            lease.renew(asked_at)
            if dealer is not None:
                await dealer.give_sign_of_life()


async def _tidy(run: Run) -> None:
    while True:
        await asyncio.sleep(_BETWEEN_TIDYINGS)
        try:
            await run.feed.tidy(run.backlog.holds)
        except LedgerFailed as error:
            run.failure = error
            return


async def _send_queued(run: Run, slots: Sequence[Slot]) -> None:
    """Lets the relays carry until nothing is queued; what one of them gave back at its end, the others take."""
    queued, before = await run.feed.left(), None
    while queued and (now := (queued, run.usable)) != before and not run.is_over:
        free = iter(slots)
        await _together(_send_over(run, route, queued, list(islice(free, route.most_lines))) for route in run.routes)
        if run.failure is not None:
            raise run.failure
        queued, before = await run.feed.left(), now
        run.backlog.refresh()


async def _send_over(run: Run, route: Route, queued: int, slots: Sequence[Slot]) -> None:
    """Opens as many connections as the queue needs, the first one alone, and lets each work to its end."""
    if route.failure is not None:
        return
    if route.has_had_its_day:
        run.lose(route, has_had_its_day(route))
        return
    route.lines_wanted = route.lines_for(queued)
    try:
        await _carry_over(run, route, deque(slots))
    finally:
        route.lines_wanted = 0
    route.lines.clear()
    if alike := route.breaker.meant_for_all():
        await asyncio.to_thread(run.ledger.put_back, alike)
        run.backlog.refresh()
        run.lose(route, refuses_all(route))


async def _carry_over(run: Run, route: Route, free: deque[Slot]) -> None:
    """Where other runs have connections to the relay, too, some may end before their work does, or begin later."""

    async def work(courier: Courier, slot: Slot) -> None:
        await courier.work()
        free.append(slot)
        if not courier.makes_room:
            route.lines_wanted -= 1

    has_reached = False
    async with _errors_as_they_were(), asyncio.TaskGroup() as group:
        while route.lines_wanted and not run.is_over and route.failure is None:
            if route.has_a_place and free and route.lines_held < route.lines_wanted:
                courier = Courier(run, route, route.draw_line(), slot := free.popleft())
                if not has_reached and not await courier.reach():
                    route.lines_held -= 1
                    return
                has_reached = True
                group.create_task(work(courier, slot))
            elif route.places is None or (not route.lines_held and run.backlog.is_exhausted):
                return
            else:
                await pause(run.stop, POLL)


async def _together(tasks: Iterable[Coroutine[None, None, None]]) -> None:
    """Runs them side by side; the first error ends all, and is raised as it was."""
    async with _errors_as_they_were(), asyncio.TaskGroup() as group:
        for task in tasks:
            group.create_task(task)


@contextlib.asynccontextmanager
async def _errors_as_they_were() -> AsyncIterator[None]:
    """Of a group, the first."""
    try:
        yield
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from errors


def _route(ledger: Ledger, relay: Relay, terms: Terms, shared: Shared, *, had_others: bool) -> Route:
    breaker = Breaker(had_others=had_others)
    if isinstance(relay, MaildirRelay):
        return Route(relay=relay, pace=Pace(Limit(), terms.ticks), breaker=breaker)
    limit = Limit(per_second=relay.per_second)
    times, places = shared(key_of(relay), replace(limit, connections=relay.connections))
    route = Route(relay=relay, pace=Pace(limit, terms.ticks, times=times), breaker=breaker, places=places)
    if relay.per_day is not None:
        now = terms.clock()
        sent, first_at = ledger.sent_over(str(relay), since=now - _DAY)
        most = relay.per_day
        if relay.warm_up is not None:
            busiest = ledger.busiest_day_over(str(relay), since=now - _REMEMBERED, until=now - _DAY)
            most = messages_in_a_day(relay.warm_up, busiest=busiest, most=relay.per_day)
        route.most_today = most
        route.may_get_more_today = shared is not alone
        route.left_today = 0 if route.may_get_more_today else max(most - sent, 0)
        route.more_at = (first_at or now) + _DAY
    return route
