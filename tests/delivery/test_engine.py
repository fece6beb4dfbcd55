"""The engine with a real ledger and a real relay: everybody ends as the promise says, and nobody twice."""

import asyncio
import contextlib
import gc
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from dispatcher.delivery.maildir import open_maildir, store
from dispatcher.delivery.recorder import record, recorder_of
from dispatcher.delivery.recovery import AT_ONCE, NEVER, recover
from dispatcher.delivery.relay import MaildirRelay, read_relay
from dispatcher.delivery.smtp import Conversation, Way
from dispatcher.errors import LedgerFailed, RelayUnusable, Unfinished
from dispatcher.models import Kind, Outcome, State
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.pen import Claim
from dispatcher.storage.reports import delivery_lines
from tests.delivery.office import NOON, Clock, Office, build
from tests.relay import EXTENSIONS_FOR, Relay
from tests.storage.books import ANN, CLEO, DAN, EVE, leave, open_at, rows

LONG = (b"x" * 74 + b"\r\n") * 100_000
_HANGS = 30  # seconds; a machine may be busy
SPAM = "554 5.7.1 this is spam"


in_every_way = pytest.mark.parametrize("way", Way)


@pytest.fixture
def way() -> Way:
    """How messages travel where a test does not say so."""
    return Way.PIPELINED


@pytest.fixture
def relay(way: Way) -> Iterator[Relay]:
    with Relay(extensions=EXTENSIONS_FOR[way]) as relay:
        yield relay


@pytest.fixture
def office(tmp_path: Path, relay: Relay) -> Iterator[Office]:
    database = open_at(tmp_path)
    office = Office(folder=tmp_path, database=database, relay=relay)
    yield office
    if hasattr(office, "ledger"):
        office.ledger.close()
    database.close()


@pytest.fixture
def cast(office: Office) -> Office:
    office.enlist(ANN, CLEO, DAN, EVE)
    return office


@in_every_way
def test_everybody_gets_one_copy_and_the_ledger_has_the_replies(cast: Office) -> None:
    cast.run()
    assert set(cast.states.values()) == {State.SENT}
    assert cast.relay.copies == dict.fromkeys([ANN, CLEO, DAN, EVE], 1)
    assert cast.relay.connections == 1
    assert cast.line(ANN).code == 250
    assert "queued as" in (cast.line(ANN).reply or "")
    assert {outcome.state for outcome in cast.told} == {State.SENT}
    assert len(cast.told) == 4


def test_run_again_it_mails_nobody(cast: Office) -> None:
    cast.run()
    cast.run()
    assert cast.relay.copies.total() == 4
    assert cast.relay.connections == 1


@in_every_way
def test_many_readers_go_over_several_connections_and_each_is_mailed_once(office: Office) -> None:
    office.enlist(*(f"r{number}@example.de" for number in range(200)))
    office.run()
    assert office.relay.copies.total() == 200
    assert office.relay.connections > 1
    assert set(office.states.values()) == {State.SENT}


# --- no, and not now -------------------------------------------------------------------------------


@in_every_way
def test_each_reader_ends_as_the_relay_says(cast: Office) -> None:
    cast.relay.reply("rcpt", "452 4.2.2 mailbox full", to=CLEO)
    cast.relay.reply("rcpt", "550 5.1.1 no such user", to=DAN)
    cast.relay.close("dot", to=EVE, kept=True)
    cast.run()
    assert cast.states == {ANN: State.SENT, CLEO: State.DEFERRED, DAN: State.REFUSED, EVE: State.IN_DOUBT}
    assert (cast.line(DAN).code, cast.line(DAN).reply) == (550, "5.1.1 no such user")
    assert cast.line(EVE).reason == "the connection was lost at dot"


@in_every_way
def test_a_deferred_reader_is_tried_again_when_due_and_keeps_his_date(cast: Office) -> None:
    cast.relay.reply("dot", "451 4.3.0 later", to=CLEO, times=2)
    cast.run(patience=timedelta(days=1), clock=Clock(stride=timedelta(minutes=10)))
    assert set(cast.states.values()) == {State.SENT}
    assert cast.line(CLEO).attempts == 3
    first, second, third = (each.content for each in cast.relay.offered if each.recipient == CLEO)
    assert first == second == third


