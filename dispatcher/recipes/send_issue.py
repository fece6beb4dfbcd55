"""The recipe of `send-issue 29`: from the issue's folder to the relay, top to bottom."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from dispatcher.config import parse_duration
from dispatcher.delivery.dkim import Signature, signing
from dispatcher.delivery.recovery import AT_ONCE, recover
from dispatcher.delivery.relay import MaildirRelay
from dispatcher.delivery.run import run
from dispatcher.delivery.terms import Terms
from dispatcher.desk import screen
from dispatcher.errors import DispatcherError, Unfinished
from dispatcher.models import Kind, State
from dispatcher.recipes.confirm import confirm, pass_gate
from dispatcher.recipes.hearing import facts_of, logged
from dispatcher.recipes.newsletter import Newsletter
from dispatcher.recipes.order import Order, Plan
from dispatcher.recipes.parcels import builder
from dispatcher.recipes.plan import make_plan, store_plan
from dispatcher.recipes.receipt import keep_receipt
from dispatcher.recipes.refusals import settle_refusals
from dispatcher.recipes.schedule import schedule_issue
from dispatcher.recipes.sharing import dealer_of, hand_out, send_with_others, take_from_others
from dispatcher.recipes.transport import pacing_of, signatures_for
from dispatcher.recipes.waiting import passes
from dispatcher.storage.asked import Asked, asked_of
from dispatcher.storage.control import (
    ask_to_stop,
    forget_schedule,
    forget_stop,
    leave_to_workers,
    move_to_present_editions,
    note_force,
    scheduled_at,
    was_cancelled,
    why_stopped,
)
from dispatcher.storage.database import now
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.lock import run_lock
from dispatcher.storage.mailings import Mailing, find_mailing
from dispatcher.storage.reports import doubtful_addresses
from dispatcher.storage.runs import workers

_DUE_OR_NOT = timedelta(days=36_500)
_UNFINISHED, _IN_DOUBT = 75, 76

_log = logging.getLogger(__name__)


def send_issue(newsletter: Newsletter, order: Order) -> int:
    """Sends an issue, or goes on with it. Returns 0, 75 or 76; every other exit code is raised."""
    signatures = signatures_for(newsletter.relay, newsletter.settings)
    with run_lock(newsletter.database):
        plan = make_plan(newsletter, order)
        _require_still_asked_for(newsletter, order, plan)
        forced = pass_gate(newsletter, order, plan)
        confirm(newsletter, order, plan)
        before = asked_of(newsletter.database, plan.earlier.id) if plan.earlier else Asked()
        if plan.earlier is not None and _may_be_shared(newsletter, plan.kind):
            take_from_others(newsletter, plan.earlier, ends_them=plan.refreezes)
        mailing = store_plan(newsletter, plan, with_readers=order.at is None)
        if forced is not None:
            note_force(newsletter.database, mailing.id, forced)
        if order.at is not None:
            schedule_issue(newsletter, order, plan, mailing, before)
            return 0
        if order.is_workers:
            leave_to_workers(newsletter.database, mailing.id)
        else:
            forget_schedule(newsletter.database, mailing.id)
        if plan.to_mail and not order.is_workers:
            was = forget_stop(newsletter.database, mailing.id)
            if was and (before.stopped or before.is_cancelled):  # and not by ourselves, to freeze it afresh
                screen.note(f"this issue was {was}; going on")
        if plan.kind is Kind.LIVE and plan.to_mail and not order.is_workers:
            _grant_grace(newsletter, order, mailing)
        receipt = plan.folder / "receipt.json"
        ledger = Ledger(
            newsletter.database, mailing, on_handing_over=lambda: keep_receipt(newsletter, mailing, receipt)
        )
        try:
            return _hand_over(newsletter, order, plan, ledger, signatures)
        finally:
            ledger.close()


def _require_still_asked_for(newsletter: Newsletter, order: Order, plan: Plan) -> None:
    """A worker looked before it had the lock: what was stopped or cancelled since is not its own. Raises Unfinished."""
    if not order.is_workers or plan.earlier is None:
        return
    if why := why_stopped(newsletter.database, plan.earlier.id):
        raise Unfinished(f"issue {plan.number} was {why}; send-issue {plan.number} goes on with it")
    if not order.only_left and scheduled_at(newsletter.database, plan.earlier.id) is None:
        raise Unfinished(f"issue {plan.number} is no longer scheduled")


def _hand_over(
    newsletter: Newsletter, order: Order, plan: Plan, ledger: Ledger, signatures: Sequence[Signature]
) -> int:
    """Steps 5 and 6: sends what is queued, keeps the receipt, and says how it went."""
    mailing = ledger.mailing
    settings, database = newsletter.settings, newsletter.database
    shares = _may_be_shared(newsletter, mailing.kind)
    recover(ledger, newsletter.relay, settings.folder, dead_after=settings.dead_after if shares else AT_ONCE)
    move_to_present_editions(newsletter.database, mailing.id)
    ledger.requeue_deferred(now() if order.is_workers else now() + _DUE_OR_NOT)
    counts = ledger.counts()
    queued = counts[State.QUEUED]
    has_work = bool(queued or (shares and counts[State.SENDING]))  # which others may be sending
    is_left = False
    failure: DispatcherError | None = None
    if has_work:
        try:
            _log.info("sending begins", extra=facts_of(mailing, readers=queued))
            shown = screen.progress_of_all(queued, ledger.counts) if shares else screen.progress(queued)
            with shown as report, signing(signatures, time.time) as sign:
                way = partial(
                    run, ledger, newsletter.relays, builder(newsletter, mailing), sign=sign, recorders=settings.folder,
                    progress=logged(report, mailing), say=screen.note, on_interrupt=order.on_interrupt,
                    why_stopped=partial(why_stopped, database, mailing.id),
                )  # fmt: skip
                is_left = _send(newsletter, order, ledger, way)
        except DispatcherError as error:
            failure = error
        if failure is None:
            settle_refusals(newsletter, mailing.id)
    found = find_mailing(newsletter.database, mailing.issue, mailing.kind)
    if found is not None and found.handed_over_at is not None:
        keep_receipt(newsletter, found, plan.folder / "receipt.json")
    counts = ledger.counts()
    if order.is_workers and not counts[State.QUEUED] and not counts[State.SENDING]:
        forget_schedule(newsletter.database, mailing.id)
    _log.info(
        "sending ended",
        extra=facts_of(mailing, counts=dict(counts), failure=type(failure).__name__ if failure else None),
    )
    if is_left:
        screen.say(f"issue {mailing.issue} is left to the workers: {screen.spoken_readers(counts[State.QUEUED])}")
        if not any(each.silence < settings.dead_after for each in workers(database)):
            screen.say("no worker is running; start one: dispatcher worker")
        return 0
    _summarise(newsletter, order, ledger, had_work=has_work, has_failed=failure is not None)
    if failure is not None:
        raise failure
    if counts[State.QUEUED] or counts[State.DEFERRED] or counts[State.SENDING]:
        return _UNFINISHED
    return _IN_DOUBT if counts[State.IN_DOUBT] else 0


def _may_be_shared(newsletter: Newsletter, kind: Kind) -> bool:
    """Whether others may send it, too: a trial is sent by who began it."""
    return newsletter.database.is_shared and kind is Kind.LIVE


def _send(newsletter: Newsletter, order: Order, ledger: Ledger, way: Callable[..., bool]) -> bool:
    """Step 5; with a canary, the first readers alone, and the others only if few of those were refused.

    Returns whether the others are left to workers.
    """
    settings, mailing = newsletter.settings, ledger.mailing
    terms = Terms(
        patience=order.patience,
        retry_for=settings.retry_for,
        pacing=pacing_of(settings),
        dead_after=settings.dead_after,
    )
    canary, counts = settings.canary, ledger.counts()
    tried = counts[State.SENT] + counts[State.REFUSED] + counts[State.IN_DOUBT]
    if canary is not None and mailing.kind is Kind.LIVE and tried < canary.readers < tried + counts[State.QUEUED]:
        if not way(replace(terms, patience=timedelta(), most=canary.readers - tried)):
            return False  # interrupted or stopped
        counts = ledger.counts()
        ended = counts[State.SENT] + counts[State.REFUSED]
        if ended and counts[State.REFUSED] / ended > canary.most_refused:
            ask_to_stop(newsletter.database, mailing.id)
            raise Unfinished(
                f"stopped: of the first {ended:,} readers, relays refused {counts[State.REFUSED]:,}; "
                f"see why: dispatcher report {mailing.issue}"
            )
        wait = parse_duration(canary.wait).total_seconds()
        pause = f"the first {ended:,} readers are mailed; the others follow in {screen.spoken_time(wait)}"
        if not passes(newsletter.database, mailing.id, wait, order.on_interrupt, partial(screen.note, pause)):
            return False
    if _may_be_shared(newsletter, mailing.kind):
        hand_out(newsletter, ledger)
        forget_schedule(newsletter.database, mailing.id)
        if order.detaches or order.is_workers:
            return True
        send_with_others(newsletter, order, ledger, partial(way, terms, deal=dealer_of(newsletter, mailing)))
    elif order.detaches:
        leave_to_workers(newsletter.database, mailing.id)
    else:
        way(terms)
    return order.detaches


def _grant_grace(newsletter: Newsletter, order: Order, mailing: Mailing) -> None:
    """Time in which Ctrl-C or `dispatcher stop` recalls everything. Raises Unfinished then."""
    grace = newsletter.settings.grace.total_seconds()
    if not grace:
        return
    recall = f"sending begins in {screen.spoken_time(grace)}; until then Ctrl-C recalls everything"
    if not passes(newsletter.database, mailing.id, grace, order.on_interrupt, partial(screen.say, recall)):
        if was_cancelled(newsletter.database, mailing.id):
            raise Unfinished(f"issue {mailing.issue} was cancelled: nobody was mailed now")
        raise Unfinished(
            f"recalled: nobody was mailed now; run again: {order.command or f'send-issue {mailing.issue}'}"
        )


def _summarise(newsletter: Newsletter, order: Order, ledger: Ledger, *, had_work: bool, has_failed: bool) -> None:
    mailing, counts = ledger.mailing, ledger.counts()
    spoken = screen.spoken_counts(counts)
    is_cancelled = was_cancelled(newsletter.database, mailing.id)
    if had_work:
        screen.say(f"issue {mailing.issue}: {spoken}")
    else:
        how = "was cancelled" if is_cancelled else "has been sent already"
        screen.say(f"issue {mailing.issue} {how}, nobody is mailed again: {spoken}")
    if order.is_workers and counts[State.IN_DOUBT]:  # what a worker says is kept in a log
        screen.say(f"who is in doubt: dispatcher report {mailing.issue}")
    elif counts[State.IN_DOUBT]:
        for address in doubtful_addresses(newsletter.database, mailing.id):
            screen.say(f"in doubt: {address}")
        screen.say(f"settle them: dispatcher resolve {mailing.issue}")
    if has_failed:
        return
    if is_cancelled and had_work:
        screen.say("cancelled: who was not mailed yet is not mailed")
    elif (counts[State.DEFERRED] or counts[State.QUEUED]) and mailing.kind is not Kind.STAGING:
        screen.say(f"not finished; run again: {order.command or f'send-issue {mailing.issue}'}")
    if isinstance(newsletter.relay, MaildirRelay) and had_work:
        name = newsletter.relay.folder.name
        screen.say(f"look at it: dispatcher serve, and in another terminal: mutt -f {name}   (or any mail program)")
