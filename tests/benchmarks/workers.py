"""Several processes on one PostgreSQL: what the queue costs, and what a second worker brings.

    python -m tests.benchmarks.workers                  # both, with 94 KB messages to a sink on this machine
    python -m tests.benchmarks.workers --million 5      # a very large mailing: see tests.benchmarks.crowd

The queue: the same process sends the whole mailing, and then one that is dealt out to it in blocks of a thousand; the
ratio is of processor time. A second worker: each signs with RSA-2048 and is kept to one core, since a worker signs in
as many threads as there are cores. Sink and server compete with them for these cores, so that the ratio of messages a
second is lower than where they have their own; what it were then follows from the workers' processor time alone.
"""

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.crowd import send_crowd
from tests.benchmarks.ground import Ground, prepared, start, told, wait_for
from tests.benchmarks.million import Journal
from tests.sink import Sink

_OFFERS = ["PIPELINING", "SIZE 36700160", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
_LEFT_OUT = 0.1  # of the messages, at the beginning and at the end: the rate is of the time between
_NOBODY = "smtp://127.0.0.1:25?tls=none"  # nothing is sent to it


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """CPU-seconds of each process of one sending, for a thousand messages, and how fast it was."""

    senders: float
    server: float
    sink: float
    per_second: float
    peaks: Sequence[float]  # MB of memory of each sender

    def __str__(self) -> str:
        return (
            f"senders {self.senders:.3f} server {self.server:.3f} sink {self.sink:.3f} CPU-s/1,000, "
            f"{self.per_second:,.0f}/s, peak {max(self.peaks):.0f} MB"
        )


def send_once(ground: Ground, readers: int, way: str, cores: Sequence[int | None]) -> Part:
    """Sends to all readers from a fresh copy of the database, with a process on each of these cores."""
    with (
        ground.server.database(ground.name) as url,
        Sink(ground.folder / "sink", offers=_OFFERS, lax=True) as sink,
    ):
        if way == "once":
            told(start(ground, "deal", url=url, relay=sink.url), ground)
        ground.execute("CHECKPOINT")
        before, journal = ground.server_cpu, Journal(sink.journal)
        processes = [start(ground, way, url=url, relay=sink.url, core=core) for core in cores]
        begun = wait_for(journal, readers * _LEFT_OUT, processes, ground)
        seconds = wait_for(journal, readers * (1 - _LEFT_OUT), processes, ground) - begun
        found = [told(process, ground) for process in processes]
        server = ground.server_cpu - before
        if journal.look() != readers or journal.twice:
            raise SystemExit(f"{journal.messages:,} messages for {readers:,} readers, {journal.twice} twice")
        part = Part(
            senders=sum(each["cpu"] for each in found) / readers * 1000,
            server=server / readers * 1000,
            sink=sink.cpu_seconds / readers * 1000,
            per_second=readers * (1 - 2 * _LEFT_OUT) / seconds,
            peaks=[each["peak"] / 1024 for each in found],
        )
    sink.journal.unlink()
    return part


def overhead(readers: int, repeats: int) -> None:
    """Of the queue, for one process."""
    print(f"the queue: {readers:,} messages of one process, without and with it, {repeats} times in turn", flush=True)
    parts: dict[str, list[Part]] = {"whole": [], "dealt": []}
    with prepared(readers, autovacuum="off") as ground:
        told(start(ground, "freeze", relay=_NOBODY), ground)
        ground.execute("VACUUM (ANALYZE)")
        for number in range(repeats):
            for way in ("whole", "dealt") if number % 2 == 0 else ("dealt", "whole"):
                parts[way].append(send_once(ground, readers, way, [None]))
                print(f"  {way}: {parts[way][-1]}", flush=True)
    pairs = list(zip(parts["dealt"], parts["whole"], strict=True))
    for name, ratios in (
        ("sender alone", [dealt.senders / whole.senders for dealt, whole in pairs]),
        ("sender and server", [(d.senders + d.server) / (w.senders + w.server) for d, w in pairs]),
    ):
        print(f"{name}: {_spread(ratios)} of what it costs without the queue", flush=True)


def second_worker(readers: int, repeats: int) -> None:
    """Two that sign, beside one."""
    print(
        f"workers that sign with RSA-2048, each on a core of its own: {readers:,} messages, {repeats} times", flush=True
    )
    parts: dict[int, list[Part]] = {1: [], 2: []}
    with prepared(readers, signs=True, autovacuum="off") as ground:
        told(start(ground, "freeze", relay=_NOBODY), ground)
        ground.execute("VACUUM (ANALYZE)")
        for number in range(repeats):
            for workers in (1, 2) if number % 2 == 0 else (2, 1):
                parts[workers].append(send_once(ground, readers, "once", list(range(workers))))
                print(f"  {workers}: {parts[workers][-1]}", flush=True)
    pairs = list(zip(parts[2], parts[1], strict=True))
    print(f"messages a second: {_spread([two.per_second / one.per_second for two, one in pairs])} of one worker's")
    shared = [2 / (two.senders + two.server + two.sink) * one.senders for two, one in pairs]
    print(f"as two cores would have it that nobody else used: {_spread(shared)}")
    alone = [2 * one.senders / two.senders for two, one in pairs]
    print(f"as it were if sink and server had cores of their own: {_spread(alone)}", flush=True)


def _spread(ratios: Sequence[float]) -> str:
    return f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--readers", type=int, default=30_000)  # a process that sends few is mostly its start
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--parts", nargs="*", choices=["queue", "second"], default=["queue", "second"])
    options.add_argument("--million", type=float, metavar="MILLIONS", help="instead: so many deliveries")
    options.add_argument("--first", type=int, default=300_000, help="of these, so many are sent at the beginning")
    options.add_argument("--last", type=int, default=100_000, help="and so many at the end; the others are marked")
    given = options.parse_args()
    if given.million:
        send_crowd(int(given.million * 1_000_000), first=given.first, last=given.last)
        return
    if "queue" in given.parts:
        overhead(given.readers, given.repeats)
    if "second" in given.parts:
        second_worker(given.readers, given.repeats)


if __name__ == "__main__":
    main()