def test_without_patience_a_deferred_reader_is_left_for_later(cast: Office) -> None:
    cast.relay.reply("rcpt", "452 4.2.2 mailbox full", to=CLEO)
    cast.run(patience=timedelta(minutes=4))
    assert cast.line(CLEO).state is State.DEFERRED
    assert cast.line(CLEO).attempts == 1
    assert cast.ledger.next_due() == NOON + timedelta(minutes=5)


def test_who_is_deferred_for_too_long_is_refused_with_the_last_reply(cast: Office) -> None:
    cast.relay.reply("rcpt", "451 4.7.1 greylisted", to=CLEO, times=1)
    cast.relay.reply("rcpt", "452 4.2.2 mailbox full", to=CLEO)
    cast.run(patience=timedelta(days=9), retry_for=timedelta(hours=8), clock=Clock(stride=timedelta(hours=1)))
    assert cast.line(CLEO).state is State.REFUSED
    assert cast.line(CLEO).reply == "4.2.2 mailbox full"
    assert cast.line(CLEO).attempts > 2
    assert cast.ledger.next_due() is None


def test_a_reader_without_a_field_is_skipped_with_the_reason(cast: Office) -> None:
    cast.build = lambda each, date: "field plan missing" if each.subscriber.email == DAN else build(each, date)
    cast.run()
    assert (cast.line(DAN).state, cast.line(DAN).reason) == (State.SKIPPED, "field plan missing")
    assert cast.relay.copies.total() == 3


def test_an_address_beyond_ascii_is_skipped_where_the_relay_cannot_take_it(tmp_path: Path) -> None:
    with Relay(extensions=("8BITMIME",)) as relay:
        office = Office(folder=tmp_path, database=open_at(tmp_path), relay=relay)
        office.enlist(ANN, "王芳@example.de")
        office.run()
        assert office.line("王芳@example.de").state is State.SKIPPED
        assert "SMTPUTF8" in (office.line("王芳@example.de").reason or "")
        assert office.line(ANN).state is State.SENT
        office.ledger.close()
        office.database.close()


# --- the relay as a whole ----------------------------------------------------------------------------


def test_a_message_longer_than_the_relay_takes_stops_the_issue_and_marks_nobody(tmp_path: Path) -> None:
    with Relay(extensions=("SIZE 1000",)) as relay:
        office = Office(folder=tmp_path, database=open_at(tmp_path), relay=relay)
        office.enlist(ANN, CLEO)
        with pytest.raises(RelayUnusable, match=r"takes 1000 octets, a message has \d+"):
            office.run()
        assert set(office.states.values()) == {State.QUEUED}
        assert relay.commands["MAIL"] == 0
        office.ledger.close()
        office.database.close()


@in_every_way
def test_a_relay_that_refuses_the_sender_stops_the_issue_and_marks_nobody(cast: Office) -> None:
    cast.relay.reply("mail", "550 5.7.1 not from you")
    with pytest.raises(RelayUnusable, match="refuses the sender: 550"):
        cast.run()
    assert set(cast.states.values()) == {State.QUEUED}
    assert cast.relay.commands["MAIL"] == 1
    cast.check()


@in_every_way
def test_a_relay_that_wants_a_pause_gets_it(cast: Office) -> None:
    cast.relay.reply("mail", "451 4.7.1 slow down", times=1, skip=2)
    cast.run(patience=timedelta(hours=1))
    assert set(cast.states.values()) == {State.SENT}
    assert cast.relay.connections == 2


@in_every_way
def test_a_relay_that_says_421_after_every_two_messages_is_well(office: Office) -> None:
    office.enlist(*(f"r{number}@example.de" for number in range(10)))
    for ends in range(1, 5):
        office.relay.reply("mail", "421 4.7.0 too many messages", times=1, skip=2 * ends)
    office.run()
    assert office.relay.copies.total() == 10
    assert office.relay.connections == 5
    assert set(office.states.values()) == {State.SENT}


@in_every_way
def test_a_relay_that_refuses_every_message_is_no_fault_of_the_readers(cast: Office) -> None:
    cast.relay.reply("dot", SPAM)
    with pytest.raises(RelayUnusable, match="refuses every message: 554"):
        cast.run()
    assert set(cast.states.values()) == {State.QUEUED}
    assert all(line.reply is None for line in delivery_lines(cast.database, cast.mailing))
    cast.check()


