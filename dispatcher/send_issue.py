"""The recipe of `send-issue 29`: from the issue's folder to the relay, top to bottom."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from dispatcher.audience.lists import bring_up_to_date
from dispatcher.config import require_live
from dispatcher.content.merge import Unfilled
from dispatcher.content.message import build_message, make_skeleton
from dispatcher.content.source import find_issue, issue_number, load_issue
from dispatcher.delivery.engine import Build, Terms, recover
from dispatcher.delivery.line import Parcel
from dispatcher.delivery.relay import MaildirRelay
from dispatcher.delivery.run import run
from dispatcher.desk import screen
from dispatcher.desk.picture_check import unreachable_pictures
from dispatcher.desk.receipt import Receipt, require_known, write_receipt
from dispatcher.editions import Editions, check_fields, compose_editions, source_hashes, thaw_editions
from dispatcher.errors import Fault, InputWrong, NotPermitted
from dispatcher.models import Delivery, Kind, State
from dispatcher.newsletter import Newsletter, base_url, copy_for, kind_of, return_path, sender_address, stays_here
from dispatcher.storage.database import now
from dispatcher.storage.keys import remember_key, require_keys
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.lock import run_lock
from dispatcher.storage.mailings import (
    Audience,
    Freeze,
    Mailing,
    enqueue,
    find_mailing,
    freeze,
    has_handed_over,
    languages_of,
    lists_of,
    reserved_members,
)
from dispatcher.storage.reports import doubtful_addresses, observed_rate

_DUE_OR_NOT = timedelta(days=36_500)
_GUESSED_RATE = 10.0  # messages a second, until this newsletter has sent something over a relay
_UNFINISHED, _IN_DOUBT = 75, 76


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the editor asked for."""

    issue: str
    list_name: str | None = None  # None: the issue's own, or the newsletter's
    is_confirmed: bool = False
    patience: timedelta = timedelta(minutes=15)
    skip_bad_rows: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Who on a list gets what: `languages` maps what readers speak to an edition's language."""

    kind: Kind
    list_name: str
    languages: Mapping[str | None, str]
    people: Mapping[str, int]  # by edition
    reserved: int  # not to be mailed over a relay that leads out of this machine
    skips_reserved: bool

    @property
    def to_mail(self) -> int:
        return sum(self.people.values()) - self.reserved


def send_issue(newsletter: Newsletter, order: Order) -> int:
    """Sends an issue, or goes on with it. Returns 0, 75 or 76; every other exit code is raised."""
    folder = find_issue(newsletter.settings.folder, order.issue)
    with run_lock(newsletter.database.path):
        mailing = _mailing(newsletter, order, folder)
        ledger = Ledger(
            newsletter.database, mailing, on_handing_over=lambda: _leave_receipt(newsletter, mailing, folder)
        )
        try:
            return _send(newsletter, order, ledger, folder)
        finally:
            ledger.close()


def _mailing(newsletter: Newsletter, order: Order, folder: Path) -> Mailing:
    """The mailing to go on with, or a new one: loaded, checked, confirmed, frozen and enqueued."""
    settings, database = newsletter.settings, newsletter.database
    number = issue_number(folder)
    kind = kind_of(newsletter.relay, order.list_name or "")
    earlier = find_mailing(database, number, kind) if kind is not Kind.STAGING else None
    if kind is Kind.LIVE:
        require_live(settings)
        require_keys(database, newsletter.keyring.secrets)
        require_known(folder / "receipt.json", instance=database.instance, issue=number)
    is_frozen = earlier is not None and has_handed_over(database, earlier.id)
    if earlier is not None and is_frozen and (kind is Kind.LIVE or _is_unfinished(newsletter, earlier)):
        return _go_on(newsletter, order, earlier, folder)
    issue = load_issue(folder, root=settings.folder, default_language=settings.language)
    editions = compose_editions(issue, settings)
    if earlier is not None and is_frozen and earlier.content_hash == editions.content_hash:
        return _go_on(newsletter, order, earlier, folder)
    list_name = order.list_name or next(iter(issue.drafts.values())).list or settings.list
    plan = _plan(newsletter, order, editions, list_name, kind)
    _check_pictures(newsletter, kind, editions)
    _confirm(newsletter, order, number, plan, plan.to_mail)
    remember_key(database, newsletter.keyring.secrets[0])
    frozen = Freeze(
        issue=number,
        kind=kind,
        content_hash=editions.content_hash,
        sender_domain=sender_address(settings).rpartition("@")[2],
        sources=source_hashes(folder, settings.folder),
        editions=editions.frozen,
        pictures=[picture for edition in editions.by_language.values() for picture in edition.pictures],
    )
    return freeze(database, frozen, _audience(plan), replace=earlier.id if earlier and not is_frozen else None)


