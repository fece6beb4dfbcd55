"""Sends what the ledger has queued: offers, claims, hands over and records, over several connections at once.

A row is claimed when the relay waits for its content, in the transaction that records the connection's last outcome.
So a connection never has two unsettled rows, and a crash at any instant leaves at most one doubt per connection.
"""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from dispatcher.delivery.line import Line, Parcel, line_to
from dispatcher.delivery.relay import Relay, SmtpRelay
from dispatcher.delivery.smtp import Ending
from dispatcher.delivery.verdicts import Breaker, Phase, Then, Verdict, judge, next_attempt
from dispatcher.delivery.writer import Writer
from dispatcher.errors import DispatcherError, LedgerFailed, RelayUnusable, Unfinished
from dispatcher.models import Delivery, Outcome, State
from dispatcher.storage.ledger import Claim, Ledger

_PAGE = 500  # queued deliveries read at a time
_READERS_PER_CONNECTION = 20  # before a further one is opened
_START_WITHIN = timedelta(seconds=30)
_LONGEST_PAUSE = 60.0  # seconds between attempts to reach a lost relay
_QUICK_ATTEMPTS = 3  # after so many losses of the connection a reader waits like a deferred one

Build = Callable[[Delivery, datetime], Parcel | str]
"""Builds a delivery's message, dated with its first attempt, or says why the reader is skipped."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How long to try."""

    patience: timedelta  # for deferred readers and a lost relay
    retry_for: timedelta  # since a reader's first attempt; then the last reply is final
    clock: Callable[[], datetime] = _utc_now
    jitter: Callable[[], float] = random.random


async def deliver(
    ledger: Ledger,
    relay: Relay,
    build: Build,
    terms: Terms,
    *,
    progress: Callable[[Outcome], None],
    stop: asyncio.Event,
) -> None:
    """Sends all that is queued, then deferred readers when due, while patience lasts and `stop` is not set.

    Raises RelayUnusable when the relay refuses us or never answered, Unfinished when it was lost for too long,
    LedgerFailed when the ledger cannot be written.
    """
    writer = Writer(ledger, progress)
    breaker = Breaker(had_others=ledger.counts()[State.SENT] > 0)
    run = _Run(ledger=ledger, relay=relay, build=build, terms=terms, stop=stop, writer=writer, breaker=breaker)
    try:
        await _send_queued(run)
        until = terms.clock() + terms.patience
        while not stop.is_set() and (due := await asyncio.to_thread(ledger.next_due)) is not None and due <= until:
            await _pause(stop, (due - terms.clock()).total_seconds())
            await asyncio.to_thread(ledger.requeue_deferred, terms.clock())
            await _send_queued(run)
    finally:
        await writer.close()


@dataclass(slots=True, kw_only=True)
class _Run:
    """What the connections of one run share."""

    ledger: Ledger
    relay: Relay
    build: Build
    terms: Terms
    stop: asyncio.Event
    writer: Writer
    breaker: Breaker
    failure: DispatcherError | None = None
    lines: list[Line] = field(default_factory=list)
    has_connected: bool = False
    lost_since: datetime | None = None
    page: deque[Delivery] = field(default_factory=deque)
    seen: int = 0  # the highest id read from the ledger
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    in_hand: set[int] = field(default_factory=set)  # taken by a connection, not claimed yet

    @property
    def is_over(self) -> bool:
        return self.stop.is_set() or self.failure is not None

    def fail(self, error: DispatcherError) -> None:
        self.failure = self.failure or error