@in_every_way
def test_a_relay_that_turns_against_us_is_noticed_and_the_refused_are_put_back(office: Office) -> None:
    office.enlist(*(f"r{number}@example.de" for number in range(19)))
    office.relay.reply("dot", "250 queued", times=4)
    office.relay.reply("dot", SPAM)
    with pytest.raises(RelayUnusable, match="refuses every message"):
        office.run()
    assert sorted(office.states.values()) == [State.QUEUED] * 15 + [State.SENT] * 4
    assert len(office.relay.offered) == 9
    office.check()


def test_twenty_dead_addresses_in_a_row_are_twenty_dead_addresses(office: Office) -> None:
    office.enlist(*(f"r{number}@example.de" for number in range(19)), ANN)
    office.relay.reply("rcpt", "550 5.1.1 no such user")
    office.run()
    assert set(office.states.values()) == {State.REFUSED}


def test_a_refusal_after_others_had_the_issue_is_this_readers_own(cast: Office) -> None:
    cast.relay.reply("dot", "451 4.3.0 later", to=CLEO, times=1)
    cast.run()
    cast.relay.reply("dot", SPAM, to=CLEO)
    cast.ledger.requeue_deferred(NOON + timedelta(days=1))
    cast.run()  # a new run, as by `send-issue 29` the next day
    assert cast.line(CLEO).state is State.REFUSED


@in_every_way
def test_a_connection_lost_before_the_dot_is_no_doubt(cast: Office) -> None:
    cast.relay.close("rcpt", to=CLEO, times=1)
    cast.relay.close("body", to=DAN, times=1)
    # A short content is in the kernel's hands, dot and all, before the reset is back; a long one is not.
    cast.build = lambda each, date: replace(build(each, date), content=[LONG])
    cast.run(patience=timedelta(hours=1))
    assert set(cast.states.values()) == {State.SENT}
    assert (cast.line(CLEO).attempts, cast.line(DAN).attempts) == (2, 2)


def test_a_relay_that_cannot_be_reached_stops_the_issue_and_marks_nobody(cast: Office) -> None:
    cast.relay.reply("connect", "421 4.3.2 busy")
    with pytest.raises(RelayUnusable, match="cannot be reached"):
        cast.run(patience=timedelta())
    assert set(cast.states.values()) == {State.QUEUED}
    assert cast.line(ANN).attempts == 0


def test_a_relay_that_goes_away_for_longer_than_patience_leaves_the_rest_queued(cast: Office) -> None:
    cast.relay.reply("mail", "421 4.3.2 going down", skip=2, times=1)
    cast.relay.reply("connect", "421 4.3.2 down", skip=1)
    with pytest.raises(Unfinished, match="lost for longer than --patience"):
        cast.run(patience=timedelta())
    assert sorted(cast.states.values()) == [State.QUEUED] * 2 + [State.SENT] * 2
    cast.check()


# --- the ledger fails ---------------------------------------------------------------------------------


@in_every_way
def test_when_the_ledger_fails_no_further_dot_goes_out(cast: Office) -> None:
    with sqlite3.connect(cast.database.place) as connection:
        connection.execute(
            "CREATE TRIGGER broken BEFORE UPDATE ON delivery"
            " WHEN (SELECT count(*) FROM delivery WHERE state = 'sent') >= 2"
            " BEGIN SELECT raise(FAIL, 'disk I/O error'); END"
        )
    connection.close()
    with pytest.raises(LedgerFailed, match="disk I/O error") as caught:
        cast.run()
    assert caught.value.exit_code == 74
    assert len(cast.relay.offered) == 2
    assert sorted(cast.states.values()) == [State.QUEUED] * 2 + [State.SENT] * 2  # the reply owed was still written
    cast.check()


def break_the_ledger(office: Office) -> None:
    """From the second reader on, no outcome can be written."""
    with sqlite3.connect(office.database.place) as connection:
        connection.execute(
            "CREATE TRIGGER broken BEFORE UPDATE ON delivery WHEN new.state = 'sent' AND new.id >= 2"
            " BEGIN SELECT raise(FAIL, 'disk I/O error'); END"
        )
    connection.close()


def mend_the_ledger(office: Office) -> None:
    with sqlite3.connect(office.database.place) as connection:
        connection.execute("DROP TRIGGER broken")
    connection.close()


