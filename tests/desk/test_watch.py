"""What who watches a send sees: every state, the pace, the time left, who sends; on 80 columns and in lines."""

import io
import json
import re
import signal
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from dispatcher.config import load_settings
from dispatcher.desk.watch import IssueSeen, Look, Rates, drawn, in_lines
from dispatcher.models import Kind, State
from dispatcher.recipes.watch import watch
from dispatcher.storage.control import ask_to_stop
from dispatcher.storage.database import Database
from dispatcher.storage.driver import Sender
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.lock import run_lock
from dispatcher.storage.mailings import Mailing, find_mailing
from tests.newsletter import Newsletter
from tests.storage.books import ANN, CLEO, DAN, EVE, claim, enlist, freeze_to, open_at, outcome, put_into

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
ANNS_RUN = Sender(pid=4711, host="desk", since=NOON - timedelta(minutes=3), seen_at=NOON - timedelta(seconds=1))
GOING = {
    State.SENT: 812_345, State.QUEUED: 187_000, State.SENDING: 64, State.DEFERRED: 1_234, State.REFUSED: 56_789,
    State.SKIPPED: 7, State.IN_DOUBT: 2,
}  # fmt: skip


def issue(number: int, counts: Mapping[State, int], **more: object) -> IssueSeen:
    return IssueSeen(issue=number, sent_as="live", when=NOON, counts=counts, **more)  # type: ignore[arg-type]


def screen(*issues: IssueSeen, senders: tuple[Sender, ...] = (ANNS_RUN,), lines: int = 24, width: int = 80) -> str:
    file = io.StringIO()
    look = Look(newsletter="Test Letter", at=NOON, issues=issues, senders=senders)
    Console(file=file, width=width, force_terminal=False).print(drawn(look, lines=lines))
    return file.getvalue()


def test_an_issue_on_its_way_is_seen_whole_on_80_columns() -> None:
    seen = screen(issue(29, GOING, per_second=400.0))
    assert all(len(line) <= 80 for line in seen.splitlines())
    for part in ("issue 29", "live", " 82 %", "400/s", "8 min left", "2 in doubt", "812,345 sent", "187,000 queued",
                 "64 sending", "1,234 deferred", "pid 4711 on desk since 11:57:00"):  # fmt: skip
        assert part in seen


def test_the_lines_of_a_hundred_issues_fit_the_screen_and_those_on_their_way_come_first() -> None:
    done = [issue(number, {State.SENT: 5}) for number in range(1, 100)]
    seen = screen(*done, issue(7, GOING), lines=24).splitlines()
    assert len(seen) <= 24
    assert "issue 7" in seen[2]
    assert any(re.search(r"… and \d\d more", line) for line in seen)
    assert seen[-1].startswith("sending:")
    assert len(screen(*(issue(number, GOING) for number in range(30)), lines=24).splitlines()) <= 24


def test_nobody_who_sends_and_a_sender_without_a_sign_of_life_are_told() -> None:
    assert "nobody is sending" in screen(issue(29, GOING), senders=())
    silent = Sender(pid=1, host="desk", since=NOON, seen_at=NOON - timedelta(seconds=40))
    assert "without a sign of life for 40 s" in screen(issue(29, GOING), senders=(silent,))


def test_whom_only_the_hour_holds_up_has_no_pace() -> None:
    seen = screen(issue(29, {State.SENT: 9, State.DEFERRED: 1}, per_second=3.0))
    assert "some wait" in seen
    assert "/s" not in seen


def test_the_pace_is_that_of_the_last_half_minute() -> None:
    rates = Rates()
    assert rates.note("a", 0, 0) is None
    assert rates.note("a", 10, 100) == 10
    assert rates.note("b", 10, 5) is None
    assert rates.note("a", 30, 300) == 10
    assert rates.note("a", 60, 300) == 0
    assert rates.note("a", 61, 200) is None  # some were queued again
    assert rates.note("a", 62, 203) == 3