async def _send_queued(run: _Run) -> None:
    """Opens as many connections as the queue needs and lets each work until nothing is queued."""
    queued = (await asyncio.to_thread(run.ledger.counts))[State.QUEUED]
    most = run.relay.connections if isinstance(run.relay, SmtpRelay) else 1
    run.lines = [line_to(run.relay) for _ in range(min(most, 1 + queued // _READERS_PER_CONNECTION))]
    if queued and await _reach(run, run.lines[0]):
        try:
            async with asyncio.TaskGroup() as connections:
                for line in tuple(run.lines):
                    connections.create_task(_work(run, line))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from group
    if alike := run.breaker.meant_for_all():
        await asyncio.to_thread(run.ledger.put_back, alike)
        run.fail(_refuses_all(run))
    if run.failure is not None:
        raise run.failure


async def _work(run: _Run, line: Line) -> None:
    """One connection: offer, claim, hand over, and record with the next claim."""
    outcome: Outcome | None = None

    async def commit(claim: Claim | None = None) -> bool:
        """Records the outcome: once given to the writer it is never given again, unless the writer failed."""
        nonlocal outcome
        unrecorded, outcome = outcome, None
        try:
            return await run.writer.commit(unrecorded, claim)
        except LedgerFailed:
            outcome = unrecorded
            raise

    try:
        while True:
            if not line.is_open:  # to reach the relay again may take as long as patience
                await commit()
            if not await _reach(run, line) or (delivery := await _next(run)) is None:
                break
            at = run.terms.clock()
            if (parcel := await _parcel(run, line, delivery, at)) is None:
                continue
            had_carried = line.carried > 0
            ending = await line.offer(parcel)
            if had_carried and ending is not None and _is_session_end(ending):
                line.drop()  # it was about the connection: the reader was not tried
                run.in_hand.discard(delivery.id)
                run.page.appendleft(delivery)
                continue
            early = _weigh(run, line, delivery, at, ending) if ending is not None else None
            holds = await commit(Claim(delivery_id=delivery.id, at=at, ended=early))
            run.in_hand.discard(delivery.id)
            if early is None:
                outcome = await _content(run, line, delivery, parcel, at, holds=holds)
    except LedgerFailed as error:
        run.fail(error)
    finally:
        run.lines.remove(line)
        with contextlib.suppress(LedgerFailed):  # the run has failed by it; the row stays unsettled, a doubt
            await commit()
        await line.quit()


async def _parcel(run: _Run, line: Line, delivery: Delivery, at: datetime) -> Parcel | None:
    """The built message; None when the reader is skipped instead, or when no message of this size will do."""
    parcel = run.build(delivery, delivery.first_attempt_at or at)
    objection = parcel if isinstance(parcel, str) else line.objection(parcel)
    if objection is not None or isinstance(parcel, str):
        await run.writer.commit(Outcome(delivery_id=delivery.id, state=State.SKIPPED, reason=objection))
        run.in_hand.discard(delivery.id)
        return None
    if (most := line.most_octets()) and len(parcel.content) > most:
        run.fail(RelayUnusable(f"the relay takes {most} octets, a message has {len(parcel.content)}"))
        return None
    return parcel


async def _content(
    run: _Run, line: Line, delivery: Delivery, parcel: Parcel, at: datetime, *, holds: bool
) -> Outcome | None:
    """Gives the relay the content it waits for, or leaves it without the dot, so that it takes nothing."""
    if not holds:
        line.drop()
        return None
    return _weigh(run, line, delivery, at, await line.hand_over(parcel))


async def _reach(run: _Run, line: Line) -> bool:
    """Has the line open, waiting out a lost relay while patience lasts; False when this connection is to end."""
    while not run.is_over:
        if line.is_open:
            return True
        has_others = any(other.is_open for other in run.lines)
        if line.failures and has_others:
            return False  # the relay takes no more connections than these
        if run.lost_since is not None and not has_others:
            limit = run.terms.patience if run.has_connected else min(run.terms.patience, _START_WITHIN)
            if run.terms.clock() - run.lost_since >= limit:
                run.fail(_lost(run, line))
                return False
        await _pause(run.stop, min(2.0 ** (line.failures - 1), _LONGEST_PAUSE) if line.failures else 0)
        refusal = await line.open()
        if refusal is None:
            run.has_connected = True
            return not run.is_over
        if refusal.is_lasting:
            run.fail(RelayUnusable(f"relay {run.relay}: {refusal.reason}; nobody is marked"))
            return False
        line.failures += 1
        line.last_refusal = refusal.reason
        run.lost_since = run.lost_since or run.terms.clock()
    return False


async def _next(run: _Run) -> Delivery | None:
    """The next queued delivery; rows that were queued again are found by reading from the start once more."""
    async with run.reading:
        for start in (run.seen, 0):
            if not run.page and not run.is_over:
                held = frozenset(run.in_hand)  # before the read: what is claimed meanwhile was in hand, too
                found = await asyncio.to_thread(run.ledger.queued, after=start, limit=_PAGE)
                run.seen = found[-1].id if found else 0
                run.page.extend(delivery for delivery in found if delivery.id not in held)
        if not run.page or run.is_over:
            return None
        delivery = run.page.popleft()
        run.in_hand.add(delivery.id)
        return delivery


def _weigh(run: _Run, line: Line, delivery: Delivery, at: datetime, ending: Ending) -> Outcome:
    """What an attempt means for the reader, the line and the run."""
    verdict = judge(ending.phase, ending.reply)
    had_carried, line.carried = line.carried, line.carried + 1
    if verdict.then is not Then.GO_ON:
        line.drop()
    if verdict.then is Then.STOP:
        run.fail(RelayUnusable(f"relay {run.relay} refuses the sender: {ending.reply}; nobody is marked"))
    elif verdict.state is State.QUEUED:
        # A relay that ends a session after so many messages is well; one that never takes one is not.
        line.failures = 0 if had_carried else line.failures + 1
        if verdict.then is Then.WAIT and not had_carried:
            line.last_refusal = str(ending.reply)
            run.lost_since = run.lost_since or at
    else:
        line.failures = 0
        run.lost_since = None
    if run.breaker.note(delivery.id, ending.phase, ending.reply, verdict.state):
        run.fail(_refuses_all(run))
    return _outcome(run.terms, delivery, at, verdict, ending)


def _is_session_end(ending: Ending) -> bool:
    """Whether a relay ended a session before it heard of a reader; some do so after every few messages."""
    return ending.phase is Phase.MAIL and (ending.reply is None or ending.reply.code == 421)


def _outcome(terms: Terms, delivery: Delivery, at: datetime, verdict: Verdict, ending: Ending) -> Outcome:
    state, due_at = verdict.state, None
    attempts = delivery.attempts + 1
    if verdict.then is Then.RECONNECT and state is State.QUEUED and attempts >= _QUICK_ATTEMPTS:
        state = State.DEFERRED
    if state is State.DEFERRED:
        deadline = (delivery.first_attempt_at or at) + terms.retry_for
        due_at = min(next_attempt(attempts, now=at, jitter=terms.jitter()), deadline)
        if at >= deadline:
            state, due_at = State.REFUSED, None
    reason = None if ending.reply else f"the connection was lost at {ending.phase}"
    return Outcome(delivery_id=delivery.id, state=state, reply=ending.reply, reason=reason, due_at=due_at)


def _lost(run: _Run, line: Line) -> DispatcherError:
    if run.has_connected:
        return Unfinished(f"relay {run.relay} was lost for longer than --patience: {line.last_refusal}; run it again")
    return RelayUnusable(f"relay {run.relay} cannot be reached: {line.last_refusal}; nobody is marked")


def _refuses_all(run: _Run) -> RelayUnusable:
    return RelayUnusable(f"relay {run.relay} refuses every message: {run.breaker.words}; nobody is marked")


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    """Waits, but not longer than until `stop` is set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(seconds, 0)):
            await stop.wait()
