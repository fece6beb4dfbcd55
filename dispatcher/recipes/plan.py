"""Plans a send: which mailing, which editions, which readers; checked, and confirmed by the editor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from dispatcher.audience.lists import STAGING, bring_up_to_date
from dispatcher.config import Settings, require_live
from dispatcher.content.source import Issue, find_issue, issue_number, load_issue
from dispatcher.delivery.relay import MaildirRelay, Security, SmtpRelay
from dispatcher.desk import screen
from dispatcher.desk.picture_check import unreachable_pictures
from dispatcher.desk.receipt import require_known
from dispatcher.errors import Fault, InputWrong, NotPermitted
from dispatcher.models import Kind, State
from dispatcher.recipes.editions import Editions, check_fields, compose_editions, source_hashes, thaw_editions
from dispatcher.recipes.newsletter import Newsletter, base_url, kind_of, sender_address, stays_here
from dispatcher.storage.keys import remember_key, require_keys
from dispatcher.storage.mailings import Audience, Freeze, Mailing, enqueue, find_mailing, freeze, lists_of
from dispatcher.storage.readers import languages_of, members_without_row, reserved_members
from dispatcher.storage.reports import count_states, observed_rate

_GUESSED_RATE = 10.0  # messages a second, until this newsletter has sent something over a relay
_TO_GO = (State.QUEUED, State.DEFERRED, State.SENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the editor asked for."""

    issue: str
    list_name: str | None = None  # None: the issue's own, or the newsletter's
    is_confirmed: bool = False
    patience: timedelta = timedelta(minutes=15)
    skip_bad_rows: bool = False
    command: str = ""  # as it was typed: what to run again


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a send is going to do.

    `spoken` maps each edition to the languages of the readers who get it; it is empty when nobody is to be added.
    """

    number: int
    folder: Path
    kind: Kind
    list_name: str
    editions: Editions
    earlier: Mailing | None  # to go on with, or to freeze afresh
    goes_on: bool
    spoken: Mapping[str, Sequence[str | None]]
    people: Mapping[str, int]  # to be added, by edition; not known by edition for a further list
    to_add: int
    left: int  # of an earlier run
    reserved: int  # addresses where nobody has mail

    @property
    def to_mail(self) -> int:
        return self.to_add + self.left


def make_plan(newsletter: Newsletter, order: Order) -> Plan:
    """Steps 1 and 2: the issue, its editions and its readers, with everything checked; nothing is stored but lists.

    Raises InputWrong, NotFound, NotPermitted, SettingsWrong.
    """
    settings, database = newsletter.settings, newsletter.database
    folder = find_issue(settings.folder, order.issue)
    number = issue_number(folder)
    issue = _loaded(settings, folder)
    own_list = issue.list_name if isinstance(issue, Issue) else None
    list_name = order.list_name or own_list or settings.list
    kind = kind_of(newsletter.relay, list_name)
    if kind is Kind.LIVE:
        require_live(settings)
        require_keys(database, newsletter.keyring.secrets)
    earlier = None if kind is Kind.STAGING else find_mailing(database, number, kind)
    if kind is Kind.LIVE:
        sent = count_states(database, earlier.id)[State.SENT] if earlier else 0
        ledger = f"{database.instance}/{earlier.id}" if earlier else ""
        require_known(folder / "receipt.json", issue=number, ledger=ledger, sent=sent)
    left = _left(newsletter, earlier)
    is_frozen = earlier is not None and earlier.handed_over_at is not None
    if earlier is not None and is_frozen and (left or kind is Kind.LIVE):
        return _going_on(newsletter, order, earlier, folder, list_name, left)
    if isinstance(issue, InputWrong):
        raise issue
    editions = compose_editions(issue, settings)
    if earlier is not None and is_frozen:
        if editions.content_hash == earlier.content_hash:
            return _going_on(newsletter, order, earlier, folder, list_name, left)
        earlier = None  # the trial is over, and the issue is another one now
    spoken = _bring_up_to_date(newsletter, order, editions, list_name)
    wanted = languages_of(database, list_name)
    people = {edition: sum(wanted[each] for each in speak) for edition, speak in spoken.items()}
    reserved = 0 if stays_here(newsletter.relay) else reserved_members(database, list_name)
    if sum(people.values()) > reserved:
        _check_pictures(newsletter, kind, editions)
    return Plan(
        number=number,
        folder=folder,
        kind=kind,
        list_name=list_name,
        editions=editions,
        earlier=earlier,
        goes_on=False,
        spoken=spoken,
        people=people,
        to_add=sum(people.values()) - reserved,
        left=0,
        reserved=reserved,
    )


def confirm(newsletter: Newsletter, order: Order, plan: Plan) -> None:
    """Says what is about to happen; a live send needs the editor's word. Raises NotPermitted without it."""
    _warn_of_plaintext(newsletter)
    if plan.goes_on and plan.earlier is not None:
        for path in _changed(plan.earlier, plan.folder, newsletter.settings.folder):
            screen.note(f"{path} has changed since issue {plan.number} was frozen; readers get it as it was frozen")
    if not plan.to_mail:
        return
    label = {Kind.LIVE: "", Kind.MAILDIR: "trial: ", Kind.STAGING: "staging: "}[plan.kind]
    by_edition = ", ".join(f"{count:,} {edition}" for edition, count in plan.people.items() if count)
    detail = f" ({by_edition})" if by_edition else ""
    who = f"{screen.spoken_readers(plan.to_mail)} of {plan.list_name}"
    screen.say(f"{label}issue {plan.number} to {who}{detail} {_over(newsletter, plan.to_mail)}")
    if plan.reserved:
        screen.say(f"skipped: {plan.reserved:,} with an address in a reserved domain")
    if plan.kind is not Kind.LIVE or order.is_confirmed:
        return
    if not screen.is_attended():
        raise NotPermitted("not confirmed: there is no terminal to ask at; add --yes")
    if not screen.confirm(f"type the number of readers ({plan.to_mail}) to send: ", str(plan.to_mail)):
        raise NotPermitted("not confirmed: nobody was mailed")


