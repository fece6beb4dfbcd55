"""What Prometheus reads: the queue, the pace, what relays say and who sends, and nobody's address."""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dispatcher.models import Kind, State
from dispatcher.storage.database import now
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.lock import run_lock
from dispatcher.web.app import make_site
from dispatcher.web.metrics import Gauges
from tests.storage.books import claim, enlist, freeze_to, outcome
from tests.web.house import House
from tests.web.visitor import ask


def text_of(house: House) -> str:
    """Asked of a site that has counted nothing yet."""
    answer = ask(make_site(house.site), "GET", "/metrics", headers={"host": "127.0.0.1:8029"})
    assert answer.status == 200
    return answer.text


def measured(house: House, name: str) -> dict[tuple[str, ...], float]:
    """The values of a metric by its labels, read as Prometheus would."""
    families = {each.name: each for each in text_string_to_metric_families(text_of(house))}
    assert all(each.documentation and each.type == "gauge" for each in families.values())
    samples = [(tuple(sample.labels.values()), sample.value) for sample in families[name].samples]
    assert len(dict(samples)) == len(samples)  # no series twice
    return dict(samples)


@pytest.fixture
def ledger(house: House) -> Iterator[Ledger]:
    """Issue 29 to 12 readers of a big domain, and to many who each have a domain of their own."""
    enlist(house.database, *(f"reader{n}@big.example" for n in range(12)), list_name="metered")
    enlist(house.database, *(f"me@own{n}.example" for n in range(30)), list_name="metered")
    mailing = freeze_to(house.database, "metered")
    with closing(Ledger(house.database, mailing)) as ledger:
        yield ledger


def settle(ledger: Ledger, states: Mapping[int, State]) -> None:
    ledger.commit([], [claim(row) for row in states])
    ledger.commit([outcome(row, state) for row, state in states.items()], [])


def test_the_queue_is_told_by_state_and_what_is_nought_is_told_too(house: House, ledger: Ledger) -> None:
    rows = [each.id for each in ledger.queued(after=0, limit=100)]
    settle(ledger, {rows[0]: State.SENT, rows[1]: State.IN_DOUBT, rows[2]: State.DEFERRED})
    counts = measured(house, "dispatcher_deliveries")
    assert {state: counts["29", "live", state] for state in State} == {
        "queued": 39, "sending": 0, "sent": 1, "refused": 0, "deferred": 1, "in_doubt": 1, "skipped": 0,
    }  # fmt: skip


def test_the_pace_is_that_of_the_last_minute(house: House, ledger: Ledger) -> None:
    rows = [each.id for each in ledger.queued(after=0, limit=100)]
    settle(ledger, dict.fromkeys(rows[:30], State.SENT))
    with house.database.writing() as connection:
        connection.exec_driver_sql("UPDATE delivery SET settled_at = '2026-11-25' WHERE id <= ?", (rows[17],))
    assert measured(house, "dispatcher_settled_per_second")["29", "live"] == 0.2


def test_replies_are_told_of_big_domains_and_small_ones_are_one(house: House, ledger: Ledger) -> None:
    rows = ledger.queued(after=0, limit=100)
    settle(ledger, {each.id: State.REFUSED if each.id % 2 else State.SENT for each in rows})
    replies = measured(house, "dispatcher_replies")
    assert replies == {
        ("29", "big.example", "250"): 6, ("29", "big.example", "550"): 6,
        ("29", "other", "250"): 15, ("29", "other", "550"): 15,
    }  # fmt: skip


def test_however_many_domains_there_are_few_are_named(house: House) -> None:
    enlist(house.database, *(f"r{n}@d{n % 20}.example" for n in range(120)), list_name="many")
    mailing = freeze_to(house.database, "many")
    with closing(Ledger(house.database, mailing)) as ledger:
        settle(ledger, dict.fromkeys([each.id for each in ledger.queued(after=0, limit=200)], State.SENT))
    replies = measured(house, "dispatcher_replies")
    assert len(replies) == 11
    assert sum(replies.values()) == 120


def test_only_what_is_on_its_way_or_new_is_told_in_detail(house: House, ledger: Ledger) -> None:
    settle(ledger, dict.fromkeys([each.id for each in ledger.queued(after=0, limit=100)], State.SENT))
    freeze_to(house.database, issue=30, kind=Kind.MAILDIR)
    assert {labels[0] for labels in measured(house, "dispatcher_replies")} == {"29"}
    freeze_to(house.database, issue=31)  # on its way, without a reply
    assert measured(house, "dispatcher_replies") == {}


def test_who_sends_gives_signs_of_life(house: House) -> None:
    name = "dispatcher_sender_heartbeat_timestamp_seconds"
    assert measured(house, name) == {}
    with run_lock(house.database):
        ((host, _), beat), = measured(house, name).items()  # fmt: skip
        assert host == socket.gethostname()
        assert abs(beat - now().timestamp()) < 30
    assert measured(house, name) == {}


def test_a_list_may_have_any_name(house: House) -> None:
    enlist(house.database, "ann@example.org", list_name='a "b"\\c')
    assert measured(house, "dispatcher_readers")['a "b"\\c', "active"] == 1


def test_no_address_and_no_name_is_in_it(house: House, ledger: Ledger) -> None:
    settle(ledger, dict.fromkeys([each.id for each in ledger.queued(after=0, limit=100)], State.SENT))
    text = text_of(house)
    assert "@" not in text
    assert "own" not in text
    assert "Ann" not in text


def test_counting_that_takes_a_second_is_done_every_ten(house: House) -> None:
    moments = iter([0.0, 1.0, 10.9, 11.1, 12.1])  # begun, done, asked, begun again, done
    gauges = Gauges(house.database, ticks=lambda: next(moments))
    first = gauges.text()
    enlist(house.database, "dan@example.org")
    assert gauges.text() == first
    assert gauges.text() != first


def test_who_asks_while_counting_takes_long_gets_the_counts_before(house: House) -> None:
    moments, may_end = iter([0.0, 0.1, 100.0, 100.1]), threading.Event()  # asked, counted, asked again, counted

    def ticks() -> float:
        moment = next(moments)
        if moment == 100.1:
            may_end.wait(20)
        return moment

    gauges = Gauges(house.database, ticks)
    first = gauges.text()
    enlist(house.database, "dan@example.org")
    assert gauges.text(patience=0) == first
    may_end.set()
    assert 'standing="active"} 4' in gauges.text()


def test_a_database_that_cannot_be_read_is_told_to_whoever_asks(house: House) -> None:
    gauges = Gauges(house.database)
    with house.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE letter RENAME TO lost")
    with pytest.raises(Exception, match="no such table: letter"):
        gauges.text()
    with house.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE lost RENAME TO letter")
    assert "dispatcher_letters" in gauges.text()
