"""The long forms of the fault tests: `python -m tests.faults` runs all of them, `python -m tests.faults kills` one.

Each prints a line of what it did and counted, and fails at the first row that is not what the promise says. They send
to this machine only. The whole takes about twenty minutes; the test suite has a short form of each.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults.kills import Tally, kill_at_random, restart_at_random, terminate_at_random
from tests.faults.machines import fleet, make_trouble
from tests.faults.moments import MOMENTS
from tests.faults.namespaces import CONNECTIONS, IN_ALL, IN_PART, measure, two_namespaces
from tests.faults.points import CASES, kill_at
from tests.faults.room import engine_alone, readers, whole_program
from tests.faults.sick import fill_disk, lock_database, turn_clock
from tests.faults.storm import ODDS, ride_out
from tests.servers.postgresql import own_postgresql
from tests.sink import Sink


def kills(folder: Path) -> str:
    with Sink(folder / "sink", lax=True) as sink:
        room = engine_alone(folder / "letter", sink, readers(10_000), connections=8, octets=94_000)
        tally = kill_at_random(room, readers=10_000, kills=100, seed=29)
    assert tally.most_at_once <= 8
    assert tally.doubts <= 150
    return "100 SIGKILLs over 10,000 readers: " + _told(tally)


def postgresql(folder: Path) -> str:
    with own_postgresql() as server, server.database() as url, Sink(folder / "sink", lax=True) as sink:
        room = engine_alone(folder / "letter", sink, readers(10_000), octets=94_000, url=url)
        killed = kill_at_random(room, readers=5_000, kills=25, seed=29, ends=False)
        restarted = restart_at_random(room, server.restart, readers=10_000, times=10, seed=29)
    assert max(killed.most_at_once, restarted.most_at_once) <= 8
    return "25 SIGKILLs and 10 restarts of PostgreSQL over 10,000 readers: " + _told(restarted)


def program(folder: Path) -> str:
    with Sink(folder / "sink", lax=True) as sink:
        room = whole_program(folder / "letter", sink, readers(4_000))
        tally = kill_at_random(room, readers=4_000, kills=20, seed=29)
    assert tally.most_at_once <= 16
    return "20 SIGKILLs of send-issue over 4,000 readers: " + _told(tally)


def _told(tally: Tally) -> str:
    return (
        f"{tally.doubts} in doubt in all, {tally.without_copy} of them without a copy, "
        f"at most {tally.most_at_once} by one kill"
    )


def machines(folder: Path) -> str:
    with (
        own_postgresql() as server,
        Sink(folder / "sink", lax=True, delay=0.08) as sink,
        fleet(folder, server, sink, readers(20_000)) as four,
    ):
        toll = make_trouble(four, kills=10, restarts=5, cuts=5, seed=29)
    return f"four workers, 20,000 readers, {toll}"


def moments(folder: Path) -> str:
    told = []
    with own_postgresql() as server:
        for moment in MOMENTS:
            place = folder / moment.__name__
            with (
                Sink(place / "sink", lax=True, delay=0.05) as sink,
                fleet(place, server, sink, readers(3_000), dead_after=6) as four,
            ):
                told.append(moment(four))
    return "four workers, 3,000 readers each time: " + "; ".join(told)


def terms(folder: Path) -> str:
    with Sink(folder / "sink", lax=True, delay=0.003) as sink:
        room = engine_alone(folder / "letter", sink, readers(10_000), octets=94_000)
        tally = terminate_at_random(room, readers=10_000, times=30, seed=29)
    assert tally.doubts == 0
    return "30 SIGTERMs over 10,000 readers: 0 in doubt"


def points(folder: Path) -> str:
    for way, point in CASES:
        kill_at(folder / f"{way}-{point}", way, point)
    return f"a SIGKILL at each of {len(CASES)} points: in doubt is who the relay has the whole message of"


def storm(folder: Path) -> str:
    told = []
    for seed in range(3):
        with Sink(folder / f"sink-{seed}", odds=ODDS, seed=seed) as sink:
            weather = ride_out(engine_alone(folder / f"letter-{seed}", sink, readers(5_000)))
        told.append(f"{dict(weather.states)} in {weather.runs} runs, exit {weather.code}")
    return "storms over 5,000 readers, every row right: " + "; ".join(told)


def disk(folder: Path) -> str:
    illnesses = [fill_disk(folder / f"{size}", size, people=2_000) for size in range(10)]
    told = ", ".join(f"{each.code} after {each.taken}" for each in illnesses)
    return f"a full disk at ten sizes, then room: {told}; {sum(each.doubts for each in illnesses)} in doubt"


def lock(folder: Path) -> str:
    illness = lock_database(folder, seconds=20, people=2_000)
    return f"the database locked for 20 s: exit {illness.code}, {illness.doubts} in doubt"


def clock(folder: Path) -> str:
    illnesses = [turn_clock(folder / f"{seed}", people=2_000, seed=seed) for seed in range(3)]
    return f"a clock that jumps by an hour: {sum(each.doubts for each in illnesses)} in doubt"


def namespaces(folder: Path) -> str:
    seconds, told = 60.0, []
    with own_postgresql() as server, two_namespaces() as machines:
        for number, rates in enumerate((IN_ALL, IN_PART)):
            with server.database() as url:
                arrivals = measure(folder / f"{number}", url, machines, rates, seconds=seconds)
            for name, rate in rates.items():
                came = arrivals.between(name, arrivals.at[0], arrivals.at[0] + seconds)
                most = arrivals.most_within(name, 10.0)
                told.append(f"{name} {came} of {rate * seconds:.0f}, at most {most} of {rate * 10:.0f} in 10 s")
            told.append(f"of each {dict(arrivals.by_machine)}, {arrivals.most_connections} at once")
            for name, rate in rates.items():
                assert (
                    abs(arrivals.between(name, arrivals.at[0], arrivals.at[0] + seconds) / (rate * seconds) - 1) <= 0.05
                ), told
                assert arrivals.most_within(name, 10.0) <= rate * 10 * 1.05, told
            assert arrivals.most_connections <= min(CONNECTIONS), told
    return f"two namespaces for twice {seconds:.0f} s: {'; '.join(told)}"


def main() -> None:
    every: dict[str, Callable[[Path], str]] = {
        each.__name__: each
        for each in (points, kills, postgresql, program, machines, moments, terms, storm, disk, lock, clock, namespaces)
    }
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("which", nargs="*", choices=[*every, []], help=f"of {', '.join(every)}; all if none is named")
    for name in parser.parse_args().which or every:
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="faults-", dir="/tmp") as folder:
            said = every[name](Path(folder))
        print(f"{name}: {said} ({time.monotonic() - begun:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
