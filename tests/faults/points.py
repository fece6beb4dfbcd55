"""SIGKILL at one point of the protocol: the sink falls silent there on every connection, and then the sender dies."""

from dataclasses import dataclass
from enum import StrEnum, auto
from pathlib import Path

from dispatcher.delivery.recorder import Progress
from dispatcher.models import State
from tests.faults.room import Room, engine_alone, readers
from tests.sink import Sink

OFFERS = {
    "chunked": ("PIPELINING", "CHUNKING", "SIZE 36700160", "8BITMIME"),
    "pipelined": ("PIPELINING", "SIZE 36700160", "8BITMIME"),
    "stepwise": ("SIZE 36700160", "8BITMIME"),
}
_BIG = 6_000_000  # octets: more than the kernel takes of a content, whose end it then does not have
_FIRST_TAKEN = 20


class Point(StrEnum):
    """Where it dies; each stands for what the relay has not said yet."""

    CONNECT = auto()
    EHLO = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    BODY = auto()  # the end of the content has not left
    REPLY = auto()  # the relay has the message
    AFTER = auto()  # it has said so, and has not answered the next envelope


CASES = [(way, point) for way in OFFERS for point in Point if (way, point) != ("chunked", Point.DATA)]
TELLING = [(way, point) for way, point in CASES if way == "pipelined" or point in {Point.BODY, Point.REPLY}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """What the kill left, and what became of it."""

    held: int
    doubts: int
    code: int


def kill_at(folder: Path, way: str, point: Point) -> Remains:
    """Kills the sender when all that it has open is at the point; then another sends the rest."""
    is_body = point is Point.BODY
    lines, people, octets = (2, 20, _BIG) if is_body else (4, 100, 94_000)
    buffer = 4_096 if is_body else None
    with Sink(folder / "sink", offers=OFFERS[way], hold=_hold_at(point), receive_buffer=buffer, lax=True) as sink:
        room = engine_alone(folder / "letter", sink, readers(people), connections=lines, octets=octets)
        return _kill_when_held(room, point, lines=1 if point in {Point.CONNECT, Point.EHLO} else lines)


def _kill_when_held(room: Room, point: Point, *, lines: int) -> Remains:
    sink = room.sink
    sender = room.start()
    sink.wait_for(lambda sink: sum(event.what == "held" for event in sink.events) == lines)
    assert sink.open == lines
    if point not in {Point.BODY, Point.REPLY}:  # what the relay has said is to be read before the kill
        sink.wait_for(lambda _: Progress.ENDING not in room.flights())
    held = {event.recipient for event in sink.look() if event.what == "held"}
    taken = set(sink.copies)
    sender.kill()
    sender.wait(10)
    sink.calm()
    sink.wait_until_quiet()
    room.audit()
    assert set(sink.copies) == taken
    code = room.send()
    in_doubt = room.in_state(State.IN_DOUBT)
    assert in_doubt == (held if point is Point.REPLY else set())
    assert code == (76 if in_doubt else 0), room.said
    assert sink.copies.keys() == room.lines().keys()
    room.check()
    return Remains(held=lines, doubts=len(in_doubt), code=code)


def _hold_at(point: Point) -> str:
    match point:
        case Point.CONNECT | Point.EHLO:
            return point
        case Point.REPLY:
            return f"dot:{_FIRST_TAKEN}"
        case Point.AFTER:
            return f"mail:{_FIRST_TAKEN}"
        case Point.MAIL:
            return "mail"
        case _:
            return f"{point}:{0 if point is Point.BODY else _FIRST_TAKEN}"
