"""Runs the engine until it is done or interrupted: the first signal lets conversations end, the next abandons them."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from dispatcher.delivery.courier import pause
from dispatcher.delivery.engine import deliver
from dispatcher.delivery.feed import Dealer
from dispatcher.delivery.recovery import NEVER, recover
from dispatcher.delivery.relay import Relay
from dispatcher.delivery.terms import Build, Sign, Terms
from dispatcher.errors import LedgerFailed
from dispatcher.models import Outcome
from dispatcher.storage.ledger import Ledger

_BETWEEN_LOOKS = 0.5  # seconds
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(
    ledger: Ledger,
    relays: Sequence[Relay],
    build: Build,
    terms: Terms,
    *,
    sign: Sign | None = None,
    recorders: Path,
    progress: Callable[[Outcome], None],
    say: Callable[[str], None],
    why_stopped: Callable[[], str | None] = lambda: None,
    on_interrupt: Callable[[], None] = lambda: None,
    deal: Callable[[], AbstractAsyncContextManager[Dealer]] | None = None,
    heeds_signals: bool = True,
) -> bool:
    """As engine.deliver. Returns False early, with rows left, when interrupted or when `why_stopped` gives a reason.

    `deal` opens the dealer of a run that is one of several. Only in the main thread are there signals to heed.
    """

    async def main() -> bool:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()

        async def send() -> None:
            async with deal() if deal is not None else contextlib.nullcontext() as dealer:
                await deliver(
                    ledger, relays, build, terms, sign=sign, recorders=recorders, progress=progress, say=say, stop=stop,
                    dealer=dealer,
                )  # fmt: skip

        sending = asyncio.create_task(send())

        def interrupted() -> None:
            if stop.is_set():
                sending.cancel()
            else:
                stop.set()
                say("stopping: open conversations are finished first; once more abandons them")

        def heard() -> None:
            on_interrupt()
            with contextlib.suppress(RuntimeError):  # the loop is closed: there is nothing left to stop
                loop.call_soon_threadsafe(interrupted)

        if heeds_signals:
            for each in _SIGNALS:  # by handlers of Python's: a loop's own lose a signal that comes while it closes
                signal.signal(each, lambda *_: heard())
        watching = asyncio.create_task(_watch(why_stopped, stop, say))
        try:
            await sending
        except asyncio.CancelledError:
            recover(ledger, relays[0], recorders, dead_after=NEVER)
        finally:
            watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        return not stop.is_set()

    kept = _signals_given_back() if heeds_signals else contextlib.nullcontext()
    with kept, asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main())


@contextlib.contextmanager
def _signals_given_back() -> Iterator[None]:
    before = {each: signal.getsignal(each) for each in _SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


async def _watch(why_stopped: Callable[[], str | None], stop: asyncio.Event, say: Callable[[str], None]) -> None:
    while not stop.is_set():
        try:
            why = await asyncio.to_thread(why_stopped)
        except LedgerFailed:  # nothing more can be claimed either
            stop.set()
            raise
        if why is not None:
            say(f"{why}; open conversations are finished")
            stop.set()
        await pause(stop, _BETWEEN_LOOKS)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  absent where it has no wheel
    except ImportError:
        return None
    return uvloop.new_event_loop