def store_plan(newsletter: Newsletter, plan: Plan) -> Mailing:
    """Step 4: freezes the editions and enqueues the readers, or adds those of a further list to what was frozen."""
    audience = Audience(
        list_name=plan.list_name,
        spoken=plan.spoken,
        skip_reserved=not stays_here(newsletter.relay),
        is_staging=plan.kind is Kind.STAGING,
    )
    if plan.goes_on and plan.earlier is not None:
        if plan.spoken:
            enqueue(newsletter.database, plan.earlier.id, audience)
        return plan.earlier
    remember_key(newsletter.database, newsletter.keyring.secrets[0])
    frozen = Freeze(
        issue=plan.number,
        kind=plan.kind,
        content_hash=plan.editions.content_hash,
        sender_domain=sender_address(newsletter.settings).rpartition("@")[2],
        sources=source_hashes(plan.folder, newsletter.settings.folder),
        editions=plan.editions.frozen,
        pictures=[picture for edition in plan.editions.by_language.values() for picture in edition.pictures],
    )
    return freeze(newsletter.database, frozen, audience, replace=plan.earlier.id if plan.earlier else None)


def _going_on(newsletter: Newsletter, order: Order, mailing: Mailing, folder: Path, list_name: str, left: int) -> Plan:
    """An earlier mailing as it was frozen; a further list adds those who have no row yet."""
    database = newsletter.database
    editions, _ = thaw_editions(database, mailing.id)
    spoken: Mapping[str, Sequence[str | None]] = {}
    to_add = 0
    if list_name not in lists_of(database, mailing.id):
        spoken = _bring_up_to_date(newsletter, order, editions, list_name)
        skip_reserved = not stays_here(newsletter.relay)
        to_add = members_without_row(database, mailing.id, list_name, skip_reserved=skip_reserved)
    return Plan(
        number=mailing.issue,
        folder=folder,
        kind=mailing.kind,
        list_name=list_name,
        editions=editions,
        earlier=mailing,
        goes_on=True,
        spoken=spoken,
        people={},
        to_add=to_add,
        left=left,
        reserved=0,
    )


def _loaded(settings: Settings, folder: Path) -> Issue | InputWrong:
    """The issue, or what is wrong with it: of a frozen issue, an edit since does not matter."""
    try:
        return load_issue(folder, root=settings.folder, default_language=settings.language)
    except InputWrong as error:
        return error


def _bring_up_to_date(
    newsletter: Newsletter, order: Order, editions: Editions, list_name: str
) -> dict[str, Sequence[str | None]]:
    """Reads the list's file if it is new, and checks that its readers' fields fill their editions."""
    settings, database = newsletter.settings, newsletter.database
    imported = bring_up_to_date(database, settings.folder, list_name, skip_bad_rows=order.skip_bad_rows)
    for fault in (*imported.faults, *(imported.changes.duplicates if imported.changes else ())):
        screen.note(str(fault))
    spoken: dict[str, list[str | None]] = {edition: [] for edition in editions.by_language}
    for language in languages_of(database, list_name):
        # On staging, who names no language sees every edition.
        gets_all = language is None and list_name == STAGING
        for edition in editions.by_language if gets_all else [editions.language_for(language)]:
            spoken[edition].append(language)
    spoken = {edition: languages for edition, languages in spoken.items() if languages}
    if not spoken:
        path = f"subscribers/{list_name}.csv"
        raise InputWrong([Fault(path=path, message=f"nobody is on {list_name}", remedy="add readers to it")])
    check_fields(database, settings, editions, list_name, spoken)
    return dict(spoken)


def _check_pictures(newsletter: Newsletter, kind: Kind, editions: Editions) -> None:
    if kind is not Kind.LIVE or stays_here(newsletter.relay) or newsletter.settings.pictures == "inline":
        return
    pictures = {picture.name: picture for each in editions.by_language.values() for picture in each.pictures}
    if faults := unreachable_pictures(base_url(newsletter.settings), pictures.values()):
        raise InputWrong(faults)


def _over(newsletter: Newsletter, people: int) -> str:
    if isinstance(newsletter.relay, MaildirRelay):
        return f"into {newsletter.relay.folder.name}"
    rate = observed_rate(newsletter.database)
    time = screen.spoken_time(people / (rate or _GUESSED_RATE)) + ("" if rate else ", a guess")
    return f"over {newsletter.relay}, about {time}"


def _warn_of_plaintext(newsletter: Newsletter) -> None:
    relay = newsletter.relay
    if isinstance(relay, SmtpRelay) and relay.security is Security.NONE and not stays_here(relay):
        screen.note(f"warning: {relay} gets every message in plaintext, which others on the way can read and change")


def _changed(mailing: Mailing, folder: Path, root: Path) -> list[str]:
    present = source_hashes(folder, root)
    return sorted(path for path in {*mailing.sources, *present} if mailing.sources.get(path) != present.get(path))


def _left(newsletter: Newsletter, mailing: Mailing | None) -> int:
    if mailing is None:
        return 0
    counts = count_states(newsletter.database, mailing.id)
    return sum(counts[state] for state in _TO_GO)
