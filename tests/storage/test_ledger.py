"""The ledger: rows move only along the ways that exist, durably, and nobody is claimed twice."""

import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event, update

from dispatcher.desk.audit import audit
from dispatcher.errors import LedgerFailed
from dispatcher.models import Delivery, Outcome, Reply, State
from dispatcher.storage import postgres_pen, sqlite_pen
from dispatcher.storage.database import Database
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.mailings import Mailing, find_mailing
from dispatcher.storage.postgres_pen import PostgresPen
from dispatcher.storage.reports import broken_rows, delivery_lines
from dispatcher.storage.schema import membership
from dispatcher.storage.sqlite_pen import SqlitePen
from dispatcher.storage.standing import Channel
from tests.storage.books import (
    ANN,
    CLEO,
    DAN,
    EVE,
    FULL,
    NOON,
    OK,
    balance,
    change,
    claim,
    column,
    enlist,
    file_of_database,
    freeze_to,
    give_up,
    is_sqlite,
    leave,
    outcome,
    put_into,
    reopen,
    rows,
)

Q, S, T, R, D, U, K = (
    State.QUEUED, State.SENDING, State.SENT, State.REFUSED, State.DEFERRED, State.IN_DOUBT, State.SKIPPED,
)  # fmt: skip

# What each operation makes of a row in each state. What is not here stays as it is.
WAYS: dict[str, dict[State, State]] = {
    "claim": {Q: S},
    "claim, refused before the content": {Q: R},
    "claim, deferred before the content": {Q: D},
    "claim, lost before the content": {Q: Q},
    "record sent": {S: T},
    "record refused": {S: R},
    "record deferred": {S: D},
    "record in doubt": {S: U},
    "record queued": {S: Q},
    "skip": {Q: K},
    "put back": {R: Q},
    "due": {D: Q},
    "not due yet": {},
    "crash": {S: U},
}


def operate(ledger: Ledger, name: str, row: int) -> None:
    ended = {"refused": R, "deferred": D, "lost": Q}
    match name.split():
        case ["claim"]:
            ledger.commit([], [claim(row)])
        case ["claim,", how, *_]:
            ledger.commit([], [claim(row, outcome(row, ended[how]))])
        case ["record", *state]:
            ledger.commit([outcome(row, State("_".join(state)))], [])
        case ["skip"]:
            ledger.commit([outcome(row, K)], [])
        case ["put", "back"]:
            ledger.put_back([row])
        case ["due"]:
            ledger.requeue_deferred(NOON + timedelta(minutes=5))
        case ["not", "due", "yet"]:
            ledger.requeue_deferred(NOON + timedelta(minutes=5) - timedelta(microseconds=1))
        case _:
            give_up(ledger, "the run ended")


@pytest.mark.usefixtures("mailing")
@pytest.mark.parametrize("state", list(State), ids=str)
def test_every_operation_moves_a_row_along_a_way_or_leaves_it(database: Database, state: State) -> None:
    for issue, (name, ways) in enumerate(WAYS.items(), start=100):
        own = freeze_to(database, issue=issue)
        row = max(rows(database)) - 3
        of_its_own = Ledger(database, own)
        put_into(of_its_own, row, state)
        if name.startswith("record") and state is not S:
            with pytest.raises(LedgerFailed, match="is not being sent"):
                operate(of_its_own, name, row)
        else:
            operate(of_its_own, name, row)
        assert rows(database)[row] is ways.get(state, state), f"{name} of a row that is {state}"
        assert balance(database, own)
        of_its_own.close()
    assert {rows(database)[row] for row in range(1, 5)} == {Q}  # another mailing's rows are not touched


def test_a_sent_row_keeps_the_relays_reply_and_one_attempt(
    ledger: Ledger, database: Database, mailing: Mailing
) -> None:
    put_into(ledger, 1, T)
    line = next(delivery_lines(database, mailing))
    assert (line.address, line.state, line.attempts, line.code, line.reply) == (ANN, T, 1, 250, OK.text)
    assert column(database, 1, "settled_at") is not None


def test_a_second_attempt_keeps_the_date_and_the_message_id_of_the_first(ledger: Ledger) -> None:
    first = ledger.queued(after=0, limit=1)[0]
    put_into(ledger, 1, D)
    ledger.requeue_deferred(NOON + timedelta(hours=1))
    again = ledger.queued(after=0, limit=1)[0]
    assert (again.attempts, again.first_attempt_at) == (1, NOON)
    assert again.message_id == first.message_id
    ledger.commit([], [claim(1, at=NOON + timedelta(hours=1))])
    assert ledger.unsettled()[0].first_attempt_at == NOON


