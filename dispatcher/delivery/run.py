"""Runs the engine until it is done or interrupted: the first signal lets conversations end, the next abandons them."""

import asyncio
import signal
from collections.abc import Callable

from dispatcher.delivery.engine import Build, Terms, deliver
from dispatcher.delivery.recovery import recover
from dispatcher.delivery.relay import Relay
from dispatcher.models import Outcome
from dispatcher.storage.ledger import Ledger


def run(
    ledger: Ledger,
    relay: Relay,
    build: Build,
    terms: Terms,
    *,
    progress: Callable[[Outcome], None],
    say: Callable[[str], None],
) -> None:
    """As engine.deliver; returns early, with rows left, when interrupted."""

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        sending = asyncio.create_task(deliver(ledger, relay, build, terms, progress=progress, stop=stop))

        def interrupted() -> None:
            if stop.is_set():
                sending.cancel()
            else:
                stop.set()
                say("stopping: open conversations are finished first; once more abandons them")

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupted)
        try:
            await sending
        except asyncio.CancelledError:
            recover(ledger, relay)

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(main())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  absent where it has no wheel
    except ImportError:
        return None
    return uvloop.new_event_loop
