"""What operators ask of an issue that is going out: to stop, to be given up, to settle its doubts."""

import time
from collections.abc import Sequence
from pathlib import Path

from dispatcher.content.source.issue import find_issue, issue_number
from dispatcher.delivery.recovery import AT_ONCE, recover
from dispatcher.desk.postfix_log import PostfixLog, read_log
from dispatcher.desk.screen import note
from dispatcher.errors import Fault, InputWrong, NotFound, Unfinished
from dispatcher.models import Kind, State
from dispatcher.recipes.newsletter import Newsletter
from dispatcher.storage.control import ask_to_cancel, ask_to_stop, cancel, scheduled_at, settle_doubts, was_cancelled
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.lock import run_lock, senders
from dispatcher.storage.mailings import Mailing, find_mailing, lists_of
from dispatcher.storage.reports import Doubt, count_states, doubts, issues_in_hand
from dispatcher.storage.runs import perhaps_still_sending, running

_DRAINED_WITHIN = 60.0  # seconds
_BETWEEN_LOOKS = 0.2
_TO_GO = (State.QUEUED, State.DEFERRED, State.SENDING)


def stop_issue(newsletter: Newsletter, what: str) -> str:
    """Has senders of an issue end after the messages they have begun. Raises NotFound."""
    mailing = _live(newsletter, what)
    if over := _over(newsletter, mailing):
        return f"{over}; there is nothing to stop"
    ask_to_stop(newsletter.database, mailing.id)
    return f"issue {mailing.issue} is stopped; {_command_for(newsletter, mailing)} goes on with it"


def cancel_issue(newsletter: Newsletter, what: str) -> str:
    """Gives up the rest of an issue, after whoever sends it has stopped. Raises NotFound, Unfinished."""
    mailing, database = _live(newsletter, what), newsletter.database
    if over := _over(newsletter, mailing):
        return f"{over}; there is nothing to cancel"
    ask_to_cancel(database, mailing.id)
    until = time.monotonic() + _DRAINED_WITHIN + newsletter.settings.dead_after.total_seconds()
    has_said = False
    while True:
        try:
            with run_lock(database):
                _settle(newsletter, mailing)
                _require_nobody_sends(newsletter, mailing)
                given_up = cancel(database, mailing.id)
                break
        except Unfinished:
            if time.monotonic() > until:
                raise
            if not has_said:
                has_said = _say_who_sends(newsletter, mailing)
            time.sleep(_BETWEEN_LOOKS)
    counts = count_states(database, mailing.id)
    said = f"issue {mailing.issue} is cancelled: {given_up:,} readers are not mailed, {counts[State.SENT]:,} were"
    if counts[State.IN_DOUBT]:
        said += f", {counts[State.IN_DOUBT]:,} are in doubt: dispatcher report {mailing.issue}"
    return said


def _require_nobody_sends(newsletter: Newsletter, mailing: Mailing) -> None:
    """Who sends with others needs no lock. Raises Unfinished: what comes back to them would be queued again."""
    for each in running(newsletter.database, mailing.id):
        raise Unfinished(
            f"issue {mailing.issue} is being sent by pid {each.pid} on {each.host}; "
            f"run it again: dispatcher cancel {mailing.issue}"
        )


def _say_who_sends(newsletter: Newsletter, mailing: Mailing) -> bool:
    """Whether there was somebody to name: who has just taken the lock may not have signed it yet."""
    sending = senders(newsletter.database)
    is_other = bool(issues_in_hand(newsletter.database) - {mailing.issue})
    for each in sending:
        what = "another issue is being sent" if is_other else "mail is being sent"
        note(f"{what} by pid {each.pid} on {each.host}; waiting for it")
    return bool(sending)


