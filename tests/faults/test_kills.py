"""Short forms of `python -m tests.faults`: kills and stops, at random and at each point of the protocol."""

from pathlib import Path

import pytest

from dispatcher.models import State
from tests.faults.kills import kill_at_random, restart_at_random, terminate_at_random
from tests.faults.points import TELLING, Point, kill_at
from tests.faults.room import engine_alone, readers
from tests.relay import Relay
from tests.servers.postgresql import own_postgresql
from tests.sink import Sink


def test_killed_six_times_nobody_gets_two_and_nobody_is_lost(tmp_path: Path) -> None:
    with Sink(tmp_path / "sink", lax=True) as sink:
        room = engine_alone(tmp_path / "letter", sink, readers(1000), octets=94_000)
        tally = kill_at_random(room, readers=1000, kills=6, seed=29)
    assert tally.most_at_once <= 8


def test_killed_and_its_server_restarted_the_promise_holds_on_postgresql(tmp_path: Path) -> None:
    with own_postgresql() as server, server.database() as url, Sink(tmp_path / "sink", lax=True) as sink:
        room = engine_alone(tmp_path / "letter", sink, readers(900), octets=20_000, url=url)
        killed = kill_at_random(room, readers=450, kills=2, seed=29, ends=False)
        restarted = restart_at_random(room, server.restart, readers=900, times=2, seed=29)
    assert killed.most_at_once <= 8
    assert restarted.most_at_once <= 8


def test_stopped_three_times_nobody_is_doubted(tmp_path: Path) -> None:
    with Sink(tmp_path / "sink", delay=0.003) as sink:
        room = engine_alone(tmp_path / "letter", sink, readers(400), octets=94_000)
        tally = terminate_at_random(room, readers=400, times=3, seed=29)
    assert (tally.doubts, tally.last_code) == (0, 0)


@pytest.mark.parametrize(("way", "point"), TELLING)
def test_killed_at_a_point_of_the_protocol(tmp_path: Path, way: str, point: Point) -> None:
    """In doubt is who the relay has the whole message of, and nobody else."""
    remains = kill_at(tmp_path, way, point)
    assert remains.doubts == (remains.held if point is Point.REPLY else 0)


def test_what_a_connection_did_before_does_not_speak_for_another(tmp_path: Path, relay: Relay) -> None:
    """One loses a message in mid-content; another has it up to the dot when the kill comes: that is a doubt."""
    people = readers(20)  # enough for a second connection
    unlucky = people[1]
    go_on = relay.hold("rcpt", to=people[0])  # on the first connection, until the second has had its loss
    relay.close("body", to=unlucky, times=1)
    release = relay.hold("dot", to=unlucky)
    with Sink(tmp_path / "sink") as unused:
        room = engine_alone(tmp_path, unused, people, octets=6_000_000)
    room.command = [each.replace(unused.url, relay.url) for each in room.command]
    sender = room.start()
    relay.wait_for(lambda _: (room.lines()[unlucky].state, room.lines()[unlucky].attempts) == (State.QUEUED, 1))
    go_on()
    relay.wait_for(lambda relay: unlucky in relay.copies)
    sender.kill()
    sender.wait()
    release()
    relay.forget_rules()
    code = room.send()
    assert relay.copies[unlucky] == 1
    assert code == 76
    assert room.in_state(State.IN_DOUBT) == {unlucky}