def _go_on(newsletter: Newsletter, order: Order, mailing: Mailing, folder: Path) -> Mailing:
    """An earlier mailing as it was frozen; a further list adds those who have no row yet."""
    settings = newsletter.settings
    for path in _changed(mailing, folder, settings.folder):
        screen.note(f"{path} has changed since issue {mailing.issue} was frozen; readers get it as it was frozen")
    list_name = order.list_name or _default_list(newsletter, folder)
    if list_name not in lists_of(newsletter.database, mailing.id):
        editions, _ = thaw_editions(newsletter.database, mailing.id)
        plan = _plan(newsletter, order, editions, list_name, mailing.kind)
        _confirm(newsletter, order, mailing.issue, plan, plan.to_mail)
        enqueue(newsletter.database, mailing.id, _audience(plan))
    elif _is_unfinished(newsletter, mailing):
        left = _left(newsletter, mailing)
        plan = Plan(kind=mailing.kind, list_name=list_name, languages={}, people={}, reserved=0, skips_reserved=False)
        _confirm(newsletter, order, mailing.issue, plan, left)
    return mailing


def _plan(newsletter: Newsletter, order: Order, editions: Editions, list_name: str, kind: Kind) -> Plan:
    """Brings the list up to date and checks that its readers' fields fill their editions."""
    settings, database = newsletter.settings, newsletter.database
    imported = bring_up_to_date(database, settings.folder, list_name, skip_bad_rows=order.skip_bad_rows)
    for fault in (*imported.faults, *(imported.changes.duplicates if imported.changes else ())):
        screen.note(str(fault))
    spoken = languages_of(database, list_name)
    if not spoken:
        path = f"subscribers/{list_name}.csv"
        raise InputWrong([Fault(path=path, message=f"nobody is on {list_name}", remedy="add readers to it")])
    languages = {speaks: editions.language_for(speaks) for speaks in spoken}
    if kind is Kind.STAGING and None in languages:
        readers = {
            edition: [each for each in languages if languages[each] == edition] for edition in editions.by_language
        }
        readers = {edition: list({*speak, None}) for edition, speak in readers.items()}
    else:
        readers = {
            edition: [each for each in languages if languages[each] == edition]
            for edition in editions.by_language
            if edition in languages.values()
        }
    check_fields(database, settings, editions, list_name, readers)
    skips_reserved = not stays_here(newsletter.relay)
    return Plan(
        kind=kind,
        list_name=list_name,
        languages=languages,
        people={edition: sum(spoken.get(each, 0) for each in speak) for edition, speak in readers.items()},
        reserved=reserved_members(database, list_name) if skips_reserved else 0,
        skips_reserved=skips_reserved,
    )


def _check_pictures(newsletter: Newsletter, kind: Kind, editions: Editions) -> None:
    if kind is not Kind.LIVE or stays_here(newsletter.relay) or newsletter.settings.pictures == "inline":
        return
    pictures = {picture.name: picture for each in editions.by_language.values() for picture in each.pictures}
    if faults := unreachable_pictures(base_url(newsletter.settings), pictures.values()):
        raise InputWrong(faults)


def _confirm(newsletter: Newsletter, order: Order, number: int, plan: Plan, people: int) -> None:
    """Says what is about to happen; a live run needs the editor's word for it."""
    rate = observed_rate(newsletter.database)
    by_edition = ", ".join(f"{count:,} {language}" for language, count in plan.people.items() if count)
    where = "into " if isinstance(newsletter.relay, MaildirRelay) else "over "
    relay = newsletter.relay.folder.name if isinstance(newsletter.relay, MaildirRelay) else newsletter.relay
    about = screen.spoken_time(people / (rate or _GUESSED_RATE)) + ("" if rate else ", a guess")
    label = {Kind.LIVE: "", Kind.MAILDIR: "trial: ", Kind.STAGING: "staging: "}[plan.kind]
    time = "" if isinstance(newsletter.relay, MaildirRelay) else f", about {about}"
    detail = f" ({by_edition})" if by_edition else ""
    screen.say(f"{label}issue {number} to {screen.spoken_readers(people)} of {plan.list_name}{detail} {where}{relay}{time}")
    if plan.reserved:
        screen.say(f"skipped: {plan.reserved:,} with an address in a reserved domain")
    if plan.kind is not Kind.LIVE or order.is_confirmed or not people:
        return
    if not screen.is_attended():
        raise NotPermitted("not confirmed: there is no terminal to ask at; add --yes")
    if not screen.confirm(f"type the number of readers ({people}) to send: ", str(people)):
        raise NotPermitted("not confirmed: nobody was mailed")