def resolve(
    newsletter: Newsletter, what: str, *, log: Path | None, sent: Sequence[str], not_sent: Sequence[str]
) -> list[str]:
    """Settles rows in doubt; says what became of each. Raises NotFound, InputWrong, NotPermitted, Unfinished."""
    mailing, database = _live(newsletter, what), newsletter.database
    with run_lock(database):
        _settle(newsletter, mailing)
        open_doubts = {each.address: each for each in doubts(database, mailing.id)}
        if unknown := [each for each in (*sent, *not_sent) if each.lower() not in open_doubts]:
            raise InputWrong([
                Fault(path=each, message=f"is not in doubt in issue {mailing.issue}", remedy="see: dispatcher report")
                for each in unknown
            ])  # fmt: skip
        told = {open_doubts[each.lower()].id: "an operator says so" for each in sent}
        denied = [open_doubts[each.lower()].id for each in not_sent]
        said: list[str] = []
        if log is not None:
            found = read_log(log)
            settled = {*told, *denied}
            said += [_by_log(found, each, told, denied) for each in open_doubts.values() if each.id not in settled]
        if set(denied) & perhaps_still_sending(database, mailing.id):
            raise Unfinished(
                f"a sender of issue {mailing.issue} that fell silent may still wait for the relay's answer; "
                "run it again in ten minutes"
            )
        settle_doubts(database, mailing.id, told, denied)
    if not open_doubts:
        return [f"issue {mailing.issue} has nobody in doubt"]
    left = len(open_doubts) - len(told) - len(denied)
    said.append(f"{len(told):,} were sent, {len(denied):,} are queued again, {left:,} stay in doubt")
    if denied:
        said.append(f"run: {_command_for(newsletter, mailing)}")
    return said


def _by_log(log: PostfixLog, doubt: Doubt, told: dict[int, str], denied: list[int]) -> str:
    if (queue_id := log.taken.get(doubt.message_id)) is not None:
        told[doubt.id] = f"the relay's log: queued as {queue_id}"
        return f"{doubt.address}: sent, queued as {queue_id}"
    if log.covers(doubt.first_attempt_at, doubt.settled_at):
        denied.append(doubt.id)
        return f"{doubt.address}: not sent, the relay never queued it"
    return f"{doubt.address}: stays in doubt, the log does not reach from before the attempt to ten minutes after it"


def _live(newsletter: Newsletter, what: str) -> Mailing:
    number = issue_number(find_issue(newsletter.settings.folder, what))
    mailing = find_mailing(newsletter.database, number, Kind.LIVE)
    if mailing is None:
        raise NotFound(f"issue {number} has not been sent to readers from here")
    return mailing


def _over(newsletter: Newsletter, mailing: Mailing) -> str | None:
    """In words that nobody is to be mailed any more; None if somebody is."""
    database = newsletter.database
    counts = count_states(database, mailing.id)
    if any(counts[state] for state in _TO_GO) or scheduled_at(database, mailing.id) is not None:
        return None
    how = "is cancelled" if was_cancelled(database, mailing.id) else "has been sent already"
    doubts_left = f", {counts[State.IN_DOUBT]:,} are in doubt" if counts[State.IN_DOUBT] else ""
    return f"issue {mailing.issue} {how}: {counts[State.SENT]:,} were mailed{doubts_left}"


def _command_for(newsletter: Newsletter, mailing: Mailing) -> str:
    """What goes on with it and adds nobody."""
    lists = sorted(lists_of(newsletter.database, mailing.id))
    named = "" if not lists or newsletter.settings.list in lists else f" --list {lists[0]}"
    return f"send-issue {mailing.issue}{named}"


def _settle(newsletter: Newsletter, mailing: Mailing) -> None:
    """What a sender that died left behind becomes what it is."""
    ledger = Ledger(newsletter.database, mailing)
    try:
        dead_after = newsletter.settings.dead_after if newsletter.database.is_shared else AT_ONCE
        recover(ledger, newsletter.relay, newsletter.settings.folder, dead_after=dead_after)
    finally:
        ledger.close()
