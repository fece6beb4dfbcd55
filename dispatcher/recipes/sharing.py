"""Sends a mailing as one of several: what is dealt out to this process, until all of them together are done."""

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from functools import partial

from dispatcher.delivery.dkim import signing
from dispatcher.delivery.feed import Dealer
from dispatcher.delivery.run import run
from dispatcher.delivery.terms import Terms
from dispatcher.desk import screen
from dispatcher.models import Outcome, State
from dispatcher.recipes.hearing import logged
from dispatcher.recipes.housekeeping import keep_house
from dispatcher.recipes.newsletter import Newsletter, require_ready_for_readers
from dispatcher.recipes.order import Order
from dispatcher.recipes.parcels import builder
from dispatcher.recipes.refusals import settle_refusals
from dispatcher.recipes.transport import pacing_of, signatures_for
from dispatcher.recipes.waiting import interrupts_kept, let_others_end, passes
from dispatcher.storage.control import ask_to_stop, forget_stop, is_stopped, why_stopped
from dispatcher.storage.database import now, require_known_tables
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.mailings import Mailing, mailing_with
from dispatcher.storage.runs import running, workers

_PATIENCE = timedelta(minutes=1)  # of a worker with a lost relay; then others may try
_BETWEEN_LOOKS = 0.5  # seconds
_BETWEEN_ROUNDS = 5.0  # seconds: of the house


def take_from_others(newsletter: Newsletter, mailing: Mailing, *, ends_them: bool) -> None:
    """Nobody begins a further block until it is handed out again; `ends_them` waits until nobody sends any.

    Raises Unfinished if somebody does not end.
    """
    from dispatcher.storage.releases import withdraw  # noqa: PLC0415  its library is an extra

    database = newsletter.database
    withdraw(database, mailing.id)
    if ends_them:
        was_stopped = is_stopped(database, mailing.id)
        ask_to_stop(database, mailing.id)
        try:
            let_others_end(database, mailing.id, newsletter.settings.dead_after)
        finally:
            if not was_stopped:
                forget_stop(database, mailing.id)


def hand_out(newsletter: Newsletter, ledger: Ledger) -> None:
    """Leaves what is queued to whoever sends."""
    from dispatcher.storage.releases import release  # noqa: PLC0415

    ledger.hand_over()  # from here on somebody may
    release(newsletter.database, ledger.mailing.id)


def dealer_of(newsletter: Newsletter, mailing: Mailing) -> Callable[[], AbstractAsyncContextManager[Dealer]]:
    """What opens a run's hands in the queue of a mailing."""
    from dispatcher.storage.jobs import open_jobs  # noqa: PLC0415

    return partial(open_jobs, newsletter.database, mailing.id)


def send_with_others(newsletter: Newsletter, order: Order, ledger: Ledger, go: Callable[[], bool]) -> None:
    """Sends until nobody is queued or on his way anywhere, and deferred readers while patience lasts.

    `go` sends what is dealt out to this process; False if it was interrupted or stopped.
    """
    from dispatcher.storage.releases import withdraw  # noqa: PLC0415

    database, mailing = newsletter.database, ledger.mailing
    try:
        with interrupts_kept(order.on_interrupt) as is_interrupted:
            _go_on_until_all_are_done(newsletter, order, ledger, go, is_interrupted)
    finally:
        if ledger.has(State.QUEUED) and not is_stopped(database, mailing.id):
            others = (*running(database, mailing.id), *workers(database))
            if any(each.silence < newsletter.settings.dead_after for each in others):
                screen.note(f"others go on with issue {mailing.issue}; to stop them: dispatcher stop {mailing.issue}")
            else:
                withdraw(database, mailing.id)


def _go_on_until_all_are_done(
    newsletter: Newsletter, order: Order, ledger: Ledger, go: Callable[[], bool], is_interrupted: Callable[[], bool]
) -> None:
    from dispatcher.storage.releases import dealt_out  # noqa: PLC0415

    database, mailing = newsletter.database, ledger.mailing
    patience_ends = time.monotonic() + order.patience.total_seconds()
    house_at = 0.0
    while not is_interrupted():
        if mailing.id in dealt_out(database) and not go():
            return
        if time.monotonic() >= house_at:
            keep_house(newsletter)
            house_at = time.monotonic() + _BETWEEN_ROUNDS
        wait = _BETWEEN_LOOKS
        if not ledger.has(State.QUEUED) and not ledger.has(State.SENDING):
            due = ledger.next_due()
            if due is None or (due - now()).total_seconds() > patience_ends - time.monotonic():
                return
            wait = max((due - now()).total_seconds(), _BETWEEN_LOOKS)
            house_at = 0.0
        if not passes(database, mailing.id, wait, order.on_interrupt):
            return


def send_share(newsletter: Newsletter, mailing_id: int, is_ending: Callable[[], bool]) -> None:
    """A worker's part in a mailing, until nothing of it is dealt out any more just now. Raises DispatcherError."""
    settings, database = newsletter.settings, newsletter.database
    require_known_tables(database)
    require_ready_for_readers(newsletter)
    mailing = mailing_with(database, mailing_id)
    terms = Terms(
        patience=_PATIENCE, retry_for=settings.retry_for, pacing=pacing_of(settings), dead_after=settings.dead_after
    )
    sent = 0

    def hear(outcome: Outcome) -> None:
        nonlocal sent
        sent += outcome.state is State.SENT

    ledger = Ledger(database, mailing)
    try:
        with signing(signatures_for(newsletter.relay, settings), time.time) as sign:
            run(
                ledger, newsletter.relays, builder(newsletter, mailing), terms, sign=sign, recorders=settings.folder,
                progress=logged(hear, mailing), say=screen.note, deal=dealer_of(newsletter, mailing),
                why_stopped=lambda: "the worker ends" if is_ending() else why_stopped(database, mailing_id),
                heeds_signals=False,
            )  # fmt: skip
        settle_refusals(newsletter, mailing_id)
    finally:
        ledger.close()
        if sent:
            screen.note(f"issue {mailing.issue}: this worker mailed {screen.spoken_readers(sent)}", issue=mailing.issue)
