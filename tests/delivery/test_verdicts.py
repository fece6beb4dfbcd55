"""Verdicts: what a reply means for the reader, the connection and the issue."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.delivery.verdicts import Breaker, Phase, Then, judge, next_attempt
from dispatcher.models import Reply, State

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
BEFORE_THE_DOT = (Phase.RCPT, Phase.DATA, Phase.BODY)


def said(text: str) -> Reply:
    code, _, words = text.partition(" ")
    return Reply(code=int(code), text=words)


@pytest.mark.parametrize(
    ("phases", "reply", "state", "then"),
    [
        ((Phase.DOT,), "250 queued", State.SENT, Then.GO_ON),
        ((Phase.DOT,), "200 queued", State.SENT, Then.GO_ON),
        ((Phase.DOT,), "451 later", State.DEFERRED, Then.GO_ON),
        ((Phase.DOT,), "421 closing", State.DEFERRED, Then.RECONNECT),
        ((Phase.DOT,), "554 spam", State.REFUSED, Then.GO_ON),
        ((Phase.DOT,), None, State.IN_DOUBT, Then.RECONNECT),
        ((Phase.DOT,), "199 what", State.IN_DOUBT, Then.RECONNECT),
        ((Phase.DOT,), "999 what", State.IN_DOUBT, Then.RECONNECT),
        ((Phase.MAIL,), "451 slow down", State.QUEUED, Then.WAIT),
        ((Phase.MAIL,), "421 too many", State.QUEUED, Then.WAIT),
        ((Phase.MAIL,), "550 not you", State.QUEUED, Then.STOP),
        ((Phase.MAIL,), None, State.QUEUED, Then.RECONNECT),
        (BEFORE_THE_DOT, "450 greylisted", State.DEFERRED, Then.GO_ON),
        (BEFORE_THE_DOT, "452 full", State.DEFERRED, Then.GO_ON),
        (BEFORE_THE_DOT, "421 closing", State.QUEUED, Then.RECONNECT),
        (BEFORE_THE_DOT, "550 gone", State.REFUSED, Then.GO_ON),
        (BEFORE_THE_DOT, None, State.QUEUED, Then.RECONNECT),
        (BEFORE_THE_DOT, "600 what", State.QUEUED, Then.RECONNECT),
        ((Phase.DATA,), "250 not what DATA is answered with", State.DEFERRED, Then.GO_ON),
    ],
)
def test_a_reply_means_what_rfc_5321_says(phases: Sequence[Phase], reply: str | None, state: State, then: Then) -> None:
    for phase in phases:
        verdict = judge(phase, None if reply is None else said(reply))
        assert (verdict.state, verdict.then) == (state, then), phase


@given(st.sampled_from(Phase), st.none() | st.builds(Reply, code=st.integers(0, 999), text=st.text()))
def test_sent_and_in_doubt_are_only_behind_the_dot(phase: Phase, reply: Reply | None) -> None:
    state = judge(phase, reply).state
    assert phase is Phase.DOT or state not in {State.SENT, State.IN_DOUBT}
    assert state is not State.SENT or (reply is not None and 200 <= reply.code < 300)
    assert state is not State.REFUSED or (reply is not None and 500 <= reply.code < 600)


def test_a_354_after_the_dot_is_a_doubt() -> None:
    assert judge(Phase.DOT, said("354 go on")).state is State.IN_DOUBT


def test_attempts_come_less_often_up_to_an_hour() -> None:
    waits = [next_attempt(attempts, now=NOON, jitter=0) - NOON for attempts in range(1, 8)]
    assert waits == [timedelta(minutes=minutes) for minutes in (5, 10, 20, 40, 60, 60, 60)]


@given(st.integers(1, 1000), st.floats(0, 1))
def test_jitter_adds_up_to_a_fifth(attempts: int, jitter: float) -> None:
    plain = next_attempt(attempts, now=NOON, jitter=0) - NOON
    assert plain <= next_attempt(attempts, now=NOON, jitter=jitter) - NOON <= plain * 1.2


# --- the breaker -----------------------------------------------------------------------------------

SPAM, POLICY, GONE = "554 5.7.1 spam", "550 5.7.1 not from you", "550 5.1.1 no such user"
SENT = "250 queued"


def tripped_after(phase: Phase, replies: Sequence[str]) -> int | None:
    """How many outcomes it took, None if never."""
    breaker = Breaker()
    for number, reply in enumerate(replies, start=1):
        if breaker.note(number, phase, said(reply), judge(phase, said(reply)).state):
            return number
    return None


@pytest.mark.parametrize(
    ("phase", "replies", "after"),
    [
        (Phase.RCPT, [POLICY] * 40, 20),
        (Phase.RCPT, [POLICY] * 19, None),
        (Phase.DATA, [POLICY] * 40, 20),
        (Phase.DOT, [SPAM] * 9, 5),
        (Phase.DOT, [SPAM] * 4, None),
        (Phase.DOT, [SENT] * 50 + [SPAM] * 9, 55),
        (Phase.DOT, ([SPAM] * 4 + [SENT]) * 20, None),
        (Phase.DOT, ([SPAM] * 4 + ["554 5.6.0 no such format"]) * 20, None),
        (Phase.RCPT, ([POLICY] * 19 + ["450 later"]) * 5, None),
        (Phase.RCPT, [GONE] * 100, None),
        (Phase.RCPT, ["550 5.1.10 null mx"] * 100, None),
        (Phase.RCPT, ["550 5.1.6 moved"] * 100, None),
        (Phase.RCPT, ["550 5.2.1 disabled"] * 100, None),
        (Phase.RCPT, ["550 5.1.8 bad sender"] * 100, 20),
        (Phase.RCPT, ["450 later"] * 100, None),
        (Phase.DOT, [SENT] * 100, None),
    ],
)
def test_the_breaker_trips_on_the_same_words_in_a_row(phase: Phase, replies: list[str], after: int | None) -> None:
    assert tripped_after(phase, replies) == after


def test_addresses_and_queue_ids_do_not_make_words_different() -> None:
    replies = [f"554 5.7.1 <r{number}@example.de> rejected, id=4a7f{number:04}" for number in range(30)]
    assert tripped_after(Phase.RCPT, replies) == 20


@pytest.mark.parametrize(
    "words", ["554 5.7.1 rejected (id {})", "554 5.7.1 message {} of today refused", "554 5.7.1 A{}F"]
)
def test_short_numbers_do_not_make_words_different(words: str) -> None:
    assert tripped_after(Phase.DOT, [words.format(number) for number in range(101, 131)]) == 5


def test_an_ip_address_is_no_status() -> None:
    assert tripped_after(Phase.RCPT, ["554 5.7.1 host [95.1.1.20] is blocked"] * 30) == 20


def all_alike(phase: Phase, replies: Sequence[str]) -> list[int]:
    breaker = Breaker()
    for number, reply in enumerate(replies, start=1):
        breaker.note(number, phase, said(reply), judge(phase, said(reply)).state)
    return breaker.meant_for_all()


@pytest.mark.parametrize(
    ("phase", "replies", "alike"),
    [
        (Phase.DOT, [SPAM] * 3, [1, 2, 3]),
        (Phase.DATA, [POLICY] * 3, [1, 2, 3]),
        (Phase.RCPT, [POLICY] * 3, [1, 2, 3]),
        (Phase.RCPT, ["550 no such user"] * 3, []),
        (Phase.RCPT, [GONE] * 30, []),
        (Phase.DOT, [SPAM] * 2 + [SENT], []),
        (Phase.DOT, [SENT] + [SPAM] * 2, []),
        (Phase.DOT, [SPAM, "554 5.6.0 other words"], []),
        (Phase.DOT, [SENT] + [SPAM] * 5, [2, 3, 4, 5, 6]),
        (Phase.RCPT, [POLICY] * 21, list(range(1, 22))),
        (Phase.DOT, [], []),
    ],
)
def test_only_those_refused_alike_are_put_back(phase: Phase, replies: list[str], alike: list[int]) -> None:
    assert all_alike(phase, replies) == alike


def test_a_lost_connection_neither_proves_nor_disproves() -> None:
    breaker = Breaker()
    for number in range(1, 6):
        breaker.note(number, Phase.DOT, said(SPAM), State.REFUSED)
        breaker.note(number + 100, Phase.BODY, None, State.QUEUED)
    assert breaker.meant_for_all() == [1, 2, 3, 4, 5]


def test_outcomes_that_come_in_after_it_tripped_change_nothing() -> None:
    breaker = Breaker()
    for number in range(1, 6):
        breaker.note(number, Phase.DOT, said(SPAM), State.REFUSED)
    assert breaker.note(6, Phase.DOT, said(SENT), State.SENT)
    assert breaker.note(7, Phase.DOT, said(SPAM), State.REFUSED)
    assert breaker.meant_for_all() == [1, 2, 3, 4, 5, 7]
    assert breaker.words == SPAM
