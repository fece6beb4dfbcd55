"""Carries messages over one connection: offers, claims, hands over, and records with the next claim.

A row is claimed when the relay waits for its content, in the transaction that records the connection's last outcome.
So a connection never has two unsettled rows, and a crash at any instant leaves at most one doubt per connection.
"""

import asyncio
import contextlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dispatcher.delivery.line import Line, Parcel
from dispatcher.delivery.outcome import outcome_of
from dispatcher.delivery.pace import asks_for_less, asks_for_tomorrow, speaks_of_all
from dispatcher.delivery.recorder import Slot
from dispatcher.delivery.route import Route, has_had_its_day, refuses_all
from dispatcher.delivery.run_state import Run
from dispatcher.delivery.smtp import Ending
from dispatcher.delivery.verdicts import Phase, Then, Verdict, judge
from dispatcher.errors import DispatcherError, LedgerFailed, RelayUnusable, Unfinished
from dispatcher.models import Delivery, Outcome, State
from dispatcher.storage.pen import Claim

_START_WITHIN = timedelta(seconds=30)
_LONGEST_PAUSE = 60.0  # seconds between attempts to reach a lost relay
_LONGEST_BLINK = 0.5  # seconds after which a courier that waits sees that others are done


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """A delivery that a courier has taken, with its message."""

    delivery: Delivery
    parcel: Parcel
    at: datetime