def test_elsewhere_a_line_tells_what_has_changed(capsys: pytest.CaptureFixture[str]) -> None:
    show = in_lines()
    show(Look(newsletter="x", at=NOON, issues=[issue(28, {State.SENT: 3}), issue(29, GOING)], senders=[ANNS_RUN]))
    show(Look(newsletter="x", at=NOON, issues=[issue(28, {State.SENT: 3}), issue(29, GOING)], senders=[ANNS_RUN]))
    show(Look(newsletter="x", at=NOON, issues=[issue(29, {State.SENT: 4})], senders=[]))
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == "12:00:00 issue 28, live: 3 sent"
    assert second.startswith("12:00:00 issue 29, live: 812,345 sent")
    assert "pid 4711 on desk" in second
    assert third == "12:00:00 issue 29, live: 4 sent"


@pytest.fixture
def letter(newsletter: Newsletter) -> Newsletter:
    """Issue 29 was frozen to four; Ann has it, Cleo is in doubt."""
    database = open_at(newsletter.folder)
    enlist(database, ANN, CLEO, DAN, EVE)
    ledger = Ledger(database, freeze_to(database))
    first, second, *_ = (each.id for each in ledger.queued(after=0, limit=9))
    put_into(ledger, first, State.SENT)
    put_into(ledger, second, State.IN_DOUBT)
    ledger.close()
    database.close()
    return newsletter


def mailing_of(database: Database) -> Mailing:
    found = find_mailing(database, 29, Kind.LIVE)
    assert found is not None
    return found


def looks(letter: Newsletter, *between: Callable[[], None]) -> list[Look]:
    """What is seen, with something happening between one look and the next, until Ctrl-C."""
    seen: list[Look] = []
    happenings, ticks = iter(between), iter(range(0, 1000, 5))

    def wait(_seconds: float) -> None:
        happening = next(happenings, None)
        if happening is None:
            raise KeyboardInterrupt
        happening()

    watch(load_settings(letter.folder, {}), None, seen.append, every=1.0, ticks=lambda: float(next(ticks)), wait=wait)
    return seen


def test_each_look_sees_what_has_happened_since(letter: Newsletter) -> None:
    database = open_at(letter.folder)

    def dan_gets_it() -> None:
        ledger = Ledger(database, mailing_of(database))
        row = ledger.queued(after=0, limit=1)[0].id
        ledger.commit([], [claim(row)])
        ledger.commit([outcome(row, State.SENT)], [])
        ledger.close()

    def somebody_stops_it() -> None:
        ask_to_stop(database, mailing_of(database).id)

    with run_lock(database):
        first, second, third = looks(letter, dan_gets_it, somebody_stops_it)
    database.close()
    before, after, stopped = (each.issues[0] for each in (first, second, third))
    assert (before.counts[State.QUEUED], after.counts[State.QUEUED]) == (2, 1)
    assert (before.per_second, after.per_second) == (None, 0.1)
    assert len(first.senders) == 1
    assert stopped.halted is not None
    assert "stopped" in stopped.halted


def test_what_has_not_begun_is_seen_and_then_seen_to_begin(newsletter: Newsletter) -> None:
    def it_begins() -> None:
        database = open_at(newsletter.folder)
        enlist(database, ANN)
        freeze_to(database)
        database.close()

    first, second = looks(newsletter, it_begins)
    assert (first.issues[0].sent_as, second.issues[0].sent_as) == ("not yet", "live")


def test_ctrl_c_ends_it_well(letter: Newsletter) -> None:
    watching = letter.start("dispatcher", "status", "29", "--watch", "--format", "json")
    log = letter.folder.parent / "dispatcher.log"
    while not log.exists() or "\n" not in log.read_text("utf-8"):
        assert watching.poll() is None
        time.sleep(0.02)
    watching.send_signal(signal.SIGINT)
    assert watching.wait(20) == 0
    (line,) = log.read_text("utf-8").splitlines()
    look = json.loads(line)
    assert look["issues"][0]["counts"] == {"in_doubt": 1, "queued": 2, "sent": 1}
    assert look["senders"] == []