@in_every_way
def test_an_outcome_that_cannot_be_written_is_kept_by_the_flight_recorder(cast: Office) -> None:
    break_the_ledger(cast)
    with pytest.raises(LedgerFailed):
        cast.run()
    mend_the_ledger(cast)
    assert cast.states[CLEO] is State.SENDING
    assert recover(cast.ledger, read_relay(cast.relay.url, folder=cast.folder), cast.folder, dead_after=AT_ONCE) == 0
    assert cast.states == {ANN: State.SENT, CLEO: State.SENT, DAN: State.QUEUED, EVE: State.QUEUED}
    assert "queued as" in (cast.line(CLEO).reply or "")
    assert cast.relay.copies == {ANN: 1, CLEO: 1}


@pytest.mark.parametrize("what", ["gone", "of another run", "of another boot", "cut short"])
def test_a_recorder_that_is_not_of_this_crash_is_not_believed(cast: Office, what: str) -> None:
    break_the_ledger(cast)
    with pytest.raises(LedgerFailed):
        cast.run()
    mend_the_ledger(cast)
    content = bytearray(cast.recorder.read_bytes())
    match what:
        case "gone":
            cast.recorder.unlink()
        case "of another run":
            content[65:73] = bytes(8)
            cast.recorder.write_bytes(content)
        case "of another boot":
            content[29:33] = b"0000"
            cast.recorder.write_bytes(content)
        case _:
            cast.recorder.write_bytes(content[:-1])
    assert recover(cast.ledger, read_relay(cast.relay.url, folder=cast.folder), cast.folder, dead_after=AT_ONCE) == 1
    assert cast.states == {ANN: State.SENT, CLEO: State.IN_DOUBT, DAN: State.QUEUED, EVE: State.QUEUED}


def test_when_the_ledger_fails_the_run_ends_at_once(cast: Office) -> None:
    with sqlite3.connect(cast.database.place) as connection:
        connection.execute(
            "CREATE TRIGGER broken BEFORE UPDATE ON delivery BEGIN SELECT raise(FAIL, 'disk I/O error'); END"
        )
    connection.close()
    begun = time.monotonic()
    with pytest.raises(LedgerFailed):
        cast.run()
    assert time.monotonic() - begun < 3


def test_when_the_receipt_cannot_be_written_nothing_is_handed_over(cast: Office) -> None:
    def refuse() -> None:
        raise LedgerFailed("receipt.json: no space left")

    cast.ledger.close()
    cast.ledger = Ledger(cast.database, cast.mailing, on_handing_over=refuse)
    with pytest.raises(LedgerFailed, match="receipt"):
        cast.run()
    assert not cast.relay.offered
    assert set(cast.states.values()) == {State.QUEUED}


async def ending_of(office: Office) -> BaseException | None:
    """How a run ended; fails if it hangs, and then takes it down."""
    task = asyncio.create_task(office.deliver())
    await asyncio.wait({task}, timeout=_HANGS)
    has_ended = task.done()
    for each in gc.get_objects() if not has_ended else ():
        if isinstance(each, Conversation):
            each.close()
    while not task.done():
        for each in asyncio.all_tasks() - {asyncio.current_task()}:
            each.cancel()
        await asyncio.sleep(0)
    assert has_ended, "the run hangs"
    return task.exception()


@in_every_way
def test_an_error_of_our_own_ends_the_run_and_does_not_hang_it(cast: Office) -> None:
    def fail(_: Outcome) -> None:
        raise BrokenPipeError("nobody reads what we say")

    cast.on_outcome = fail
    error = asyncio.run(ending_of(cast))
    assert isinstance(error, BrokenPipeError)


# --- readers who leave, editors who stop -----------------------------------------------------------------


def test_who_leaves_between_the_offer_and_the_content_gets_nothing(cast: Office) -> None:
    release = cast.relay.hold("data", to=ANN)
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(asyncio.run, cast.deliver(patience=timedelta(hours=1)))
        cast.relay.wait_for(lambda relay: relay.commands["DATA"] == 1, seconds=10)
        leave(cast.database, ANN)
        release()
        running.result(20)
    cast.check()
    assert cast.relay.copies == dict.fromkeys([CLEO, DAN, EVE], 1)
    assert (cast.line(ANN).state, cast.line(ANN).reason) == (State.SKIPPED, "unsubscribed")


