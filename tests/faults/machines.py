"""Several workers, as on as many machines, send one issue; they are killed, cut off, and their server restarted.

Each has a folder with nothing but the settings, and its own way to the database, which can stall as a broken net does.
"""

import contextlib
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from dispatcher.models import State
from tests.faults.room import Room, whole_program
from tests.newsletter import Newsletter
from tests.servers.postgresql import PostgreSQL
from tests.servers.proxy import Way, long_way_to
from tests.sink import Sink

_CONNECTIONS = 16  # of a relay, of all runs together
_AWAY = (0.0, 0.0, 0.1, 0.3, 1.5)  # of `dead_after`, that a killed worker is away, or until the end
_STANDSTILL = 90.0  # seconds without a message, after which the issue will not end by itself
_UNSETTLED = "SELECT count(*) FROM delivery WHERE state IN ('queued', 'sending', 'deferred')"
_UNENDED = "SELECT count(*) FROM run WHERE ended_at IS NULL AND mailing_id IS NOT NULL"
_DOUBTS = "SELECT run, count(*) FROM delivery WHERE state = 'in_doubt' GROUP BY run"


@dataclass(slots=True, kw_only=True)
class Machine:
    """A worker's folder, environment and way to the database."""

    letter: Newsletter
    way: Way
    worker: subprocess.Popen[str] | None = None
    back_at: float | None = None  # when it is started again, or let go
    is_away: bool = False  # until the end
    has_begun: bool = False
    said_before: int = 0  # characters

    @property
    def is_well(self) -> bool:
        return self.worker is not None and not self.way.is_cut

    def start(self, env: Mapping[str, str] | None = None) -> None:
        self.said_before, self.has_begun = len(self.said), True
        self.worker = self.letter.start_installed("dispatcher", "worker", env=env)

    def kill(self) -> None:
        assert self.worker
        self.worker.kill()
        self.worker.wait(10)
        self.worker = None

    def end(self, *, within: float = 30) -> None:
        """By SIGTERM, as soon as it works."""
        assert self.worker
        until = time.monotonic() + within
        while "SIGTERM ends it" not in self.said[self.said_before :]:
            assert time.monotonic() < until, self.said
            time.sleep(0.1)
        self.worker.send_signal(signal.SIGTERM)
        assert self.worker.wait(within) == 0, self.said
        self.worker = None

    @property
    def said(self) -> str:
        return self.letter.said("dispatcher") if self.has_begun else ""


@dataclass(slots=True, kw_only=True)
class Fleet:
    """The machines, the editor's desk where the issue is begun, and the database they share."""

    machines: Sequence[Machine]
    desk: Newsletter
    room: Room
    server: PostgreSQL
    sink: Sink
    dead_after: int  # seconds
    harmed: set[int] = field(default_factory=set)  # runs that something was done to

    def begin(self) -> None:
        done = self.desk.run("send-issue", "29", "--yes", "--detach", timeout=300)
        assert done.returncode in {0, 75}, done.stdout + done.stderr

    def ask(self, statement: str) -> list[tuple[int, ...]]:
        with psycopg.connect(self.room.database, autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()

    def runs_of(self, machine: Machine) -> set[int]:
        assert machine.worker
        pid = machine.worker.pid
        his = f"SELECT id FROM run WHERE ended_at IS NULL AND mailing_id IS NOT NULL AND pid = {pid}"  # noqa: S608
        return {number for (number,) in self.ask(his)}

    def doubts_by_run(self) -> Mapping[int, int]:
        return {row[0]: row[1] for row in self.ask(_DOUBTS)}

    def is_over(self) -> bool:
        """Nobody waits or is on his way, and no run is under way."""
        return self.ask(_UNSETTLED) == [(0,)] and self.ask(_UNENDED) == [(0,)]

    def wait_until(self, holds: Callable[[], bool], *, standstill: float = _STANDSTILL) -> None:
        """As long as messages come."""
        taken, until = -1, 0.0
        while not holds():
            if (now_taken := len(self.sink.taken)) != taken:
                taken, until = now_taken, time.monotonic() + standstill
            assert time.monotonic() < until, self.story()
            time.sleep(0.2)

    def wait_for_copies(self, count: int) -> None:
        self.wait_until(lambda: len(self.sink.taken) >= count)

    def story(self) -> str:
        """What the ledger holds, and what the workers said last."""
        states = self.ask("SELECT state, count(*) FROM delivery GROUP BY state")
        runs = self.ask("SELECT id, pid, seen_at, ended_at FROM run ORDER BY id DESC LIMIT 12")
        jobs = self.ask("SELECT id, status, worker_id, args, scheduled_at FROM procrastinate_jobs")
        said = "\n".join(f"--- {each.letter.folder.parent.name}\n{each.said[-1500:]}" for each in self.machines)
        return f"{states}\nruns {runs}\njobs {jobs}\n{said}"

    def check(self) -> None:
        """The promise, by what the sink took: 0 twice, 0 lost, and only runs that were harmed left doubts."""
        wrong = self.room.faults()
        assert not wrong, "\n".join([*wrong[:20], self.story()])
        lines = self.room.lines()
        in_doubt = {address for address, line in lines.items() if line.state is State.IN_DOUBT}
        ends = Counter(line.state for line in lines.values())
        assert ends.keys() <= {State.SENT, State.IN_DOUBT}, ends
        assert self.sink.copies.keys() | in_doubt == lines.keys()
        by_run = self.doubts_by_run()
        assert by_run.keys() <= self.harmed, (by_run, self.harmed, self.story())
        assert max(by_run.values(), default=0) <= _CONNECTIONS, by_run
        assert {address for address, state in self.desk.states().items() if state == "in_doubt"} == in_doubt
        assert "the equation holds" in self.desk.expect(0, "dispatcher", "audit", "29")
        assert not any(word in each.said for each in self.machines for word in ("Traceback", "psycopg")), self.story()


@dataclass(slots=True, kw_only=True)
class Toll:
    """What all that has cost."""

    kills: int
    restarts: int
    cuts: int
    doubts: int = 0
    without_copy: int = 0
    most_at_once: int = 0  # doubts of one run
    seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.kills} SIGKILLs, {self.restarts} restarts, {self.cuts} partitions: {self.doubts} in doubt in all, "
            f"{self.without_copy} of them without a copy, at most {self.most_at_once} by one run; "
            f"ended by itself after {self.seconds:.0f} s"
        )


