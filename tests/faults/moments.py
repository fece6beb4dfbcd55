"""What may happen to one of several workers at a moment of its own, and what an operator may ask of all of them."""

import signal
import time

from dispatcher.models import State
from tests.faults.machines import Fleet
from tests.faults.sick import FAKETIME
from tests.servers.cell import absent

_AT_ONCE = 10.0  # seconds in which all stop: a look, and the conversations that are open
_HOUR = 3600


def keep_wrong_time(fleet: Fleet) -> str:
    """Two workers send, one with a clock that is an hour ahead, one with a clock that is an hour behind."""
    if not FAKETIME.exists():
        absent("faketime")
    for machine, seconds in zip(fleet.machines, (_HOUR, -_HOUR), strict=False):
        machine.start({"LD_PRELOAD": str(FAKETIME), "FAKETIME": f"{seconds:+d}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
    fleet.begin()
    fleet.wait_until(fleet.is_over)
    _end(fleet)
    assert not fleet.doubts_by_run()
    assert all("this worker mailed" in each.said for each in fleet.machines[:2]), fleet.story()
    return "clocks an hour ahead and behind: 0 in doubt"


def stop_for_long(fleet: Fleet) -> str:
    """A worker is stopped in mid-send, taken for dead, and goes on: it hands over nothing more."""
    _start(fleet)
    machine = next(each for each in fleet.machines if fleet.runs_of(each))
    assert machine.worker
    fleet.harmed |= (runs := fleet.runs_of(machine))
    machine.worker.send_signal(signal.SIGSTOP)
    try:
        fleet.wait_until(lambda: not fleet.runs_of(machine))
        doubted = fleet.doubts_by_run()
    finally:
        machine.worker.send_signal(signal.SIGCONT)
    assert doubted.keys() <= runs
    fleet.wait_until(fleet.is_over)
    _end(fleet)
    left = sum(fleet.doubts_by_run().values())
    return f"SIGSTOP till it was taken for dead: {sum(doubted.values())} in doubt, {left} after SIGCONT"


def terminate_one(fleet: Fleet) -> str:
    """A worker ends in mid-issue as it is asked to; the others end the issue."""
    _start(fleet)
    next(each for each in fleet.machines if fleet.runs_of(each)).end()
    assert not fleet.is_over()
    assert not fleet.doubts_by_run()
    fleet.wait_until(fleet.is_over)
    _end(fleet)
    assert not fleet.doubts_by_run()
    return "SIGTERM: 0 in doubt"


def stop_all(fleet: Fleet) -> str:
    """`dispatcher stop`, and then `send-issue` beside the workers."""
    _start(fleet)
    took = _ask(fleet, "stop")
    states = set(fleet.room.counts())
    assert states == {State.SENT, State.QUEUED}, states
    fleet.desk.expect(0, "send-issue", "29", "--yes", timeout=300)
    fleet.wait_until(fleet.is_over)
    _end(fleet)
    return f"stop: quiet after {took:.1f} s"


def cancel_all(fleet: Fleet) -> str:
    """`dispatcher cancel`: who was not mailed is not mailed."""
    _start(fleet)
    took = _ask(fleet, "cancel")
    lines = fleet.room.lines()
    assert {line.state for line in lines.values()} == {State.SENT, State.SKIPPED}
    assert {each for each, line in lines.items() if line.state is State.SENT} == fleet.sink.copies.keys()
    assert max(fleet.sink.copies.values()) == 1
    assert "the equation holds" in fleet.desk.expect(0, "dispatcher", "audit", "29")
    for machine in fleet.machines:
        machine.end()
    return f"cancel: quiet after {took:.1f} s"


def send_twice(fleet: Fleet) -> str:
    """Two `send-issue` at once beside workers: one of them sends."""
    for machine in fleet.machines:
        machine.start()
    both = [fleet.desk.start("send-issue", "29", "--yes", "--patience", "1m") for _ in range(2)]
    fleet.wait_until(lambda: all(each.poll() is not None for each in both))
    fleet.wait_until(fleet.is_over)
    _end(fleet)
    assert not fleet.doubts_by_run()
    codes = sorted(each.wait() for each in both)
    assert codes == [0, 75]
    return f"two send-issue at once: exit {codes}"


def _start(fleet: Fleet) -> None:
    for machine in fleet.machines:
        machine.start()
    fleet.begin()
    fleet.wait_for_copies(len(fleet.room.lines()) // 4)


def _end(fleet: Fleet) -> None:
    for machine in fleet.machines:
        if machine.worker is not None:
            machine.end()
    fleet.sink.wait_until_quiet()
    fleet.check()


def _ask(fleet: Fleet, command: str) -> float:
    begun = time.monotonic()
    fleet.desk.expect(0, "dispatcher", command, "29", timeout=120)
    fleet.wait_until(
        lambda: fleet.ask("SELECT count(*) FROM run WHERE ended_at IS NULL AND mailing_id IS NOT NULL") == [(0,)]
    )
    took = time.monotonic() - begun
    assert took < _AT_ONCE, fleet.story()
    fleet.sink.wait_until_quiet()
    taken = len(fleet.sink.taken)
    time.sleep(3)  # looks of all workers
    assert len(fleet.sink.taken) == taken
    assert not fleet.is_over() or command == "cancel"
    return took


MOMENTS = (keep_wrong_time, stop_for_long, terminate_one, stop_all, cancel_all, send_twice)
