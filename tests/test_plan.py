"""The plan for a day's mail: its simulation keeps count, and the page says what the simulation says."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.claims import Book
from tests.benchmarks.plan import BEGIN, END, Assumed, Engine, Fleet, Measured, read_measured, simulate, tables

PAGE = Path(__file__).parent.parent / "docs/volume.md"
MEASURED = Measured(
    engine=Engine(cpu=0.001, dkim_cpu=0.003, octets=100_000),
    books={"sqlite": Book(per_second=5000, row_octets=200, written_octets=2000)},
    assumed=Assumed(round_trip=0.02, relay_per_second=100, hours=10, network=8e9),
)


def test_everybody_of_a_day_is_sent_refused_or_left() -> None:
    day = simulate(100, {0: 10_000, 600: 10_000}, deferred=0.1, refused=0.01)
    assert day.sent == pytest.approx(20_000 * 0.99, rel=0.002)
    assert day.left == 0
    assert day.peak == 100
    assert day.last_minute > 600


def test_who_is_deferred_comes_back_when_due_and_is_deferred_again() -> None:
    day = simulate(1_000_000, {0: 1000}, deferred=0.5, refused=0)
    assert day.most_waiting == 500
    assert day.last_minute >= 5 + 10 + 20
    assert day.sent == pytest.approx(1000, abs=1)
    assert day.left == 0


def test_what_does_not_fit_into_a_day_is_left() -> None:
    day = simulate(1, {0: 100_000}, deferred=0, refused=0)
    assert (day.sent, day.left, day.last_minute) == (86_400, 13_600, 1439)


@pytest.mark.parametrize(
    ("fleet", "limit", "per_second"),
    [
        (Fleet(cores=1, connections=100, relays=100), "processors", 250),
        (Fleet(cores=100, connections=4, relays=100), "connections", 200),
        (Fleet(cores=100, connections=1000, relays=1), "relays", 100),
        (Fleet(cores=100, connections=1000, relays=100), "database", 5000),
    ],
)
def test_the_weakest_part_is_the_limit(fleet: Fleet, limit: str, per_second: float) -> None:
    parts = MEASURED.capacities("sqlite", fleet)
    assert min(parts, key=parts.__getitem__) == limit
    assert parts[limit] == per_second


def test_the_network_is_a_part_too() -> None:
    slow = replace(MEASURED, assumed=replace(MEASURED.assumed, network=8e6))
    assert slow.capacities("sqlite", Fleet(cores=1, connections=1, relays=1))["network"] == 10


@pytest.mark.parametrize("per_second", [10, 999, 4000])
def test_a_planned_fleet_carries_its_load(per_second: float) -> None:
    parts = MEASURED.capacities("sqlite", MEASURED.fleet_for("sqlite", per_second))
    assert min(parts.values()) >= per_second


def test_the_page_says_what_the_simulation_says() -> None:
    told = PAGE.read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    assert told == "\n" + "\n".join(tables(read_measured())), "python -m tests.benchmarks.plan --write docs/volume.md"


def test_what_a_worker_does_for_its_database_is_part_of_its_cost() -> None:
    dearer = replace(MEASURED, books={"other": replace(MEASURED.books["sqlite"], worker_cpu=0.001)})
    assert dearer.capacities("other", Fleet(cores=10, connections=1, relays=1))["processors"] == 2_000
