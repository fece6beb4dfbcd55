"""Two machines with one PostgreSQL and the same relays: what arrives is what the limits say of both together.

The machines are two network namespaces, near and far, or two processes where that is enough.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.servers.proxy import long_way_to
from tests.sink import Sink
from tests.storage.books import enlist, freeze_to, open_at

ALL, OWN, SLOW = "all", "example.net", "example.com"
# Messages a second: of both machines in all; or over a relay with a domain of its own, and to a domain.
IN_ALL = {ALL: 100.0}
IN_PART = {OWN: 40.0, SLOW: 20.0}
CONNECTIONS = (6, 12)  # as each of the machines has it, to each relay; the lower one holds
_ROUND_TRIPS = (0.002, 0.04)  # seconds to everything, of each
_HOST = "servers.example.org"  # by the same name everywhere, as a limit's name is the relay's
_DOMAINS = (OWN, SLOW, "example.org")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where a sender runs."""

    issue: int
    connections: int
    host: str  # of the servers, as it calls them
    prefix: Sequence[str] = ()  # of its commands


@dataclass(slots=True, kw_only=True)
class Arrivals:
    """How many messages had arrived when: in all, and by domain."""

    at: list[float]
    counts: list[Counter[str]]
    by_machine: Counter[str]
    connections: list[int]  # over the relay that has more of them

    @property
    def most_connections(self) -> int:
        """Once a machine that was there first had the time to come down to its part."""
        return max(self.connections[len(self.connections) // 2 :])

    def between(self, name: str, begin: float, end: float) -> int:
        first = next(number for number, at in enumerate(self.at) if at >= begin)
        last = next((number for number, at in enumerate(self.at) if at > end), len(self.at)) - 1
        return self.counts[last][name] - self.counts[first][name]

    def most_within(self, name: str, seconds: float) -> int:
        """In the fullest window of such a length."""
        return max(self.between(name, at, at + seconds) for at in self.at if at + seconds <= self.at[-1])


def measure(
    folder: Path, url: str, machines: Sequence[Machine], rates: Mapping[str, float], *, seconds: float
) -> Arrivals:
    """Lets the machines send for so long, from when each of them has sent something."""
    with (
        Sink(folder / "sink", lax=True) as sink,
        Sink(folder / "own", lax=True) as own,
        contextlib.ExitStack() as stack,
    ):
        ports = [sink.port, own.port, urlsplit(url).port or 0]
        domains = _DOMAINS if ALL in rates else tuple(rates)
        readers = (seconds + 10) * max(rates.values()) / (len(domains) if ALL in rates else 1)
        _enlist(folder, url, machines, domains, readers=int(readers))
        for machine, round_trip in zip(machines, _ROUND_TRIPS, strict=True):
            if machine.prefix:
                for port in ports:
                    stack.enter_context(
                        long_way_to(port, round_trip=round_trip, host=_gate(machine.issue), listens_at=port)
                    )
            stack.enter_context(_sending(folder, url, machine, rates, sink, own))
        arrivals = Arrivals(at=[], counts=[], by_machine=Counter(), connections=[])
        sink.wait_for(lambda _: _machines_seen(sink, own) == len(machines))
        begun = time.monotonic()
        while (now := time.monotonic()) < begun + seconds + 0.2:
            recipients = [event.recipient for each in (sink, own) for event in each.taken]
            arrivals.at.append(now)
            arrivals.counts.append(Counter({ALL: len(recipients)}) + Counter(map(_domain, recipients)))
            arrivals.connections.append(max(sink.open, own.open))
            time.sleep(0.05)
        arrivals.by_machine = Counter(each.partition("-")[0] for each in recipients)
    return arrivals


@contextlib.contextmanager
def two_namespaces() -> Iterator[list[Machine]]:
    """Two networks with a way to this one; needs root and the program `ip`, of the package iproute2."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        sys.exit("namespaces: needs root, and the program ip of the package iproute2")
    with contextlib.ExitStack() as stack:
        machines = []
        for issue, connections in zip((29, 30), CONNECTIONS, strict=True):
            name = f"dispatcher-{issue}"
            hosts = Path("/etc/netns") / name / "hosts"
            stack.callback(shutil.rmtree, hosts.parent, ignore_errors=True)
            stack.callback(_ip, "netns", "del", name)
            _ip("netns", "add", name)
            _ip("link", "add", f"dsp{issue}", "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("addr", "add", f"{_gate(issue)}/30", "dev", f"dsp{issue}")
            _ip("link", "set", f"dsp{issue}", "up")
            _ip("-n", name, "addr", "add", f"10.{issue}.255.2/30", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
            _ip("-n", name, "link", "set", "lo", "up")
            hosts.parent.mkdir(parents=True, exist_ok=True)
            hosts.write_text(f"127.0.0.1 localhost\n{_gate(issue)} {_HOST}\n")
            prefix = ("ip", "netns", "exec", name)
            machines.append(Machine(issue=issue, connections=connections, host=_HOST, prefix=prefix))
        yield machines


def two_processes() -> list[Machine]:
    return [
        Machine(issue=issue, connections=connections, host="127.0.0.1")
        for issue, connections in zip((29, 30), CONNECTIONS, strict=True)
    ]


def _gate(issue: int) -> str:
    """This side's address of the way to a machine."""
    return f"10.{issue}.255.1"


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, timeout=20)


def _enlist(folder: Path, url: str, machines: Sequence[Machine], domains: Sequence[str], *, readers: int) -> None:
    """Each machine has an issue of its own, with so many readers of each domain, mixed."""
    database = open_at(folder, url)
    for machine in machines:
        people = [f"{machine.issue}-{number}@{domain}" for number in range(readers) for domain in domains]
        enlist(database, *people, list_name=f"list-{machine.issue}")
        freeze_to(database, f"list-{machine.issue}", issue=machine.issue)
    database.close()


@contextlib.contextmanager
def _sending(
    folder: Path, url: str, machine: Machine, rates: Mapping[str, float], sink: Sink, own: Sink
) -> Iterator[None]:
    home = folder / f"{machine.issue}"
    home.mkdir()
    relays = [each.url.replace("127.0.0.1", machine.host) for each in (sink, own)]
    command = [
        *machine.prefix, sys.executable, "-m", "tests.faults.machine", str(home),
        url.replace("127.0.0.1", machine.host), str(machine.issue), relays[0],
        "--connections", str(machine.connections),
        *(["--per-second", str(rates[ALL])] if ALL in rates else []),
        *(["--own", OWN, relays[1], str(rates[OWN])] if OWN in rates else []),
        *(["--slow", SLOW, str(rates[SLOW])] if SLOW in rates else []),
    ]  # fmt: skip
    with (home / "said").open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said) as sender:
        try:
            yield
            assert sender.poll() is None, (home / "said").read_text()[-3000:]
        finally:
            sender.send_signal(signal.SIGTERM)
            sender.wait(30)


def _machines_seen(sink: Sink, own: Sink) -> int:
    own.look()
    return len({event.recipient.partition("-")[0] for each in (sink, own) for event in each.taken})


def _domain(address: str) -> str:
    return address.rpartition("@")[2]
