"""SIGKILL at random moments, SIGTERM at random moments: what is left, counted where the mail arrives."""

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from dispatcher.models import State
from tests.faults.room import Room

_START = 0.4  # seconds that the program takes at least
_EARLY = 0.1  # of the kills come before the first message, while the program starts


@dataclass(slots=True, kw_only=True)
class Tally:
    """What a series of kills has cost."""

    kills: int = 0
    doubts: int = 0
    most_at_once: int = 0  # doubts by one kill
    without_copy: int = 0  # doubts that the sink never took
    last_code: int = 0
    seconds: float = 0.0

    def count(self, doubts: int) -> None:
        self.most_at_once = max(self.most_at_once, doubts - self.doubts)
        self.doubts = doubts


def kill_at_random(room: Room, *, readers: int, kills: int, seed: int, ends: bool = True) -> Tally:
    """Starts and kills the sender so often, then lets it end; after each kill the books must balance."""
    draw = random.Random(seed)  # noqa: S311
    tally, begun = Tally(), time.monotonic()
    while tally.kills < kills:
        sender = room.start()
        _wait_for_a_moment(room, draw, readers=readers, kills_left=kills - tally.kills)
        assert sender.poll() is None, f"ended with {sender.returncode} before kill {tally.kills + 1}: {room.said}"
        room.kill(sender)
        tally.kills += 1
        room.audit()
        tally.count(len(room.in_state(State.IN_DOUBT)))  # by the kill before this one
    if not ends:
        return tally
    tally.last_code = room.send()
    in_doubt = room.in_state(State.IN_DOUBT)
    tally.count(len(in_doubt))
    tally.without_copy = len(in_doubt - room.sink.copies.keys())
    tally.seconds = time.monotonic() - begun
    assert tally.last_code == (76 if in_doubt else 0), room.said
    assert all(f"in doubt: {address}" in room.said for address in in_doubt)
    assert room.sink.copies.keys() | in_doubt == room.lines().keys()
    room.check()
    return tally


def restart_at_random(room: Room, restart: Callable[[], None], *, readers: int, times: int, seed: int) -> Tally:
    """Restarts the database's server so often: each run stops at once with 74, and the next one goes on."""
    draw = random.Random(seed)  # noqa: S311
    tally, begun = Tally(doubts=len(room.in_state(State.IN_DOUBT))), time.monotonic()
    while tally.kills < times:
        sender = room.start()
        _wait_for_a_moment(room, draw, readers=readers, kills_left=times - tally.kills, early=0.0)
        restart()
        code = sender.wait(60)
        room.sink.wait_until_quiet()
        tally.kills += 1
        assert code == 74, f"ended with {code} at restart {tally.kills}: {room.said}"
        assert "Traceback" not in room.said, room.said[-3000:]
        room.audit()
        tally.count(len(room.in_state(State.IN_DOUBT)))
    tally.last_code = room.send()
    in_doubt = room.in_state(State.IN_DOUBT)
    tally.count(len(in_doubt))
    tally.without_copy = len(in_doubt - room.sink.copies.keys())
    tally.seconds = time.monotonic() - begun
    assert room.sink.copies.keys() | in_doubt == room.lines().keys()
    room.check()
    return tally


def terminate_at_random(room: Room, *, readers: int, times: int, seed: int) -> Tally:
    """As above, but asks the sender to end; it ends with 75 each time, and doubts nobody."""
    draw = random.Random(seed)  # noqa: S311
    tally, begun = Tally(), time.monotonic()
    while tally.kills < times:
        sender = room.start()
        _wait_for_a_moment(room, draw, readers=readers, kills_left=times - tally.kills, early=0.0)
        sender.send_signal(signal.SIGTERM)
        code = sender.wait(60)
        room.sink.wait_until_quiet()
        tally.kills += 1
        assert code == 75, f"ended with {code} at SIGTERM {tally.kills}: {room.said}"
        assert not room.in_state(State.SENDING)
        tally.count(len(room.in_state(State.IN_DOUBT)))
        room.check()
    tally.last_code = room.send()
    tally.count(len(room.in_state(State.IN_DOUBT)))
    tally.seconds = time.monotonic() - begun
    assert room.sink.copies.keys() == room.lines().keys()
    room.check()
    return tally


def _wait_for_a_moment(
    room: Room, draw: random.Random, *, readers: int, kills_left: int, early: float = _EARLY
) -> None:
    """A random moment, such that the kills come all over the issue: while it starts, or after some more messages."""
    if draw.random() < early:
        time.sleep(draw.random() * _START)
        return
    sink = room.sink
    had = len(sink.taken)
    more = draw.randrange(0, max((readers - had) // (kills_left + 1), 1))  # some more come until the signal does
    opened = sum(event.what == "open" for event in sink.look())
    sink.wait_for(lambda sink: sum(event.what == "open" for event in sink.events) > opened)
    sink.wait_for(lambda sink: sum(event.what == "take" for event in sink.events) >= had + more)
    time.sleep(draw.random() / 200)