def test_what_a_row_said_before_is_gone_when_it_says_something_new(ledger: Ledger, database: Database) -> None:
    put_into(ledger, 1, D)
    ledger.requeue_deferred(NOON + timedelta(hours=1))
    put_into(ledger, 1, State.IN_DOUBT)
    assert [column(database, 1, name) for name in ("code", "reply", "due_at")] == [None, None, None]


def test_the_claim_of_the_next_message_and_the_outcome_of_the_last_are_one_commit(
    ledger: Ledger, database: Database
) -> None:
    put_into(ledger, 1, S)
    with pytest.raises(LedgerFailed):
        ledger.commit([outcome(1, T), outcome(2, T)], [claim(3)])  # row 2 was never claimed
    assert rows(database) == {1: S, 2: Q, 3: Q, 4: Q}
    assert ledger.commit([outcome(1, T)], [claim(2)]) == [True]
    assert rows(database) == {1: T, 2: S, 3: Q, 4: Q}


def test_of_two_ledgers_that_want_a_row_one_wins(ledger: Ledger, database: Database, mailing: Mailing) -> None:
    rival = Ledger(database, mailing)
    assert ledger.commit([], [claim(1)]) == [True]
    assert rival.commit([], [claim(1), claim(2)]) == [False, True]
    assert rows(database) == {1: S, 2: S, 3: Q, 4: Q}
    rival.close()


def test_of_many_who_want_rows_at_once_each_row_has_one_winner(database: Database) -> None:
    enlist(database, *(f"reader{number}@example.de" for number in range(40)))
    mailing = freeze_to(database)

    def grab(_: int) -> list[bool]:
        rival = Ledger(database, mailing)
        won = [held for row in rows(database) for held in rival.commit([], [claim(row)])]
        rival.close()
        return won

    with ThreadPoolExecutor(4) as rivals:
        won = list(rivals.map(grab, range(4)))
    assert [sum(each) for each in zip(*won, strict=True)] == [1] * 40


def test_those_who_want_the_same_rows_in_any_order_do_not_wait_for_each_other(database: Database) -> None:
    enlist(database, *(f"reader{number}@example.de" for number in range(40)))
    mailing = freeze_to(database)
    wanted = sorted(rows(database))

    def grab(number: int) -> list[int]:
        with closing(Ledger(database, mailing)) as rival:
            order = wanted[::-1] if number % 2 else wanted
            return [
                row for row, held in zip(order, rival.commit([], [claim(row) for row in order]), strict=True) if held
            ]

    with ThreadPoolExecutor(4) as rivals:
        won = [row for each in rivals.map(grab, range(4)) for row in each]
    assert sorted(won) == wanted


def test_what_a_relay_says_is_kept_whatever_it_is(ledger: Ledger, database: Database) -> None:
    ledger.commit([], [claim(1)])
    said = "2.0.0 \0 queued \\u0000 'as' \t \U0001f4e8"
    ledger.commit([Outcome(delivery_id=1, state=T, reply=Reply(code=250, text=said))], [claim(2)])
    assert column(database, 1, "reply") in {said, said.replace("\0", "\ufffd")}
    assert rows(database)[1] is T


def test_who_is_leaving_at_this_moment_is_not_claimed(ledger: Ledger, database: Database) -> None:
    with ThreadPoolExecutor(1) as thread:
        with database.writing() as connection:
            ann = update(membership).where(membership.c.subscriber_id == 1)
            connection.execute(ann.values(state="unsubscribed", changed_at=NOON))
            committing = thread.submit(ledger.commit, [], [claim(2), claim(1)])
            assert not wait([committing], timeout=0.1).done
        assert committing.result(10) == [True, False]
    assert rows(database) == {1: K, 2: S, 3: Q, 4: Q}
    assert column(database, 1, "reason") == "unsubscribed"