class Courier:
    """One connection to one relay."""

    def __init__(self, run: Run, route: Route, line: Line, slot: Slot) -> None:
        self._run = run
        self._route = route
        self._line = line
        self._slot = slot
        self._turn: _Turn | None = None
        self._unrecorded: Outcome | None = None
        self.makes_room = False  # its connection ends though there is work, for another run's

    async def work(self) -> None:
        """Carries until nothing is left for this connection, or the run or its relay is over."""
        try:
            while await self._offer():
                await self._carry()
        except LedgerFailed as error:
            self._run.failure = error  # above all others: what cannot be recorded must not go on, or be forgotten
        finally:
            self._route.lines.remove(self._line)
            if self._turn is not None:
                self._run.backlog.give_back(self._route, self._turn.delivery)
            try:
                await self._commit()
            except LedgerFailed as error:  # the row stays unsettled, and the recorder with it
                self._run.failure = error
            await self._line.quit()
            self._route.lines_held -= 1
            self._route.leaving -= self.makes_room

    async def _offer(self) -> bool:
        """Has an envelope with the relay; False when this connection is to end."""
        if self._line.has_offer:  # it went with the content before
            return True
        if self._is_one_too_many():
            return False
        if not self._line.is_open:  # to reach the relay again may take as long as patience
            await self._commit()
        if not await self.reach():
            return False
        if self._turn is None:
            self._turn = await self._following()
        if self._turn is None:
            await self._commit()  # pacing may make us wait for long
            self._turn = await self._next()
        if self._turn is None:
            return False
        self._line.offer(self._turn.parcel)
        return True

    async def _carry(self) -> None:
        """One message, from the relay's answer to its envelope to the reply to its content."""
        turn, line = self._turn, self._line
        if turn is None:
            raise RuntimeError("an envelope is out that is nobody's")
        early = await line.answer()
        if early is not None and line.carried and _is_session_end(early):
            line.drop()  # it was about the connection: the reader was not tried
            return
        if early is None and self._is_over:
            line.withhold()
            return
        ended = None if early is None else self._weigh(turn, early)
        following = await self._following(turn.delivery) if early is None else None
        self._turn = None  # from here on the ledger knows it
        try:
            holds = await self._commit(Claim(delivery_id=turn.delivery.id, at=turn.at, ended=ended))
            if early is None and holds:
                self._slot.claimed(turn.delivery.id)
                ending = await line.hand_over(turn.parcel, following.parcel if following else None, self._may_end)
                if ending.reply is not None:
                    self._slot.answered(ending.reply)
                self._unrecorded = self._weigh(turn, ending)
            elif early is None:
                line.withhold()
            if not holds:
                await self._run.notice_its_end()
        finally:
            counts = self._unrecorded is not None and self._unrecorded.state in {State.SENT, State.IN_DOUBT}
            self._run.backlog.settle(self._route, turn.delivery, counts=counts)
            self._turn = following

    def _may_end(self) -> bool:
        """Asked immediately before the relay may have the message."""
        if self._run.has_lost_touch:
            return False
        self._slot.ending()
        return True

    @property
    def _is_over(self) -> bool:
        return self._run.is_over or self._route.failure is not None

    async def _commit(self, claim: Claim | None = None) -> bool:
        """Records the last outcome: once given to the writer it is never given again, unless the writer failed."""
        unrecorded, self._unrecorded = self._unrecorded, None
        try:
            holds = await self._run.writer.commit(unrecorded, claim)
        except LedgerFailed:
            self._unrecorded = unrecorded
            raise
        if unrecorded is not None:
            self._slot.settled()
        recorded = (unrecorded, claim.ended if claim else None)
        if any(outcome is not None and outcome.state is State.QUEUED for outcome in recorded):
            self._run.backlog.refresh()
        return holds

    async def _next(self) -> _Turn | None:
        """The next message, as soon as pacing grants one."""
        while (found := await self._run.backlog.next(self._route, is_over=self._is_to_end)) is not None:
            if (turn := await self._made(found)) is not None:
                return turn
        if self._route.has_had_its_day and not self._run.backlog.is_exhausted:
            self._run.lose(self._route, has_had_its_day(self._route))
        return None

    def _is_to_end(self) -> bool:
        return self._is_over or self._is_one_too_many()

    async def _following(self, current: Delivery | None = None) -> _Turn | None:
        """The next message if pacing grants one now: a relay is not kept waiting for the content of `current`."""
        while not self._is_over and not self._is_one_too_many():
            await self._run.backlog.fill(self._route)
            if (found := self._run.backlog.take(self._route, behind=current)) is None:
                break
            if (turn := await self._made(found)) is not None:
                return turn
        return None

    def _is_one_too_many(self) -> bool:
        if not self.makes_room and self._route.has_too_many_lines:
            self.makes_room = True
            self._route.leaving += 1
        return self.makes_room

    async def _made(self, delivery: Delivery) -> _Turn | None:
        """The delivery with its message; None when the reader is skipped, or no message of this size will do."""
        run, line = self._run, self._line
        at = run.terms.clock()
        parcel = run.build(delivery, delivery.first_attempt_at or at)
        objection = parcel if isinstance(parcel, str) else line.objection(parcel)
        if objection is not None or isinstance(parcel, str):
            await run.writer.commit(
                Outcome(delivery_id=delivery.id, state=State.SKIPPED, reason=objection, domain=delivery.domain)
            )
            run.backlog.settle(self._route, delivery, counts=False)
            return None
        if run.sign is not None:
            parcel = replace(parcel, content=[await run.sign(parcel.content), *parcel.content])
        if (most := line.most_octets()) and parcel.octets > most:
            error = f"relay {self._route.relay} takes {most} octets, a message has {parcel.octets}"
            run.lose(self._route, RelayUnusable(error))
            run.backlog.give_back(self._route, delivery)
            return None
        return _Turn(delivery=delivery, parcel=parcel, at=at)

    async def reach(self) -> bool:
        """Has the line open, waiting out a lost relay while patience lasts; False when this connection is to end."""
        run, route, line = self._run, self._route, self._line
        while not self._is_over:
            if line.is_open:
                return True
            has_others = any(other.is_open for other in route.lines)
            if line.failures and has_others:
                return False  # the relay takes no more connections than these
            if route.lost_since is not None and not has_others:
                limit = run.terms.patience if route.has_connected else min(run.terms.patience, _START_WITHIN)
                if run.terms.ticks() - route.lost_since >= limit.total_seconds():
                    run.lose(route, self._lost())
                    return False
            if line.failures and await self._is_done_without(min(2.0 ** (line.failures - 1), _LONGEST_PAUSE)):
                return False
            refusal = await line.open()
            if refusal is None:
                route.has_connected = True
                return not self._is_over
            if refusal.is_lasting:
                run.lose(route, RelayUnusable(f"relay {route.relay}: {refusal.reason}; nobody is marked"))
                return False
            line.failures += 1
            line.last_refusal = refusal.reason
            route.lose(run.terms.ticks())
            self._leave_it_to_others()
        return False

    async def _is_done_without(self, seconds: float) -> bool:
        """Waits before the next attempt to reach the relay, unless others finish what is left meanwhile."""
        until = asyncio.get_running_loop().time() + seconds
        while (left := until - asyncio.get_running_loop().time()) > 0 and not self._is_over:
            if self._turn is None and self._run.backlog.is_exhausted and self._has_others:
                return True
            await pause(self._run.stop, min(left, _LONGEST_BLINK))
        return False

    @property
    def _has_others(self) -> bool:
        return any(other.is_up for other in self._run.routes if other is not self._route)

    def _leave_it_to_others(self) -> None:
        """While this relay is lost, relays that are not carry what it had."""
        if not self._route.is_up and self._has_others:
            if self._turn is not None:
                self._run.backlog.give_back(self._route, self._turn.delivery)
                self._turn = None
            self._run.backlog.reassign(self._route)

    def _weigh(self, turn: _Turn, ending: Ending) -> Outcome:
        """What an attempt means for the reader, the line, the relay and the run."""
        run, route, line = self._run, self._route, self._line
        verdict = judge(ending.phase, ending.reply)
        had_carried, line.carried = line.carried, line.carried + 1
        if verdict.then is not Then.GO_ON:
            line.drop()
        if asks_for_tomorrow(ending.reply):
            run.lose(
                route, Unfinished(f"relay {route.relay} wants no more today: {ending.reply}; run it again tomorrow")
            )
            verdict = Verdict(state=State.QUEUED, then=Then.GO_ON)
        elif verdict.then is Then.STOP:
            run.lose(route, RelayUnusable(f"relay {route.relay} refuses the sender: {ending.reply}; nobody is marked"))
        elif verdict.state is State.QUEUED:
            # A relay that ends a session after so many messages is well; one that never takes one is not.
            line.failures = 0 if had_carried else line.failures + 1
            if verdict.then is Then.WAIT and not had_carried:
                line.last_refusal = str(ending.reply)
                route.lose(run.terms.ticks())
        else:
            line.failures = 0
            route.lost_since = None
        if asks_for_less(ending.reply):
            is_relays = ending.phase is Phase.MAIL or speaks_of_all(ending.reply)
            route.pace.slow_down() if is_relays else run.backlog.slow_down(turn.delivery.domain)
        if route.breaker.note(turn.delivery.id, ending.phase, ending.reply, verdict.state):
            run.lose(route, refuses_all(route))
        return outcome_of(turn.delivery, turn.at, verdict, ending, run.terms, relay=str(route.relay))

    def _lost(self) -> DispatcherError:
        relay, why = self._route.relay, self._line.last_refusal
        if self._route.has_connected:
            return Unfinished(f"relay {relay} was lost for longer than --patience: {why}; run it again")
        return RelayUnusable(f"relay {relay} cannot be reached: {why}; nobody is marked")


def _is_session_end(ending: Ending) -> bool:
    """Whether a relay ended a session before it heard of a reader; some do so after every few messages."""
    return ending.phase is Phase.MAIL and (ending.reply is None or ending.reply.code == 421)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Waits, but not longer than until `stop` is set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(seconds, 0)):
            await stop.wait()
