"""Several relays and paces: each reader goes where he should, as fast as he may, and nobody waits for another."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dispatcher.delivery.pace import Limit, Pacing
from dispatcher.delivery.relay import SmtpRelay, read_relay
from dispatcher.errors import RelayUnusable, Unfinished
from dispatcher.models import Outcome, State
from dispatcher.storage.ledger import Ledger
from tests.delivery.office import Clock, Office
from tests.relay import Relay
from tests.storage.books import open_at


@dataclass
class House:
    """An office with two relays."""

    office: Office
    big: Relay
    small: Relay

    def to(self, relay: Relay, **terms: object) -> SmtpRelay:
        found = read_relay(relay.url, folder=self.office.folder)
        assert isinstance(found, SmtpRelay)
        return replace(found, **terms)  # type: ignore[arg-type]

    def send(
        self,
        *relays: SmtpRelay,
        pacing: Pacing | None = None,
        clock: Clock | None = None,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.office.stop = asyncio.Event()
        asyncio.run(asyncio.wait_for(self.office.deliver(*relays, pacing=pacing, clock=clock, ticks=ticks), 60))
        self.check()

    def check(self) -> None:
        self.office.check()
        copies = self.big.copies + self.small.copies
        assert max(copies.values(), default=0) <= 1
        states = self.office.states
        assert set(copies) == {address for address, state in states.items() if state is State.SENT}

    @property
    def counts(self) -> Counter[State]:
        return Counter(self.office.states.values())


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with ExitStack() as stack:
        big, small = stack.enter_context(Relay()), stack.enter_context(Relay())
        database = open_at(tmp_path)
        stack.callback(database.close)
        office = Office(folder=tmp_path, database=database, relay=big)
        yield House(office=office, big=big, small=small)
        office.ledger.close()


def people(domain: str, count: int) -> list[str]:
    return [f"r{number}@{domain}" for number in range(count)]


def domains_at(relay: Relay) -> set[str]:
    return {address.rpartition("@")[2] for address in relay.copies}


# --- which relay -----------------------------------------------------------------------------------------


def test_a_domain_goes_over_the_relay_that_is_there_for_it_and_the_rest_over_the_other(house: House) -> None:
    house.office.enlist(*people("example.de", 60), *people("example.org", 60))
    house.send(house.to(house.big), house.to(house.small, domains=("example.org",)))
    assert domains_at(house.big) == {"example.de"}
    assert domains_at(house.small) == {"example.org"}
    assert house.counts == {State.SENT: 120}


def test_relays_share_by_weight(house: House) -> None:
    house.office.enlist(*people("example.de", 80))
    house.send(house.to(house.big, weight=3.0), house.to(house.small, weight=1.0))
    assert house.counts == {State.SENT: 80}
    assert (len(house.big.messages), len(house.small.messages)) == (60, 20)


@pytest.mark.parametrize("domains", [(), ("example.de",)])
def test_what_a_relay_that_takes_nothing_would_have_had_goes_over_the_others(
    house: House, domains: tuple[str, ...]
) -> None:
    house.office.enlist(*people("example.de", 50))
    house.small.reply("connect", "554 5.7.1 go away")
    house.send(house.to(house.small, domains=domains), house.to(house.big))
    assert house.counts == {State.SENT: 50}
    assert "the other relays go on" in " ".join(house.office.said)


def test_a_relay_that_begins_to_refuse_the_sender_in_mid_issue_marks_nobody(house: House) -> None:
    house.office.enlist(*people("example.de", 100))
    house.small.reply("mail", "550 5.7.1 sender blocked", skip=10)
    house.send(house.to(house.small), house.to(house.big))
    assert house.counts == {State.SENT: 100}
    assert len(house.small.messages) <= 10


def test_a_relay_that_closes_every_connection_is_gone_round(house: House) -> None:
    house.office.enlist(*people("example.de", 30))
    house.small.close("connect")
    house.send(house.to(house.small), house.to(house.big))
    assert house.counts == {State.SENT: 30}


def test_when_no_relay_is_left_the_run_stops_and_marks_nobody(house: House) -> None:
    house.office.enlist(*people("example.de", 50))
    house.big.reply("mail", "550 5.7.1 sender blocked")
    house.small.reply("connect", "554 5.7.1 go away")
    with pytest.raises(RelayUnusable):
        house.send(house.to(house.small), house.to(house.big))
    house.check()
    assert house.counts == {State.QUEUED: 50}


# --- how many a day --------------------------------------------------------------------------------------


def test_who_is_refused_does_not_use_up_a_quota(house: House) -> None:
    house.office.enlist(*people("example.de", 30))
    for number in range(10):
        house.big.reply("rcpt", "550 5.1.1 no such user", to=f"r{number}@example.de")
    house.send(house.to(house.big, per_day=20))
    assert house.counts == {State.SENT: 20, State.REFUSED: 10}


def test_a_relay_that_says_its_day_is_over_is_asked_no_more(house: House) -> None:
    house.office.enlist(*people("example.de", 40))
    house.big.reply("rcpt", "454 4.7.0 Throttling failure: Daily message quota exceeded", skip=10)
    with pytest.raises(Unfinished, match="tomorrow"):
        house.send(house.to(house.big, connections=1))
    house.check()
    assert house.counts == {State.SENT: 10, State.QUEUED: 30}


# --- how fast --------------------------------------------------------------------------------------------


class Stopwatch:
    """When each reader was settled."""

    def __init__(self, office: Office) -> None:
        self._begun = time.monotonic()
        self.at: list[float] = []
        office.on_outcome = self._note

    def _note(self, _: Outcome) -> None:
        self.at.append(time.monotonic() - self._begun)


def test_a_relay_gets_no_more_in_a_second_than_it_may(house: House) -> None:
    house.office.enlist(*people("example.de", 30))
    watch = Stopwatch(house.office)
    house.send(house.to(house.big, per_second=40.0))
    assert watch.at[-1] >= 28 / 40 - 0.1  # as the first goes at once, and 0.05 s' worth may go together


def test_a_limit_over_all_relays_holds_for_both_together(house: House) -> None:
    house.office.enlist(*people("example.de", 30))
    watch = Stopwatch(house.office)
    house.send(house.to(house.big), house.to(house.small), pacing=Pacing(per_second=40.0))
    assert watch.at[-1] >= 28 / 40 - 0.1


def test_a_slow_domain_does_not_delay_the_others(house: House) -> None:
    house.office.enlist(*people("example.org", 12), *people("example.de", 300))
    domain_of = domains(house.office.ledger)
    order: list[str] = []
    house.office.on_outcome = lambda outcome: order.append(domain_of[outcome.delivery_id])

    def ticks() -> float:
        return 0.0 if order.count("example.de") < 300 else time.monotonic()  # stands still until the others are through

    house.send(house.to(house.big), pacing=Pacing(domains={"example.org": Limit(per_second=10.0)}), ticks=ticks)
    assert house.counts == {State.SENT: 312}
    assert Counter(order[:301]) == {"example.de": 300, "example.org": 1}


def test_a_domain_gets_no_more_connections_at_once_than_it_may(house: House) -> None:
    house.office.enlist(*people("example.org", 40))
    release = house.big.hold("dot")
    at_once = Pacing(each_domain=Limit(connections=2))

    async def send() -> None:
        running = asyncio.create_task(house.office.deliver(house.to(house.big), pacing=at_once))
        await asyncio.to_thread(house.big.wait_for, lambda relay: len(relay.offered) >= 2)
        offered = len(house.big.offered)
        release()
        await asyncio.wait_for(running, 60)
        assert offered == 2

    asyncio.run(send())
    house.check()
    assert house.counts == {State.SENT: 40}


def test_a_domain_that_asks_for_less_gets_less_and_the_others_do_not(house: House) -> None:
    house.office.enlist(*people("example.org", 4), *people("example.de", 200))
    house.big.reply("rcpt", "421 4.7.28 unusual rate of mail", to="r0@example.org", times=1)
    domain_of = domains(house.office.ledger)
    order: list[str] = []
    house.office.on_outcome = lambda outcome: order.append(domain_of[outcome.delivery_id])

    def ticks() -> float:
        return 0.0 if order.count("example.de") < 200 else time.monotonic()

    house.send(house.to(house.big, connections=1), ticks=ticks)
    assert house.counts == {State.SENT: 204}
    assert order == ["example.org", *["example.de"] * 200, *["example.org"] * 4]  # the first of them was turned away


def domains(ledger: Ledger) -> dict[int, str]:
    return {each.id: each.domain for each in ledger.queued(after=0, limit=1_000)}