@contextlib.contextmanager
def fleet(
    folder: Path, server: PostgreSQL, sink: Sink, people: Sequence[str], *, machines: int = 4, dead_after: int = 10
) -> Iterator[Fleet]:
    """Nobody works yet."""
    with contextlib.ExitStack() as until_the_end:
        url = until_the_end.enter_context(server.database())
        room = whole_program(folder / "desk" / "letter", sink, people)
        room.database = url
        desk = Newsletter(folder=room.folder)
        desk.write("pyproject.toml", desk.read("pyproject.toml") + f'dead_after = "{dead_after}s"\n')
        desk.env["DISPATCHER_RELAY"] = sink.url
        desk.keep_in(url)
        crew = []
        for number in range(machines):
            letter = Newsletter(folder=folder / f"machine-{number}" / "letter")
            letter.write("pyproject.toml", desk.read("pyproject.toml"))
            way = until_the_end.enter_context(long_way_to(server.port))
            letter.env.update(desk.env)
            letter.keep_in(url.replace(f":{server.port}/", f":{way.port}/"))
            crew.append(Machine(letter=letter, way=way))
        try:
            yield Fleet(machines=crew, desk=desk, room=room, server=server, sink=sink, dead_after=dead_after)
        finally:
            for each in crew:
                each.way.is_cut = False
                if each.worker is not None:
                    each.worker.kill()
                    each.worker.wait(10)


def make_trouble(fleet: Fleet, *, kills: int, restarts: int, cuts: int, seed: int) -> Toll:
    """Does so much at random moments that lie all over the issue, in a random order, and lets it end by itself."""
    draw, begun = random.Random(seed), time.monotonic()  # noqa: S311
    toll = Toll(kills=kills, restarts=restarts, cuts=cuts)
    for machine in fleet.machines:
        machine.start()
    fleet.begin()
    troubles = [_kill] * kills + [_restart] * restarts + [_cut] * cuts
    draw.shuffle(troubles)
    people = len(fleet.room.lines())
    moments = sorted(draw.randrange(people * 19 // 20) for _ in troubles)
    for trouble, moment in zip(troubles, moments, strict=True):
        fleet.wait_until(lambda moment=moment: _bring_back(fleet) and len(fleet.sink.taken) >= moment)  # type: ignore[misc]
        fleet.wait_until(lambda: _bring_back(fleet) and sum(each.is_well for each in fleet.machines) > 1)
        trouble(fleet, draw)
    fleet.wait_until(lambda: _bring_back(fleet) and fleet.is_over())
    toll.seconds = time.monotonic() - begun
    for machine in fleet.machines:
        if machine.worker is None:
            machine.start()
    fleet.wait_until(
        lambda: _bring_back(fleet) and fleet.is_over() and all(not each.way.is_cut for each in fleet.machines)
    )
    for machine in fleet.machines:
        machine.end()
    fleet.sink.wait_until_quiet()
    fleet.check()
    by_run, in_doubt = fleet.doubts_by_run(), fleet.room.in_state(State.IN_DOUBT)
    toll.doubts, toll.most_at_once = len(in_doubt), max(by_run.values(), default=0)
    toll.without_copy = len(in_doubt - fleet.sink.copies.keys())
    return toll


def _kill(fleet: Fleet, draw: random.Random) -> None:
    machine = draw.choice([each for each in fleet.machines if each.is_well])
    fleet.harmed |= fleet.runs_of(machine)
    machine.kill()
    away = [each for each in fleet.machines if each.is_away]
    machine.is_away = len(fleet.machines) > 2 and not away and draw.random() < 1 / 3
    machine.back_at = None if machine.is_away else time.monotonic() + draw.choice(_AWAY) * fleet.dead_after


def _restart(fleet: Fleet, draw: random.Random) -> None:  # noqa: ARG001
    for machine in fleet.machines:
        if machine.worker is not None:
            fleet.harmed |= fleet.runs_of(machine)
    fleet.server.restart()


def _cut(fleet: Fleet, draw: random.Random) -> None:
    machine = draw.choice([each for each in fleet.machines if each.is_well])
    fleet.harmed |= fleet.runs_of(machine)
    machine.way.is_cut = True
    machine.back_at = time.monotonic() + fleet.dead_after * draw.uniform(1.1, 1.6)


def _bring_back(fleet: Fleet) -> bool:
    """Whoever's time has come."""
    for machine in fleet.machines:
        if machine.worker is not None and (code := machine.worker.poll()) is not None:
            assert code == 74, machine.said  # it began when there was no way to the database: as its unit says
            machine.start()
        if machine.back_at is None or time.monotonic() < machine.back_at:
            continue
        if machine.way.is_cut:
            machine.way.is_cut, machine.back_at = False, None
        else:
            machine.back_at = None
            machine.start()
    return True