@pytest.mark.parametrize("list_name", ["readers", None], ids=["this list", "all lists"])
def test_who_left_is_not_claimed_and_skipped_with_the_reason(
    ledger: Ledger, database: Database, list_name: str | None
) -> None:
    leave(database, ANN, list_name)
    assert ledger.commit([], [claim(1), claim(2)]) == [False, True]
    assert rows(database) == {1: K, 2: S, 3: Q, 4: Q}
    assert column(database, 1, "reason") == "unsubscribed"
    assert column(database, 1, "attempts") == 0


def test_who_left_another_list_is_claimed(ledger: Ledger, database: Database) -> None:
    enlist(database, ANN, list_name="weekly")
    leave(database, ANN, "weekly")
    assert ledger.commit([], [claim(1)]) == [True]


def test_whose_line_is_gone_is_skipped_with_the_reason(database: Database) -> None:
    enlist(database, ANN, CLEO, source=Channel.FILE, own=True)
    mailing = freeze_to(database)
    enlist(database, CLEO, source=Channel.FILE, own=True)
    ledger = Ledger(database, mailing)
    assert ledger.commit([], [claim(1), claim(2)]) == [False, True]
    assert column(database, 1, "reason") == "no longer on the list"
    ledger.close()


@pytest.mark.parametrize("claim", [sqlite_pen.CLAIM, postgres_pen.CLAIM], ids=["sqlite", "postgresql"])
def test_the_claim_and_the_look_at_the_membership_are_one_statement(claim: str) -> None:
    statement = " ".join(claim.split())
    assert statement.count("UPDATE delivery SET state = 'sending'") == 1
    assert ";" not in statement
    assert "state = 'queued' AND" in statement
    assert "membership.state = 'active'" in statement


def test_who_leaves_while_deferred_is_not_tried_again(ledger: Ledger, database: Database) -> None:
    put_into(ledger, 2, D)
    leave(database, CLEO)
    ledger.requeue_deferred(NOON + timedelta(hours=1))
    assert ledger.commit([], [claim(2)]) == [False]
    assert rows(database)[2] is K


def test_after_a_crash_rows_on_their_way_are_in_doubt_and_nobody_else(
    ledger: Ledger, database: Database, mailing: Mailing
) -> None:
    put_into(ledger, 1, T)
    put_into(ledger, 2, S)
    ledger.close()
    again, second = reopen(database, mailing)
    assert give_up(second, "the run ended") == 1
    assert rows(again) == {1: T, 2: U, 3: Q, 4: Q}
    assert column(again, 2, "reason") == "the run ended"
    assert give_up(second, "again") == 0
    second.close()
    again.close()


def handed_over_at(database: Database, mailing: Mailing) -> datetime | None:
    found = find_mailing(database, mailing.issue, mailing.kind)
    assert found is not None
    return found.handed_over_at


def test_the_first_content_is_announced_once_and_before_it_is_claimed(database: Database, mailing: Mailing) -> None:
    seen: list[dict[int, State]] = []
    ledger = Ledger(database, mailing, on_handing_over=lambda: seen.append(rows(database)))
    ledger.commit([outcome(4, K)], [])
    assert not seen
    assert handed_over_at(database, mailing) is None
    ledger.commit([], [claim(3, outcome(3, R))])  # nothing that could arrive
    assert not seen
    assert handed_over_at(database, mailing) is None
    ledger.commit([], [claim(1)])
    ledger.commit([outcome(1, T)], [claim(2)])
    assert [each[1] for each in seen] == [Q]
    assert handed_over_at(database, mailing) is not None
    ledger.close()


def test_if_the_announcement_fails_nothing_is_claimed(database: Database, mailing: Mailing) -> None:
    def refuse() -> None:
        raise LedgerFailed("the receipt cannot be written")

    ledger = Ledger(database, mailing, on_handing_over=refuse)
    with pytest.raises(LedgerFailed, match="receipt"):
        ledger.commit([], [claim(1)])
    assert rows(database)[1] is Q
    ledger.close()


def test_rows_are_read_a_page_at_a_time(ledger: Ledger) -> None:
    def page(after: int) -> list[Delivery]:
        return ledger.queued(after=after, limit=3)

    assert [each.id for each in page(0)] == [1, 2, 3]
    assert [each.id for each in page(3)] == [4]
    assert page(4) == []
    assert len({each.message_id for each in (*page(0), *page(3))}) == 4


