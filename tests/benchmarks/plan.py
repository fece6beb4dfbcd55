"""What a day's mail asks for: `python -m tests.benchmarks.plan` simulates it from measured costs and names the limits.

    python -m tests.benchmarks.plan                           # the tables of docs/volume.md, from measured.toml
    python -m tests.benchmarks.plan --write docs/volume.md    # renews them there
    python -m tests.benchmarks.plan --measure 20000           # measures the databases' part here, and prints it as TOML

The engine's part is measured by `python -m tests.benchmarks.send`. A day is simulated minute by minute: issues come
when they come; processors, connections, relays and the database carry what they can; some readers are deferred and come
back as the engine has them come back; the ledger grows. Nothing of it is random.
"""

import argparse
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from tests.benchmarks.claims import Book, measure_postgresql, measure_sqlite

MEASURED = Path(__file__).parent / "measured.toml"
BEGIN, END = (
    "<!-- the tables of tests.benchmarks.plan begin -->\n",
    "<!-- the tables of tests.benchmarks.plan end -->\n",
)
_BACKOFF = (5, 10, 20, 40)  # minutes until a deferred reader is tried again, as delivery.verdicts has it
_MINUTES = 24 * 60
_SPARE = 1.2  # a fleet is planned for a fifth more than it needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What one message costs a worker: seconds of one core, octets."""

    cpu: float  # built, claimed, handed over and recorded
    dkim_cpu: float  # signed with RSA-2048, beside that
    octets: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What is not ours to measure."""

    round_trip: float  # seconds from a message's content to the relay's reply
    relay_per_second: float  # messages that one relay takes
    hours: int  # of the day in which mail goes out
    network: float  # bits a second


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What there is to send with."""

    cores: int  # of all workers together
    connections: int
    relays: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """How a simulated day went."""

    sent: int
    left: int
    peak: float  # messages a second, tried
    last_minute: int  # in which a message went
    most_waiting: int  # deferred at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    engine: Engine
    books: Mapping[str, Book]  # by database
    assumed: Assumed

    def capacities(self, database: str, fleet: Fleet, *, signs: bool = True) -> dict[str, float]:
        """Messages a second that each part could carry, if nothing else were the limit."""
        book = self.books[database]
        return {
            "processes": (book.senders or fleet.cores) / self.cpu(database, signs=False),
            "processors": fleet.cores / self.cpu(database, signs=signs),
            "connections": fleet.connections / self.assumed.round_trip,
            "relays": fleet.relays * self.assumed.relay_per_second,
            "network": self.assumed.network / 8 / self.engine.octets,
            "database": book.per_second,
        }

    def cpu(self, database: str, *, signs: bool = True) -> float:
        """Seconds of a worker's core for a message."""
        engine = self.engine
        return engine.cpu + self.books[database].worker_cpu + (engine.dkim_cpu if signs else 0.0)

    def fleet_for(self, database: str, per_second: float, *, signs: bool = True) -> Fleet:
        """The smallest that carries so much, with some to spare."""
        wanted = per_second * _SPARE
        return Fleet(
            cores=ceil(wanted * self.cpu(database, signs=signs)),
            connections=ceil(wanted * self.assumed.round_trip),
            relays=ceil(wanted / self.assumed.relay_per_second),
        )


def read_measured(path: Path = MEASURED) -> Measured:
    found = tomllib.loads(path.read_text("utf-8"))
    return Measured(
        engine=Engine(**found["engine"]),
        books={name: Book(**costs) for name, costs in found["database"].items()},
        assumed=Assumed(**found["assumed"]),
    )


def simulate(per_second: float, issues: Mapping[int, float], *, deferred: float = 0.03, refused: float = 0.01) -> Day:
    """A day of a fleet that carries so much; `issues`: how many readers are enqueued in which minute.

    `deferred` is the share that is put off at each attempt, `refused` the one that is refused at the first.
    """
    due: dict[int, dict[int, float]] = {}  # minute → attempts → readers
    queued: dict[int, float] = {0: 0.0}  # by attempts
    waiting = sent = peak = 0.0
    last_minute = most_waiting = 0
    for minute in range(_MINUTES):
        queued[0] += issues.get(minute, 0.0)
        for attempts, readers in due.pop(minute, {}).items():
            queued[attempts] = queued.get(attempts, 0.0) + readers
            waiting -= readers
        room = per_second * 60
        for attempts in sorted(queued, reverse=True):  # who waited goes first
            tried = min(queued[attempts], room)
            room -= tried
            queued[attempts] -= tried
            put_off = tried * deferred
            sent += tried - put_off - (tried * refused if attempts == 0 else 0.0)
            waiting += put_off
            again = due.setdefault(minute + _BACKOFF[min(attempts, len(_BACKOFF) - 1)], {})
            again[attempts + 1] = again.get(attempts + 1, 0.0) + put_off
        went = per_second * 60 - room
        last_minute = minute if went >= 1 else last_minute
        peak = max(peak, went / 60)
        most_waiting = max(most_waiting, round(waiting))
    left = round(sum(queued.values()) + waiting)
    return Day(sent=round(sent), left=left, peak=peak, last_minute=last_minute, most_waiting=most_waiting)


