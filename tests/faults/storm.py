"""A storm: every kind of fault at its odds, over one issue; at its end each row is held against the sink's journal."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dispatcher.models import State
from tests.faults.room import Room
from tests.sink import Event, Fault

ODDS = {
    Fault.KEEP: 0.01,
    Fault.RESET: 0.01,
    Fault.DEFERRAL: 0.01,
    Fault.GOODBYE: 0.01,
    Fault.BODY: 0.01,
    Fault.REFUSAL: 0.1,
    Fault.GREYLIST: 0.1,
    Fault.BANNER: 0.05,
}
_UNANSWERED = {Fault.KEEP, Fault.RESET, Fault.BODY}
_NOT_KEPT = {Fault.RESET, Fault.BODY, Fault.DEFERRAL, Fault.GOODBYE}
_MOST_RUNS = 10


@dataclass(slots=True, kw_only=True)
class Weather:
    """What a storm came to."""

    runs: int
    code: int
    states: Mapping[State, int]
    faults: Mapping[str, int]
    seconds: float


def ride_out(room: Room) -> Weather:
    """Sends, again and again while deferred readers remain, and checks every row."""
    begun, runs = time.monotonic(), 1
    while (code := room.send("--patience", "60")) == 75 and runs < _MOST_RUNS:
        room.audit()
        runs += 1
    room.check()
    wrong = list(_contradictions(room))
    assert not wrong, "\n".join(wrong[:20])
    counts = room.counts()
    assert code == (76 if counts[State.IN_DOUBT] else 0), room.said
    faults = Counter(event.reply.split(" ")[0] or event.kind for event in room.sink.events if event.what == "fault")
    return Weather(runs=runs, code=code, states=counts, faults=faults, seconds=time.monotonic() - begun)


def _contradictions(room: Room) -> Iterable[str]:
    """Rows whose state is not what befell the reader."""
    befell: dict[str, list[Event]] = defaultdict(list)
    for event in room.sink.look():
        if event.what in {"take", "fault"} and event.recipient:
            befell[event.recipient].append(event)
    for address, line in room.lines().items():
        events = befell[address]
        kinds = {event.kind for event in events if event.what == "fault"}
        is_refused = any(event.reply.startswith("550") for event in events)
        has_unheard_end = bool(kinds & {Fault.KEEP, Fault.RESET})
        expected = {
            State.REFUSED: is_refused,
            State.IN_DOUBT: bool(kinds & _UNANSWERED),
            State.SENT: not is_refused and not has_unheard_end,
        }
        if not expected.get(line.state, False):
            yield f"{address} is {line.state} ({line.reply or line.reason}), but this befell him: {events}"
        if line.state is State.REFUSED and f"{line.code} {line.reply}" != events[-1].reply:
            yield f"{address} is refused with {line.code} {line.reply}, the sink said {events[-1].reply}"
        contents = sum(event.what == "take" or event.kind in _NOT_KEPT for event in events)
        if contents > line.attempts:
            yield f"{address} was given {contents} contents in {line.attempts} attempts"