def test_the_next_due_time_is_the_earliest(ledger: Ledger) -> None:
    assert ledger.next_due() is None
    for row, minutes in ((1, 20), (2, 5)):
        ledger.commit([], [claim(row)])
        late = Outcome(delivery_id=row, state=D, reply=FULL, due_at=NOON + timedelta(minutes=minutes))
        ledger.commit([late], [])
    assert ledger.next_due() == NOON + timedelta(minutes=5)


def test_only_refused_rows_are_put_back_and_their_words_go(ledger: Ledger, database: Database) -> None:
    for row, state in ((1, R), (2, T), (3, U)):
        put_into(ledger, row, state)
    ledger.put_back([1, 2, 3, 4, 999])
    assert rows(database) == {1: Q, 2: T, 3: U, 4: Q}
    assert [column(database, 1, name) for name in ("code", "reply", "reason", "settled_at")] == [None] * 4


# --- the ledger's own health ----------------------------------------------------------------------


def test_a_commit_waits_for_whoever_changes_what_it_rests_on(ledger: Ledger, database: Database) -> None:
    with ThreadPoolExecutor(1) as thread:
        with database.writing() as connection:
            connection.execute(update(membership).values(changed_at=NOON))
            committing = thread.submit(ledger.commit, [], [claim(1)])
            assert not wait([committing], timeout=0.05).done
        assert committing.result(10) == [True]


def test_on_a_full_disk_the_ledger_fails_and_nothing_is_half_recorded(in_sqlite: Database) -> None:
    enlist(in_sqlite, ANN, CLEO, DAN, EVE)
    mailing = freeze_to(in_sqlite)
    ledger = Ledger(in_sqlite, mailing)
    put_into(ledger, 1, S)
    assert isinstance(ledger._pen, SqlitePen)
    connection = ledger._pen.connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    long = Outcome(delivery_id=1, state=T, reply=Reply(code=250, text="x" * 300_000))
    with pytest.raises(LedgerFailed, match="full") as caught:
        ledger.commit([long], [claim(2)])
    assert caught.value.exit_code == 74
    assert in_sqlite.place in str(caught.value)
    assert rows(in_sqlite) == {1: S, 2: Q, 3: Q, 4: Q}
    connection.execute(f"PRAGMA max_page_count = {pages * 1000}")
    assert ledger.commit([long], [claim(2)]) == [True]
    assert balance(in_sqlite, mailing)
    ledger.close()


def test_a_commit_that_fails_says_so_and_leaves_the_ledger_usable(ledger: Ledger, database: Database) -> None:
    for statement in BREAKS_ROW_2[database.engine.dialect.name]:
        change(database, statement)
    with pytest.raises(LedgerFailed, match="disk I/O error"):
        ledger.commit([], [claim(1), claim(2)])
    assert rows(database)[1] is Q
    assert ledger.commit([], [claim(1)]) == [True]


BREAKS_ROW_2 = {
    "sqlite": [
        """CREATE TRIGGER broken BEFORE UPDATE ON delivery WHEN new.id = 2
        BEGIN SELECT raise(FAIL, 'disk I/O error'); END"""
    ],
    "postgresql": [
        """CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION 'disk I/O error' USING ERRCODE = 'io_error'; END $$""",
        "CREATE TRIGGER broken BEFORE UPDATE ON delivery FOR EACH ROW WHEN (new.id = 2) EXECUTE FUNCTION break()",
    ],
}


# --- what the audit sees --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE delivery SET code = NULL WHERE id = 1", "1 row is sent without a reply or reason"),
        ("UPDATE delivery SET code = NULL, reason = NULL WHERE id = 2", "refused without a reply or reason"),
        ("UPDATE delivery SET reason = NULL WHERE id = 3", "skipped without a reason"),
        ("DELETE FROM delivery WHERE id = 4", "4 readers ≠"),
    ],
)
def test_the_audit_sees_what_contradicts_the_promise(
    ledger: Ledger, database: Database, mailing: Mailing, damage: str, said: str
) -> None:
    for row, state in ((1, T), (2, R), (3, K)):
        put_into(ledger, row, state)
    assert audit(database, mailing).holds
    assert not broken_rows(database, mailing.id)
    change(database, damage)
    account = audit(database, mailing)
    assert not account.holds
    assert said in account.sentence()


# --- at a hundred thousand rows -------------------------------------------------------------------

MANY = """
    INSERT INTO delivery (mailing_id, subscriber_id, copy, list_id, edition_id, state, attempts)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
    SELECT 1, 1, i, 1, 1, CASE WHEN mod(i, 100) > 0 THEN 'sent' ELSE 'queued' END, 0 FROM n
"""


