"""The recipe of `send-issue 29`: from the issue's folder to the relay, top to bottom."""

from datetime import datetime, timedelta
from pathlib import Path

from dispatcher.content.merge import Unfilled
from dispatcher.content.message import build_message, make_skeleton
from dispatcher.delivery.engine import Build, Terms
from dispatcher.delivery.line import Parcel
from dispatcher.delivery.recovery import recover
from dispatcher.delivery.relay import MaildirRelay
from dispatcher.delivery.run import run
from dispatcher.desk import screen
from dispatcher.desk.receipt import Receipt, write_receipt
from dispatcher.errors import DispatcherError
from dispatcher.models import Delivery, Kind, State
from dispatcher.recipes.editions import thaw_editions
from dispatcher.recipes.newsletter import Newsletter, copy_for, return_path, stays_here
from dispatcher.recipes.plan import Order, Plan, confirm, make_plan, store_plan
from dispatcher.storage.database import now
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.lock import run_lock
from dispatcher.storage.mailings import Mailing, editions_of, find_mailing, lists_of
from dispatcher.storage.readers import RESERVED_DOMAIN, is_reserved
from dispatcher.storage.reports import count_states, doubtful_addresses

_DUE_OR_NOT = timedelta(days=36_500)
_UNFINISHED, _IN_DOUBT = 75, 76


def send_issue(newsletter: Newsletter, order: Order) -> int:
    """Sends an issue, or goes on with it. Returns 0, 75 or 76; every other exit code is raised."""
    with run_lock(newsletter.database.path):
        plan = make_plan(newsletter, order)
        confirm(newsletter, order, plan)
        mailing = store_plan(newsletter, plan)
        receipt = plan.folder / "receipt.json"
        ledger = Ledger(
            newsletter.database, mailing, on_handing_over=lambda: _keep_receipt(newsletter, mailing, receipt)
        )
        try:
            return _hand_over(newsletter, order, plan, ledger)
        finally:
            ledger.close()


def _hand_over(newsletter: Newsletter, order: Order, plan: Plan, ledger: Ledger) -> int:
    """Steps 5 and 6: sends what is queued, keeps the receipt, and says how it went."""
    mailing = ledger.mailing
    recover(ledger, newsletter.relay)
    ledger.requeue_deferred(now() + _DUE_OR_NOT)
    queued = ledger.counts()[State.QUEUED]
    failure: DispatcherError | None = None
    if queued:
        terms = Terms(patience=order.patience, retry_for=newsletter.settings.retry_for)
        try:
            with screen.progress(queued) as report:
                run(ledger, newsletter.relay, _builder(newsletter, mailing), terms, progress=report, say=screen.note)
        except DispatcherError as error:
            failure = error
    found = find_mailing(newsletter.database, mailing.issue, mailing.kind)
    if found is not None and found.handed_over_at is not None:
        _keep_receipt(newsletter, found, plan.folder / "receipt.json")
    counts = ledger.counts()
    _summarise(newsletter, order, ledger, had_work=queued > 0, has_failed=failure is not None)
    if failure is not None:
        raise failure
    if counts[State.QUEUED] or counts[State.DEFERRED] or counts[State.SENDING]:
        return _UNFINISHED
    return _IN_DOUBT if counts[State.IN_DOUBT] else 0


def _summarise(newsletter: Newsletter, order: Order, ledger: Ledger, *, had_work: bool, has_failed: bool) -> None:
    mailing, counts = ledger.mailing, ledger.counts()
    spoken = screen.spoken_counts(counts)
    if had_work:
        screen.say(f"issue {mailing.issue}: {spoken}")
    else:
        screen.say(f"issue {mailing.issue} has been sent already, nobody is mailed again: {spoken}")
    for address in doubtful_addresses(newsletter.database, mailing.id):
        screen.say(f"in doubt: {address}")
    if has_failed:
        return
    if (counts[State.DEFERRED] or counts[State.QUEUED]) and mailing.kind is not Kind.STAGING:
        screen.say(f"not finished; run again: {order.command or f'send-issue {mailing.issue}'}")
    if isinstance(newsletter.relay, MaildirRelay) and had_work:
        name = newsletter.relay.folder.name
        screen.say(f"look at it: dispatcher serve, and in another terminal: mutt -f {name}   (or any mail program)")


def _builder(newsletter: Newsletter, mailing: Mailing) -> Build:
    editions, languages = thaw_editions(newsletter.database, mailing.id)
    skeletons = {language: make_skeleton(edition) for language, edition in editions.by_language.items()}
    mark = "[staging] " if mailing.kind is Kind.STAGING else ""
    leads_out = not stays_here(newsletter.relay)

    def build(delivery: Delivery, date: datetime) -> Parcel | str:
        language = languages[delivery.edition_id]
        copy = copy_for(newsletter, delivery, number=mailing.issue, language=language, date=date, mark=mark)
        if leads_out and is_reserved(copy.to.rpartition("@")[2]):
            return RESERVED_DOMAIN
        try:
            content = build_message(skeletons[language], copy)
        except ValueError as error:
            return str(error)
        if isinstance(content, Unfilled):
            return content.reason
        return Parcel(
            sender=return_path(newsletter, delivery),
            recipient=copy.to,
            message_id=copy.message_id,
            content=content,
        )

    return build


def _keep_receipt(newsletter: Newsletter, mailing: Mailing, path: Path) -> None:
    """Writes a live mailing's receipt: before its first content goes out, and again when a run ends."""
    if mailing.kind is not Kind.LIVE:
        return
    database = newsletter.database
    receipt = Receipt(
        issue=mailing.issue,
        ledger=f"{database.instance}/{mailing.id}",
        first_handed_over_at=mailing.handed_over_at or now(),
        updated_at=now(),
        content_hash=mailing.content_hash,
        editions={each.language: each.content_hash for each in editions_of(database, mailing.id).values()},
        lists=tuple(sorted(lists_of(database, mailing.id))),
        counts={state.value: rows for state, rows in sorted(count_states(database, mailing.id).items())},
    )
    write_receipt(path, receipt)
