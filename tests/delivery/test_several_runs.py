"""Two runs side by side, each sending an issue of its own from one PostgreSQL over one relay: limits hold over both."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from dispatcher.delivery.pace import Limit, Pacing
from dispatcher.delivery.relay import SmtpRelay, read_relay
from dispatcher.errors import DispatcherError, LostTouch, Unfinished
from dispatcher.models import State
from dispatcher.storage.database import now
from dispatcher.storage.jobs import open_jobs
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.queue import release_stalled
from dispatcher.storage.releases import deal_out_again, dealt_out, release
from dispatcher.storage.runs import end_run, running
from tests.delivery.office import Clock, Office
from tests.relay import Relay
from tests.servers.postgresql import PostgreSQL
from tests.storage.books import enlist, freeze_to, open_at

SOON = 30  # seconds in which both end, or hang for ever
BURST = 0.4  # seconds' worth of messages that may go together: times that have passed may be used a little later


@dataclass
class Street:
    """Two offices with one database and one relay."""

    offices: list[Office]
    relay: Relay
    ended: list[DispatcherError | None] = field(default_factory=list)

    def send(self, pacing: Pacing | None = None, **limits: object) -> None:
        found = read_relay(self.relay.url, folder=Path())
        assert isinstance(found, SmtpRelay)
        relay = replace(found, **limits)  # type: ignore[arg-type]

        async def send(office: Office) -> DispatcherError | None:
            office.stop = asyncio.Event()
            try:
                await office.deliver(relay, pacing=pacing, clock=Clock(now=now()))
            except DispatcherError as error:
                return error
            return None

        async def both() -> list[DispatcherError | None]:
            async with asyncio.timeout(SOON):
                return list(await asyncio.gather(*(send(each) for each in self.offices)))

        self.ended = asyncio.run(both())

    @property
    def sent(self) -> list[int]:
        """By each."""
        return [sum(outcome.state is State.SENT for outcome in office.told) for office in self.offices]


@pytest.fixture
def street(tmp_path: Path, postgresql: PostgreSQL) -> Iterator[Street]:
    with ExitStack() as stack:
        url = stack.enter_context(postgresql.database())
        relay = stack.enter_context(Relay())
        offices = []
        for issue in (29, 30):
            folder = tmp_path / f"{issue}"
            folder.mkdir()
            database = open_at(folder, url)
            stack.callback(database.close)
            office = Office(folder=folder, database=database, relay=relay)
            enlist(database, *(f"r{number}@example.de" for number in range(60)))
            office.mailing = freeze_to(database, issue=issue)
            office.ledger = Ledger(database, office.mailing)
            stack.callback(office.ledger.close)
            offices.append(office)
        yield Street(offices=offices, relay=relay)


def test_a_relay_has_no_more_connections_than_it_may_from_both_together(street: Street) -> None:
    street.relay.delay("dot", 0.03)
    street.send(connections=3)
    assert street.relay.most_connections_at_once == 3
    assert street.sent == [60, 60]


def test_of_one_connection_one_run_has_it_and_then_the_other(street: Street) -> None:
    street.send(connections=1)
    assert street.relay.most_connections_at_once == 1
    assert street.sent == [60, 60]


@pytest.mark.parametrize("of", ["relay", "all", "domain"])
def test_messages_go_no_faster_than_the_limit_says_of_both_together(street: Street, of: str) -> None:
    pacing = {
        "relay": Pacing(),
        "all": Pacing(per_second=60.0),
        "domain": Pacing(domains={"example.de": Limit(per_second=60.0)}),
    }[of]
    street.send(pacing, per_second=60.0 if of == "relay" else None)
    assert street.sent == [60, 60]
    taken_at = street.relay.taken_at
    for number, begun in enumerate(taken_at):
        within = sum(begun <= at < begun + 1.0 for at in taken_at[number:])
        assert within <= 60 * (1.0 + BURST) + 1
    assert taken_at[-1] - taken_at[0] >= 119 / 60 - BURST


def test_while_the_database_does_not_answer_nothing_goes_that_was_not_granted(street: Street) -> None:
    office = street.offices[0]
    relay = read_relay(street.relay.url, folder=Path())
    assert isinstance(relay, SmtpRelay)
    relay = replace(relay, per_second=60.0)

    async def send() -> None:
        office.stop, begun = asyncio.Event(), asyncio.Event()
        office.on_outcome = lambda _: begun.set()
        sending = asyncio.create_task(office.deliver(relay, clock=Clock(now=now())))
        await begun.wait()
        with office.database.engine.connect() as other, other.begin():
            other.exec_driver_sql("LOCK TABLE allowance")
            before = len(office.told)
            await asyncio.sleep(1.0)  # sixty messages' worth
            assert len(office.told) - before <= 60 * BURST + 1
        await sending

    asyncio.run(asyncio.wait_for(send(), SOON))
    assert street.sent == [60, 0]


def test_a_domain_has_no_more_connections_than_it_may_from_both_together(street: Street) -> None:
    street.relay.delay("dot", 0.02)
    street.send(Pacing(each_domain=Limit(connections=3)), connections=8)
    assert street.relay.most_contents_at_once == 3
    assert street.sent == [60, 60]


def test_the_messages_of_a_day_are_those_of_both_together(street: Street) -> None:
    street.send(per_day=75)
    assert len(street.relay.messages) == 75
    assert sum(street.sent) == 75
    assert min(street.sent) >= 10
    assert any(isinstance(error, Unfinished) for error in street.ended)
    street.send(per_day=90)
    assert len(street.relay.messages) == 90


def test_what_a_run_reserved_of_a_day_and_did_not_need_another_has(street: Street) -> None:
    street.send(per_day=120)
    assert street.ended == [None, None]
    assert street.sent == [60, 60]


def test_a_run_that_waits_for_a_deferred_reader_keeps_nothing_from_the_others(street: Street) -> None:
    waits, sends = street.offices
    street.relay.reply("rcpt", "452 4.2.2 mailbox full", to="r0@example.de", times=1)
    relay = read_relay(street.relay.url, folder=Path())
    assert isinstance(relay, SmtpRelay)
    relay = replace(relay, connections=1, per_day=119)

    async def both() -> None:
        waits.stop, sends.stop = asyncio.Event(), asyncio.Event()
        waiting = asyncio.create_task(waits.deliver(relay, patience=timedelta(hours=1), clock=Clock(now=now())))
        while len(waits.told) < 60:
            assert not waiting.done()
            await asyncio.sleep(0.01)
        await sends.deliver(relay, clock=Clock(now=now()))
        assert not waiting.done()
        waits.stop.set()
        await waiting

    asyncio.run(asyncio.wait_for(both(), SOON))
    assert street.sent == [59, 60]


def test_a_run_that_is_dealt_nothing_gives_signs_of_life_too(street: Street) -> None:
    """A trial, or the first readers of a canary: others on the database must not take it for dead."""
    office, go_on = street.offices[0], street.relay.hold("dot")

    def has_been_heard(_: Relay) -> bool:
        return any(each.seen_at > each.began_at for each in running(office.database))

    with ThreadPoolExecutor(1) as thread:
        sending = thread.submit(asyncio.run, office.deliver(dead_after=timedelta(seconds=4), clock=Clock(now=now())))
        try:
            street.relay.wait_for(has_been_heard, seconds=10)
        finally:
            go_on()
        sending.result(SOON)
    assert set(office.states.values()) == {State.SENT}


def test_a_run_that_others_ended_hands_over_nothing_more_and_says_so(street: Street) -> None:
    """What was on its way is recorded all the same."""
    office, go_on = street.offices[0], street.relay.hold("dot")
    people = set(office.states)

    async def main() -> None:
        office.stop = asyncio.Event()
        sending = asyncio.create_task(office.deliver(dead_after=timedelta(seconds=4), clock=Clock(now=now())))
        await asyncio.to_thread(street.relay.wait_for, lambda relay: len(relay.offered) > 0)
        assert office.ledger.run is not None
        end_run(office.database, office.ledger.run)
        go_on()
        with pytest.raises(LostTouch):
            await sending

    asyncio.run(main())
    sent = {each for each, state in office.states.items() if state is State.SENT}
    assert sent == street.relay.copies.keys() < people
    assert street.relay.commands["DATA"] < len(people) / 2  # the relay is not asked in vain for all of them
    assert set(office.states.values()) == {State.SENT, State.QUEUED}


def test_a_transaction_of_one_who_is_stopped_in_its_middle_does_not_last(street: Street) -> None:
    """A claim holds the reader's membership: he could not leave."""
    (length,) = street.offices[0].ledger._pen.connection.execute("SHOW idle_in_transaction_session_timeout").fetchone()  # type: ignore[attr-defined]
    assert length == "10s"


def test_a_block_of_which_nobody_waits_now_is_not_dealt_out_again_and_again(street: Street) -> None:
    """Until its deferred reader is due."""
    office = street.offices[0]
    street.relay.reply("rcpt", "451 4.7.1 greylisted", to="r7@example.de")
    release(office.database, office.mailing.id)

    async def take_part() -> None:
        office.stop = asyncio.Event()
        async with open_jobs(office.database, office.mailing.id) as jobs:
            await office.deliver(clock=Clock(now=now()), dealer=jobs)

    asyncio.run(take_part())
    assert Counter(office.states.values()) == {State.SENT: 59, State.DEFERRED: 1}
    deal_out_again(office.database)
    assert not dealt_out(office.database)
    release_stalled(office.database, timedelta())
    assert not dealt_out(office.database)
