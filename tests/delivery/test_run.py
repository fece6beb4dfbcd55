"""A run hears of every signal, and leaves signals as it found them."""

import os
import signal
from datetime import timedelta

from dispatcher.delivery.relay import read_relay
from dispatcher.delivery.run import run
from dispatcher.delivery.terms import Terms
from dispatcher.models import Outcome, State
from tests.delivery.office import Office, build
from tests.delivery.test_quota import office as sixty_readers

__all__ = ["sixty_readers"]


def test_a_signal_is_heard_while_a_run_ends_and_after_it(sixty_readers: Office) -> None:
    office, heard = sixty_readers, list[str]()

    def interrupt_the_last(outcome: Outcome) -> None:
        office.told.append(outcome)
        if len(office.told) == 60:
            os.kill(os.getpid(), signal.SIGTERM)

    earlier = signal.signal(signal.SIGTERM, lambda *_: heard.append("by who ran it"))
    try:
        run(
            office.ledger, [read_relay(office.relay.url, folder=office.folder)], build,
            Terms(patience=timedelta(), retry_for=timedelta(days=1)), recorders=office.folder,
            progress=interrupt_the_last, say=office.said.append, on_interrupt=lambda: heard.append("by the run"),
        )  # fmt: skip
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, earlier)
    assert heard == ["by the run", "by who ran it"]
    assert set(office.states.values()) == {State.SENT}
