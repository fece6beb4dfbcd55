"""Decides what returned mail leads to: pure, from what it says, the delivery it proves to be about, and the past.

Only what was signed for a delivery that was really made counts. A dead address is suspended at once; full and broken
ones when several issues failed on several days; what is our own fault never counts against a reader.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from dispatcher.models import Kind, State
from dispatcher.returns.addresses import same
from dispatcher.returns.returned import Class, Recipient, Returned, Verdict
from dispatcher.storage.came_back import Rates
from dispatcher.storage.returns import Action, Result, Sending, Traces

PROOF_LASTS = timedelta(days=14)  # a bounce that comes later than that is no proof by itself
SOFT_ISSUES = 3  # so many issues must have failed …
SOFT_SPREAD = timedelta(days=7)  # … over so long
SUCCESS_AFTER = timedelta(days=3)  # an issue about which nothing came back by then has arrived

MOST_DEAD, MOST_COMPLAINED = 0.05, 0.003  # of an issue: beyond that receivers begin to refuse the sender (Gmail: 0.3 %)
FEW = 10  # so many tell nothing

_MADE = {State.SENT, State.IN_DOUBT, State.REFUSED}
_COMPLAINTS = {"abuse", "fraud", "virus", "other", "miscategorized"}  # RFC 5965 and its registry
_WISHES = {"opt-out": Action.LEAVE_ALL, "opt-out-list": Action.LEAVE}  # drafts of RFC 5965, still in use


def decide(
    returned: Returned,
    traces: Traces,
    sending: Sending | None,
    results: Sequence[Result],
    *,
    now: datetime,
    heard_ourselves: bool = False,
) -> Action:
    """What a mail leads to; `heard_ourselves` for what a relay told us during SMTP."""
    is_known = traces.leave is not None or was_made(sending)
    if returned.kind is Class.UNSUBSCRIBE:
        return Action.LEAVE if is_known else Action.NOTHING
    if returned.kind is Class.COMPLAINT:
        return _about_complaint(returned.feedback_type, sending, is_known=is_known)
    if returned.kind is not Class.BOUNCE or sending is None or not was_made(sending) or sending.has_suspended:
        return Action.NOTHING
    about = recipient_of(returned, sending)
    if about is None or about.verdict in {None, Verdict.SENDER}:
        return Action.NOTHING
    if not heard_ourselves and not _is_consistent(about, traces.message_id, sending):
        return Action.NOTHING
    is_fresh = sending.settled_at is None or now - sending.settled_at <= PROOF_LASTS
    if about.is_hard and is_fresh:
        return Action.SUSPEND
    this = Result(issue=sending.issue, at=sending.settled_at or now, has_failed=True)
    others = [each for each in results if each.issue != sending.issue]
    return Action.SUSPEND if has_failed_enough([*others, this], now=now) else Action.COUNT


def recipient_of(returned: Returned, sending: Sending | None) -> Recipient | None:
    """The one that the mail is about as far as we are concerned: the reader, or whom his mail was forwarded to."""
    key = sending.address_key if sending else None
    theirs = (each for each in returned.recipients if key and same(each.address, key))
    return next(theirs, returned.recipients[0] if returned.recipients else None)


def was_made(sending: Sending | None) -> bool:
    """Whether a message really went to a relay."""
    return sending is not None and sending.kind is not Kind.MAILDIR and sending.attempts > 0 and sending.state in _MADE


def has_failed_enough(results: Sequence[Result], *, now: datetime) -> bool:
    """Whether soft failures add up: over distinct issues and days, each success taking one back."""
    failures: list[datetime] = []
    for result in sorted(results, key=lambda each: each.at):
        if result.has_failed:
            if not failures or failures[-1].date() != result.at.date():
                failures.append(result.at)
        elif failures and now - result.at >= SUCCESS_AFTER:
            failures.pop()
    return len(failures) >= SOFT_ISSUES and failures[-1] - failures[0] >= SOFT_SPREAD


def alarm(rates: Rates) -> str | None:
    """Why an issue should not go on, in words; None if it may."""
    for count, most, what in (
        (rates.complained, MOST_COMPLAINED, "complained"),
        (rates.dead, MOST_DEAD, "have dead addresses"),
    ):
        if count >= FEW and count > most * rates.sent:
            share = count / max(rates.sent, 1)
            return f"{share:.1%} of the readers of issue {rates.issue} {what}, {most:.1%} is too much"
    return None


def _is_consistent(about: Recipient, message_id: str | None, sending: Sending) -> bool:
    """Whether a mail is about the delivery that its token names: about its message, or about its reader's address.

    A token that somebody else's notice carries proves nothing.
    """
    if message_id is not None:
        return message_id == sending.message_id.lower()
    return same(about.address, sending.address_key)


def _about_complaint(feedback_type: str | None, sending: Sending | None, *, is_known: bool) -> Action:
    if not is_known or (sending is not None and sending.has_suspended):
        return Action.NOTHING
    if feedback_type in _WISHES:
        return _WISHES[feedback_type]
    return Action.SUPPRESS if feedback_type in _COMPLAINTS else Action.NOTHING