def tables(measured: Measured) -> Iterator[str]:
    """What the page tells, line by line."""
    yield from _cost_of_a_million(measured)
    for database in ("sqlite", "postgresql"):
        if database in measured.books:
            yield from _days(measured, database)
            yield from _limits(measured, database)
        else:
            yield f"**{database}** is not measured yet: it has no `[database.{database}]` in `measured.toml`."
            yield ""


def _cost_of_a_million(measured: Measured) -> Iterator[str]:
    yield "| a million messages | CPU-hours | of the server | handed over | ledger | its disk writes |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for database, book in measured.books.items():
        for what, signs in (("without DKIM", False), ("signed with RSA-2048", True)):
            yield (
                f"| {database}, {what} | {measured.cpu(database, signs=signs) * 1e6 / 3600:.3f} "
                f"| {book.server_cpu * 1e6 / 3600:.3f} | {measured.engine.octets / 1000:.0f} GB "
                f"| {book.row_octets / 1000:.2f} GB | {book.written_octets / 1000:.1f} GB |"
            )
    yield ""


def _days(measured: Measured, database: str) -> Iterator[str]:
    book, assumed = measured.books[database], measured.assumed
    yield f"**{database}**, all signed, 3 % deferred at each attempt, within {assumed.hours} hours:"
    yield ""
    columns = (
        "a day", "peak a second", "cores", "of the server", "connections", "relays", "network", "ledger a day",
        "disk writes", "busy",
    )  # fmt: skip
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    for readers in (1_000_000, 10_000_000, 100_000_000):
        fleet = measured.fleet_for(database, readers / assumed.hours / 3600)
        parts = measured.capacities(database, fleet)
        carried = min(parts.values())
        busiest = min(("processes", "database"), key=parts.__getitem__)  # what the fleet cannot have more of
        minutes = assumed.hours * 60
        day = simulate(carried, dict.fromkeys(range(minutes), readers / minutes))
        yield (
            f"| {readers:,} | {day.peak:,.0f} | {fleet.cores} | {day.peak * book.server_cpu:.2f} "
            f"| {fleet.connections} | {fleet.relays} "
            f"| {day.peak * measured.engine.octets * 8 / 1e9:.2f} Gbit/s | {readers * book.row_octets / 1e9:.2f} GB "
            f"| {day.peak * book.written_octets / 1e6:.1f} MB/s | {busiest} {day.peak / parts[busiest]:.0%} |"
        )
    yield ""


def _limits(measured: Measured, database: str) -> Iterator[str]:
    yield f"What is the limit of such a fleet on **{database}**, and how long a million readers at once take:"
    yield ""
    yield "| cores | connections | relays | limit | a second | a day | a million, nearly all | with who was deferred |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for fleet in (
        Fleet(cores=2, connections=16, relays=1),
        Fleet(cores=2, connections=64, relays=2),
        Fleet(cores=4, connections=256, relays=8),
        Fleet(cores=16, connections=1024, relays=32),
    ):
        parts = measured.capacities(database, fleet)
        limit = min(parts, key=parts.__getitem__)
        day = simulate(parts[limit], {0: 1_000_000})
        yield (
            f"| {fleet.cores} | {fleet.connections} | {fleet.relays} | {limit} | {parts[limit]:,.0f} "
            f"| {parts[limit] * 86_400 / 1e6:,.0f} million | {1e6 / parts[limit] / 60:,.0f} min "
            f"| {'next day' if day.left > 1000 else f'{day.last_minute} min'} |"
        )
    yield ""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--write", type=Path, metavar="PAGE", help="renew the tables of that page")
    options.add_argument("--measure", type=int, metavar="READERS", help="measure the databases' part with so many")
    given = options.parse_args()
    if given.measure:
        for name, measure in (("sqlite", measure_sqlite), ("postgresql", measure_postgresql)):
            book = max(
                (measure(given.measure) for _ in range(3)), key=lambda each: each.per_second
            )  # others compute, too
            costs = {each: getattr(book, each) for each in Book.__slots__ if getattr(book, each)}
            print(f"[database.{name}]", *(f"{each} = {cost}" for each, cost in costs.items()), sep="\n", flush=True)
        return
    text = "\n".join(tables(read_measured()))
    if given.write is None:
        print(text)
        return
    head, _, rest = given.write.read_text("utf-8").partition(BEGIN)
    given.write.write_text(head + BEGIN + "\n" + text + END + rest.partition(END)[2], "utf-8")


if __name__ == "__main__":
    main()