def _send(newsletter: Newsletter, order: Order, ledger: Ledger, folder: Path) -> int:
    """Hands over what is queued, says how it went, and keeps the receipt."""
    mailing = ledger.mailing
    recover(ledger, newsletter.relay)
    ledger.requeue_deferred(now() + _DUE_OR_NOT)
    queued = ledger.counts()[State.QUEUED]
    try:
        if queued:
            terms = Terms(patience=order.patience, retry_for=newsletter.settings.retry_for)
            with screen.progress(queued) as report:
                run(ledger, newsletter.relay, _builder(newsletter, mailing), terms, progress=report, say=screen.note)
    finally:
        _keep_receipt(newsletter, mailing, folder)
        _summarise(newsletter, order, ledger, had_work=queued > 0)
    counts = ledger.counts()
    if counts[State.QUEUED] or counts[State.DEFERRED] or counts[State.SENDING]:
        return _UNFINISHED
    return _IN_DOUBT if counts[State.IN_DOUBT] else 0


def _summarise(newsletter: Newsletter, order: Order, ledger: Ledger, *, had_work: bool) -> None:
    mailing, counts = ledger.mailing, ledger.counts()
    if had_work:
        screen.say(f"issue {mailing.issue}: {screen.spoken_counts(counts)}")
    else:
        screen.say(
            f"issue {mailing.issue} has been sent already, nobody is mailed again: {screen.spoken_counts(counts)}"
        )
    for address in doubtful_addresses(newsletter.database, mailing.id):
        screen.say(f"in doubt: {address}")
    if counts[State.DEFERRED] or counts[State.QUEUED]:
        chosen = f" --list {order.list_name}" if order.list_name else ""
        screen.say(f"not finished; run again: send-issue {mailing.issue}{chosen}")
    if isinstance(newsletter.relay, MaildirRelay) and had_work:
        name = newsletter.relay.folder.name
        screen.say(f"look at it: dispatcher serve, and in another terminal: mutt -f {name}   (or any mail program)")


def _builder(newsletter: Newsletter, mailing: Mailing) -> Build:
    editions, languages = thaw_editions(newsletter.database, mailing.id)
    skeletons = {language: make_skeleton(edition) for language, edition in editions.by_language.items()}
    mark = "[staging] " if mailing.kind is Kind.STAGING else ""

    def build(delivery: Delivery, date: datetime) -> Parcel | str:
        language = languages[delivery.edition_id]
        copy = copy_for(newsletter, delivery, number=mailing.issue, language=language, date=date, mark=mark)
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


def _leave_receipt(newsletter: Newsletter, mailing: Mailing, folder: Path) -> None:
    """Before the first message of a live mailing goes out."""
    if mailing.kind is not Kind.LIVE:
        return
    editions, _ = thaw_editions(newsletter.database, mailing.id)
    ledger = Ledger(newsletter.database, mailing)
    receipt = Receipt(
        issue=mailing.issue,
        ledger=f"{newsletter.database.instance}/{mailing.id}",
        first_handed_over_at=mailing.handed_over_at or now(),
        updated_at=now(),
        content_hash=mailing.content_hash,
        editions={each.language: each.content_hash for each in editions.frozen},
        lists=tuple(sorted(lists_of(newsletter.database, mailing.id))),
        counts={state.value: rows for state, rows in sorted(ledger.counts().items())},
    )
    ledger.close()
    write_receipt(folder / "receipt.json", receipt)


def _keep_receipt(newsletter: Newsletter, mailing: Mailing, folder: Path) -> None:
    """Brings a live mailing's receipt up to date, or takes it back when nothing was handed over after all."""
    if mailing.kind is not Kind.LIVE:
        return
    if has_handed_over(newsletter.database, mailing.id):
        _leave_receipt(newsletter, find_mailing(newsletter.database, mailing.issue, mailing.kind) or mailing, folder)
    else:
        (folder / "receipt.json").unlink(missing_ok=True)


def _audience(plan: Plan) -> Audience:
    return Audience(
        list_name=plan.list_name,
        languages=plan.languages,
        skip_reserved=plan.skips_reserved,
        every_edition=plan.kind is Kind.STAGING,
    )


def _default_list(newsletter: Newsletter, folder: Path) -> str:
    settings = newsletter.settings
    try:
        issue = load_issue(folder, root=settings.folder, default_language=settings.language)
    except InputWrong:  # edited since, and no longer right: what was frozen is what counts
        return settings.list
    return next(iter(issue.drafts.values())).list or settings.list


def _changed(mailing: Mailing, folder: Path, root: Path) -> list[str]:
    present = source_hashes(folder, root)
    return sorted(path for path in {*mailing.sources, *present} if mailing.sources.get(path) != present.get(path))


def _is_unfinished(newsletter: Newsletter, mailing: Mailing) -> bool:
    return _left(newsletter, mailing) > 0


def _left(newsletter: Newsletter, mailing: Mailing) -> int:
    ledger = Ledger(newsletter.database, mailing)
    counts = ledger.counts()
    ledger.close()
    return counts[State.QUEUED] + counts[State.DEFERRED] + counts[State.SENDING]