@in_every_way
def test_after_a_stop_nothing_is_on_its_way(office: Office) -> None:
    office.enlist(*(f"r{number}@example.de" for number in range(100)))

    def stop_after_ten(_: Outcome) -> None:
        if len(office.told) == 10:
            office.stop.set()

    office.on_outcome = stop_after_ten
    office.run()
    counts = office.ledger.counts()
    assert set(counts) == {State.SENT, State.QUEUED}
    assert 10 <= counts[State.SENT] < 100
    assert office.relay.copies.total() == counts[State.SENT]
    office.on_outcome = lambda _: None
    office.run()
    assert office.relay.copies.total() == 100


def test_a_stop_ends_the_wait_for_deferred_readers(cast: Office) -> None:
    cast.relay.reply("rcpt", "452 4.2.2 mailbox full", to=CLEO)
    cast.on_outcome = lambda _: cast.stop.set() if len(cast.told) == 3 else None
    cast.run(patience=timedelta(days=1))
    assert cast.line(CLEO).state is State.DEFERRED


def test_every_outcome_is_told_once_it_is_durable(cast: Office) -> None:
    cast.relay.reply("rcpt", "452 4.2.2 mailbox full", to=CLEO)
    cast.relay.reply("rcpt", "550 5.1.1 no such user", to=DAN)
    cast.run()
    expected = [State.DEFERRED, State.REFUSED, State.SENT, State.SENT]
    assert sorted(outcome.state for outcome in cast.told) == expected