@pytest.fixture
def crowd(database: Database, mailing: Mailing) -> Mailing:
    change(database, "DELETE FROM delivery")
    change(database, MANY.replace("mod(i, 100)", "i % 100") if is_sqlite(database) else MANY)
    if not is_sqlite(database):
        change(database, "ANALYZE delivery")
    return mailing


USES: dict[str, tuple[Callable[[Ledger, int], object], str, str]] = {
    "queued": (lambda ledger, _: ledger.queued(after=50_000, limit=500), "INDEX delivery_queued", "delivery_queued"),
    "unsettled": (lambda ledger, _: ledger.unsettled(), "INDEX delivery_sending", "delivery_sending"),
    "next due": (lambda ledger, _: ledger.next_due(), "INDEX delivery_deferred", "delivery_deferred"),
    "requeue": (lambda ledger, _: ledger.requeue_deferred(NOON), "INDEX delivery_deferred", "delivery_deferred"),
    "settle": (
        lambda ledger, row: ledger.settle(1, [outcome(row, T)]),
        "USING INTEGER PRIMARY KEY",
        "delivery_pkey",
    ),
    "claim": (lambda ledger, row: ledger.commit([], [claim(row)]), "USING INTEGER PRIMARY KEY", "delivery_pkey"),
    "put back": (lambda ledger, row: ledger.put_back([row]), "USING INTEGER PRIMARY KEY", "delivery_pkey"),
}


def test_no_statement_of_a_run_looks_at_every_row(crowd: Mailing, database: Database) -> None:
    ledger = Ledger(database, crowd)
    row = ledger.queued(after=0, limit=1)[0].id
    for name, (act, used_by_sqlite, used_by_postgresql) in USES.items():
        steps_of, used = (
            (steps_in_sqlite, used_by_sqlite) if is_sqlite(database) else (steps_in_postgresql, used_by_postgresql)
        )
        steps = steps_of(database, ledger, partial(act, ledger, row))
        assert any(used in step for step in steps), f"{name}: {steps}"
        every = ("SCAN delivery", "B-TREE") if is_sqlite(database) else ("Seq Scan on delivery",)
        assert not [step for step in steps if any(each in step for each in every)], f"{name}: {steps}"
    ledger.close()


def steps_in_sqlite(database: Database, ledger: Ledger, act: Callable[[], object]) -> list[str]:
    """How SQLite carries out what is done to deliveries."""
    assert isinstance(ledger._pen, SqlitePen)
    pen = ledger._pen
    seen: list[tuple[str, Sequence[object]]] = []

    def note(*given: Any) -> None:
        seen.append((given[2], given[3]))

    event.listen(database.engine, "before_cursor_execute", note)
    pen.connection.set_trace_callback(lambda statement: seen.append((statement, ())))
    act()
    pen.connection.set_trace_callback(None)
    event.remove(database.engine, "before_cursor_execute", note)
    connection = sqlite3.connect(file_of_database(database))
    steps = [
        str(step[3])
        for statement, given in seen
        if "delivery" in statement
        for step in connection.execute(f"EXPLAIN QUERY PLAN {statement}", given)
    ]
    connection.close()
    return steps


def steps_in_postgresql(database: Database, ledger: Ledger, act: Callable[[], object]) -> list[str]:
    """The same of PostgreSQL, which tells of each session's statements what it really did."""
    assert isinstance(ledger._pen, PostgresPen)
    said: list[str] = []
    told: set[int] = set()
    asked = [
        "LOAD 'auto_explain'", "SET auto_explain.log_min_duration = 0", "SET client_min_messages = log",
        "SET auto_explain.log_level = 'log'",
    ]  # fmt: skip
    pen = ledger._pen.connection
    for statement in asked:
        pen.execute(statement.encode())
    pen.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))

    def prepare(connection: Any, *_: object) -> None:
        driver = connection.connection.driver_connection
        if id(driver) not in told:
            told.add(id(driver))
            for statement in asked:
                driver.execute(statement.encode())
            driver.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))

    event.listen(database.engine, "before_cursor_execute", prepare)
    act()
    event.remove(database.engine, "before_cursor_execute", prepare)
    return [line for each in said if "delivery" in each for line in each.splitlines()]
