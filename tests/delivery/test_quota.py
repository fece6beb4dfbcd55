"""A relay's messages of the day: how many they are, how they grow while it is new, and what becomes of the rest."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dispatcher.delivery.relay import SmtpRelay, read_relay
from dispatcher.delivery.warm_up import WarmUp, messages_in_a_day
from dispatcher.errors import Unfinished
from dispatcher.models import State
from dispatcher.storage.database import now
from tests.delivery.office import Clock, Office
from tests.relay import Relay
from tests.storage.books import open_at

SOON = 20  # seconds in which a run ends, or hangs for ever


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    database = open_at(tmp_path)
    with Relay() as relay:
        office = Office(folder=tmp_path, database=database, relay=relay)
        office.enlist(*(f"reader{number}@example.de" for number in range(60)))
        yield office
        office.ledger.close()
    database.close()


def over(office: Office, relay: Relay, **limits: object) -> SmtpRelay:
    found = read_relay(relay.url, folder=office.folder)
    assert isinstance(found, SmtpRelay)
    return replace(found, **limits)  # type: ignore[arg-type]


def send(office: Office, *relays: SmtpRelay, later: timedelta = timedelta()) -> None:
    """The ledger dates what is settled by its own clock, so that these runs go by that one, too."""

    async def run() -> None:
        office.stop = asyncio.Event()
        async with asyncio.timeout(SOON):
            await office.deliver(*relays, clock=Clock(now=now() + later))

    asyncio.run(run())


def test_what_is_beyond_the_quota_of_the_day_waits_for_the_next(office: Office) -> None:
    limited = over(office, office.relay, per_day=50, connections=4)
    with pytest.raises(Unfinished, match=r"has had its messages of the day; run it again after 20"):
        send(office, limited)
    assert office.relay.copies.total() == 50
    with pytest.raises(Unfinished):
        send(office, limited)
    assert office.relay.copies.total() == 50
    send(office, limited, later=timedelta(days=1))
    office.check()
    assert set(office.states.values()) == {State.SENT}


def test_the_others_carry_what_a_relay_may_not(office: Office) -> None:
    with Relay() as second:
        send(office, over(office, office.relay, per_day=20), over(office, second))
        assert (office.relay.copies.total(), second.copies.total()) == (20, 40)
    office.check()
    assert "the other relays go on" in office.said[0]


def test_a_relay_that_says_tomorrow_gets_no_more_and_the_others_carry_on(office: Office) -> None:
    office.relay.reply("dot", "454 Throttling failure: Daily message quota exceeded", skip=7)
    with pytest.raises(Unfinished, match="wants no more today: 454"):
        send(office, over(office, office.relay, connections=1))
    assert office.relay.copies.total() == 7
    assert set(office.states.values()) == {State.SENT, State.QUEUED}  # nobody waits for an hour of his own
    office.check()


def test_who_is_refused_for_now_does_not_count(office: Office) -> None:
    office.relay.reply("rcpt", "451 4.7.1 come again", to="reader0@example.de")
    with pytest.raises(Unfinished):
        send(office, over(office, office.relay, per_day=10, connections=1))
    assert office.relay.copies.total() == 10


@pytest.mark.parametrize(
    ("busiest", "allowed"),
    [(0, 500), (100, 500), (500, 750), (501, 752), (40_000, 50_000), (90_000, 50_000)],
    ids=["new", "a small issue", "as planned", "rounded up", "nearly warm", "warm"],
)
def test_a_new_relay_gets_half_as_many_again_each_day(busiest: int, allowed: int) -> None:
    assert messages_in_a_day(WarmUp(start=500, growth=1.5), busiest=busiest, most=50_000) == allowed


def test_a_warm_up_comes_to_its_end_from_one_message() -> None:
    days, most = [0], 1000
    while days[-1] < most:
        days.append(messages_in_a_day(WarmUp(start=1, growth=1.1), busiest=days[-1], most=most))
    assert days == sorted(set(days))  # it never stands still


def test_the_busiest_day_of_the_last_month_says_how_warm_a_relay_is(office: Office) -> None:
    new = over(office, office.relay, per_day=1000, warm_up=WarmUp(start=8, growth=1.5), connections=1)
    with pytest.raises(Unfinished):
        send(office, new)
    assert office.relay.copies.total() == 8
    redate(office, days=1.1)
    with pytest.raises(Unfinished):
        send(office, new)
    assert office.relay.copies.total() == 8 + 12
    redate(office, days=7)  # a week without an issue
    with pytest.raises(Unfinished):
        send(office, new)
    assert office.relay.copies.total() == 8 + 12 + 18
    redate(office, days=31)  # by now it is forgotten
    with pytest.raises(Unfinished):
        send(office, new)
    assert office.relay.copies.total() == 8 + 12 + 18 + 8


def redate(office: Office, *, days: float) -> None:
    """All that is settled was settled so much earlier."""
    with office.database.writing() as connection:
        connection.exec_driver_sql(
            "UPDATE delivery SET settled_at = strftime('%Y-%m-%dT%H:%M:%f', settled_at, ?) || '000+00:00'"
            " WHERE settled_at IS NOT NULL",
            (f"-{days} days",),
        )