def test_an_abandoned_run_loses_no_reply_it_had(office: Office) -> None:
    people = [f"r{number}@example.de" for number in range(21)]  # enough for a second connection
    office.enlist(*people)
    at_rcpt, at_data = office.relay.hold("rcpt", to=people[2]), office.relay.hold("data", to=people[3])

    async def abandon() -> None:
        run = asyncio.create_task(office.deliver())
        sent = people[:2]
        await asyncio.to_thread(
            office.relay.wait_for,
            lambda relay: (
                set(relay.copies) == set(sent) and relay.commands["RCPT"] == 4 and relay.commands["DATA"] == 3
            ),
        )
        other = sqlite3.connect(office.database.place, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        at_data()  # this connection claims now, and waits for the ledger
        await asyncio.sleep(0.1)
        run.cancel()
        at_rcpt()
        await asyncio.sleep(0.05)
        other.execute("ROLLBACK")
        other.close()
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(abandon())
    recover(office.ledger, read_relay(office.relay.url, folder=office.folder), office.folder, dead_after=AT_ONCE)
    assert [office.states[each] for each in people[:2]] == [State.SENT, State.SENT]


def test_nobody_is_left_queued_because_the_others_just_went_home(office: Office) -> None:
    people = [f"r{number}@example.de" for number in range(21)]  # enough for a second connection
    office.enlist(*people)
    go_on, say_bye = office.relay.hold("rcpt", to=people[0]), office.relay.hold("quit")
    office.relay.close("data", to=people[0], times=1)
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(asyncio.run, office.deliver(patience=timedelta(hours=1)))
        office.relay.wait_for(lambda relay: relay.commands["QUIT"] == 1, seconds=10)
        go_on()
        office.relay.wait_for(lambda relay: relay.commands["DATA"] == 21, seconds=10)
        wait([running], timeout=0.2)
        say_bye()
        running.result(20)
    assert office.line(people[0]).state is State.SENT


# --- after a crash ---------------------------------------------------------------------------------------


def test_what_a_dead_run_left_is_in_doubt_and_not_sent_again(cast: Office) -> None:
    cast.ledger.commit([], [Claim(delivery_id=1, at=NOON)])
    relay = read_relay(cast.relay.url, folder=cast.folder)
    assert recover(cast.ledger, relay, cast.folder, dead_after=AT_ONCE) == 1
    cast.run()
    assert cast.relay.copies == dict.fromkeys([CLEO, DAN, EVE], 1)
    assert cast.line(ANN).state is State.IN_DOUBT


def test_a_maildir_knows_what_it_has(office: Office) -> None:
    office.enlist(ANN, CLEO, DAN, EVE, kind=Kind.MAILDIR)
    outbox = MaildirRelay(folder=office.folder / "outbox")
    ann, cleo, *_ = office.ledger.queued(after=0, limit=4)
    office.ledger.commit([], [Claim(delivery_id=each.id, at=NOON) for each in (ann, cleo)])
    open_maildir(outbox.folder)
    name = store(outbox.folder, ann.message_id, b"hello\r\n")
    assert recover(office.ledger, outbox, office.folder, dead_after=AT_ONCE) == 0
    assert rows(office.database) == {1: State.SENT, 2: State.QUEUED, 3: State.QUEUED, 4: State.QUEUED}
    assert (office.line(ANN).code, office.line(ANN).reply) == (250, name)
    asyncio.run(office.deliver(outbox))
    assert set(office.states.values()) == {State.SENT}
    assert len(list((outbox.folder / "new").iterdir())) == 4


def test_an_outbox_that_cannot_be_written_stops_the_issue_and_marks_nobody(cast: Office) -> None:
    (cast.folder / "outbox").write_text("a file")
    outbox = MaildirRelay(folder=cast.folder / "outbox")
    with pytest.raises(RelayUnusable, match="outbox must be a folder"):
        asyncio.run(cast.deliver(outbox))
    assert set(cast.states.values()) == {State.QUEUED}


def test_what_cannot_be_recorded_at_the_end_of_a_stopped_run_is_known_to_the_next(office: Office, relay: Relay) -> None:
    office.enlist(ANN, CLEO)
    release = relay.hold("dot")

    async def main() -> None:
        office.stop = asyncio.Event()
        sending = asyncio.create_task(office.deliver())
        await asyncio.to_thread(relay.wait_for, lambda relay: len(relay.offered) == 1)
        office.stop.set()
        other = sqlite3.connect(office.folder / "dispatcher.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        release()
        with pytest.raises(LedgerFailed):
            await sending
        other.close()

    with sqlite_patience(office, milliseconds=100):
        asyncio.run(main())
    recover(office.ledger, read_relay(relay.url, folder=office.folder), office.folder, dead_after=AT_ONCE)
    assert office.states[ANN] is State.SENT


def test_a_run_that_lives_is_left_alone(cast: Office) -> None:
    number = cast.ledger.begin_run()
    cast.ledger.commit([], [Claim(delivery_id=1, at=NOON)])
    with record(recorder_of(cast.folder, cast.database, number), run=number, slots=1):
        relay = read_relay(cast.relay.url, folder=cast.folder)
        assert recover(cast.ledger, relay, cast.folder, dead_after=AT_ONCE) == 0
    assert cast.states[ANN] is State.SENDING


def test_a_run_that_begins_while_others_are_looked_through_is_left_alone(cast: Office) -> None:
    beginner = Ledger(cast.database, cast.mailing)

    def begin(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if beginner.run is None and "delivery.state = 'sending'" in statement:
            beginner.begin_run()
            assert beginner.commit([], [Claim(delivery_id=1, at=NOON)]) == [True]

    event.listen(cast.database.engine, "before_cursor_execute", begin)
    relay = read_relay(cast.relay.url, folder=cast.folder)
    assert recover(cast.ledger, relay, cast.folder, dead_after=NEVER) == 0
    assert beginner.run is not None
    assert cast.states[ANN] is State.SENDING
    beginner.close()


def test_what_is_left_of_a_run_of_another_database_speaks_for_no_run_of_this_one(
    cast: Office, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Of the same number; its rows would be queued again while they are on their way."""
    number = cast.ledger.begin_run()
    cast.ledger.commit([], [Claim(delivery_id=1, at=NOON)])
    other = open_at(tmp_path_factory.mktemp("other"))
    with pytest.raises(LedgerFailed), record(recorder_of(cast.folder, other, number), run=number, slots=1):
        raise LedgerFailed("its database was full")
    other.close()
    assert recover(cast.ledger, read_relay(cast.relay.url, folder=cast.folder), cast.folder, dead_after=NEVER) == 0
    assert cast.states[ANN] is State.SENDING


@contextlib.contextmanager
def sqlite_patience(office: Office, *, milliseconds: int) -> Iterator[None]:
    """How long the ledger waits for another writer."""
    connection = office.ledger._pen.connection  # type: ignore[attr-defined]
    connection.execute(f"PRAGMA busy_timeout={milliseconds}")
    yield
    connection.execute("PRAGMA busy_timeout=30000")
