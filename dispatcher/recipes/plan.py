"""Plans a send: which mailing, which editions, which readers; with everything checked."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dispatcher.audience.lists import STAGING, bring_up_to_date, file_of
from dispatcher.config import Settings
from dispatcher.content.source.issue import Issue, find_issue, issue_number, load_issue
from dispatcher.desk import screen
from dispatcher.desk.picture_check import unreachable_pictures
from dispatcher.desk.receipt import require_known
from dispatcher.errors import Fault, InputWrong, NotPermitted
from dispatcher.expressions import And, Expression, names_in
from dispatcher.models import Kind, State
from dispatcher.recipes.editions import (
    Editions,
    check_fields,
    compose_editions,
    say_warnings,
    source_hashes,
    thaw_editions,
)
from dispatcher.recipes.newsletter import Newsletter, base_url, kind_of, require_ready_for_readers, sender_address
from dispatcher.recipes.order import Order, Plan
from dispatcher.storage.control import languages_left, queue_refused, refreeze
from dispatcher.storage.keys import remember_key
from dispatcher.storage.mailings import Audience, Freeze, Mailing, enqueue, find_mailing, freeze, lists_of
from dispatcher.storage.readers import languages_of, members_without_row, reserved_members
from dispatcher.storage.reports import count_states
from dispatcher.storage.subscribers import attribute_names

_TO_GO = (State.QUEUED, State.DEFERRED, State.SENDING)


def make_plan(newsletter: Newsletter, order: Order) -> Plan:
    """Steps 1 and 2: the issue, its editions and its readers, with everything checked; nothing is stored but lists.

    Raises InputWrong, NotFound, NotPermitted, SettingsWrong.
    """
    settings, database = newsletter.settings, newsletter.database
    folder = find_issue(settings.folder, order.issue)
    number = issue_number(folder)
    issue = _loaded(settings, folder)
    own_list, own_only = (issue.list_name, issue.only) if isinstance(issue, Issue) else (None, None)
    list_name = order.list_name or own_list or settings.list
    kind = kind_of(newsletter.relay, list_name)
    _require_what_it_takes(newsletter, order, kind)
    earlier = None if kind is Kind.STAGING else find_mailing(database, number, kind)
    if kind is Kind.LIVE:
        sent = count_states(database, earlier.id)[State.SENT] if earlier else 0
        ledger = f"{database.instance}/{earlier.id}" if earlier else ""
        require_known(folder / "receipt.json", issue=number, ledger=ledger, sent=sent)
    left = _left(newsletter, earlier)
    is_frozen = earlier is not None and (earlier.handed_over_at is not None or order.is_workers)
    _require_completion(order, earlier if is_frozen else None, left)
    if earlier is not None and order.refreezes:
        if isinstance(issue, InputWrong):
            raise issue
        return _refrozen(newsletter, earlier, folder, list_name, left, compose_editions(issue, settings))
    if earlier is not None and is_frozen and (left or kind is Kind.LIVE):
        return _going_on(newsletter, order, earlier, folder, list_name, left, own_only)
    if isinstance(issue, InputWrong):
        raise issue
    editions = compose_editions(issue, settings)
    say_warnings(editions)
    from dispatcher.recipes.check import stop_at_errors  # noqa: PLC0415  who goes on with frozen editions needs none

    stop_at_errors(settings, issue, editions.by_language)
    if earlier is not None and is_frozen:
        if editions.content_hash == earlier.content_hash:
            return _going_on(newsletter, order, earlier, folder, list_name, left, own_only)
        earlier = None  # the trial is over, and the issue is another one now
    where = _meant(order, own_only, list_name)
    spoken = _bring_up_to_date(newsletter, order, editions, list_name, where)
    wanted = languages_of(database, list_name, where)
    people = {edition: sum(wanted[each] for each in speak) for edition, speak in spoken.items()}
    reserved = 0 if newsletter.stays_here else reserved_members(database, list_name, where)
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
        where=where,
    )


def store_plan(newsletter: Newsletter, plan: Plan, *, with_readers: bool = True) -> Mailing:
    """Step 4: freezes the editions and enqueues the readers, or adds those of a further list to what was frozen."""
    audience = Audience(
        list_name=plan.list_name,
        spoken=plan.spoken if with_readers else {},
        where=plan.where,
        skip_reserved=not newsletter.stays_here,
        is_staging=plan.kind is Kind.STAGING,
    )
    if plan.goes_on and plan.earlier is not None and not plan.refreezes:
        if plan.spoken:
            enqueue(newsletter.database, plan.earlier.id, audience)
        if plan.refused:
            queue_refused(newsletter.database, plan.earlier.id)
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
    if plan.refreezes and plan.earlier is not None:
        refreeze(newsletter.database, plan.earlier.id, frozen, plan.spoken)
        return replace(plan.earlier, content_hash=frozen.content_hash, sources=frozen.sources)
    return freeze(newsletter.database, frozen, audience, replace=plan.earlier.id if plan.earlier else None)


def _going_on(
    newsletter: Newsletter,
    order: Order,
    mailing: Mailing,
    folder: Path,
    list_name: str,
    left: int,
    own_only: Expression | None,
) -> Plan:
    """An earlier mailing as it was frozen; a further list adds those who have no row yet."""
    database = newsletter.database
    editions, _ = thaw_editions(database, mailing.id)
    spoken: Mapping[str, Sequence[str | None]] = {}
    to_add = 0
    where = _meant(order, own_only, list_name)
    counts = count_states(database, mailing.id)
    has_list = list_name in lists_of(database, mailing.id)
    is_first = order.is_workers and mailing.handed_over_at is None
    if not order.only_left and (not has_list or order.only_new or is_first):
        spoken = _bring_up_to_date(newsletter, order, editions, list_name, where)
        skip_reserved = not newsletter.stays_here
        to_add = members_without_row(database, mailing.id, list_name, where, skip_reserved=skip_reserved)
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
        where=where,
        refused=counts[State.REFUSED] if order.only_refused else 0,
    )


def _refrozen(
    newsletter: Newsletter, mailing: Mailing, folder: Path, list_name: str, left: int, editions: Editions
) -> Plan:
    """An earlier mailing of which those who are left get the files as they are now."""
    say_warnings(editions)
    spoken: dict[str, list[str | None]] = {edition: [] for edition in editions.by_language}
    people = dict.fromkeys(spoken, 0)
    for language, count in languages_left(newsletter.database, mailing.id).items():
        spoken[editions.language_for(language)].append(language)
        people[editions.language_for(language)] += count
    wanted = {edition: languages for edition, languages in spoken.items() if languages}
    check_fields(newsletter.database, newsletter.settings, editions, list_name, wanted)
    return Plan(
        number=mailing.issue,
        folder=folder,
        kind=mailing.kind,
        list_name=list_name,
        editions=editions,
        earlier=mailing,
        goes_on=True,
        spoken=wanted,
        people=people,
        to_add=0,
        left=left,
        reserved=0,
        refreezes=True,
    )


def _require_completion(order: Order, begun: Mailing | None, left: int) -> None:
    """`--new` and `--retry-refused` are for a mailing that has ended, `--refreeze` for one that has not."""
    for option, is_given in (("--new", order.only_new), ("--retry-refused", order.only_refused)):
        if is_given and (begun is None or left):
            raise NotPermitted(
                f"{option} is for an issue that has been sent to its end; run first: send-issue {order.issue}"
            )
    if order.refreezes and (begun is None or not left):
        raise NotPermitted("--refreeze is for an issue that is being sent, with readers still to be mailed")
    if order.at is not None and begun is not None:
        raise NotPermitted("--at is for an issue that has not begun; this one goes on with: send-issue")


def _require_what_it_takes(newsletter: Newsletter, order: Order, kind: Kind) -> None:
    if kind is Kind.LIVE:
        require_ready_for_readers(newsletter)
    elif order.at is not None or order.detaches:
        option = "--at" if order.at is not None else "--detach"
        raise NotPermitted(f"{option} leaves an issue to workers, which mail readers over a relay; this is a trial")


def _loaded(settings: Settings, folder: Path) -> Issue | InputWrong:
    """The issue, or what is wrong with it: of a frozen issue, an edit since does not matter."""
    try:
        return load_issue(folder, root=settings.folder, default_language=settings.language)
    except InputWrong as error:
        return error


def _meant(order: Order, own_only: Expression | None, list_name: str) -> Expression | None:
    """Whom of a list the issue and the editor mean together; on staging, whose readers see everything, all."""
    given = [each for each in (own_only, order.where) if each is not None]
    if not given or list_name == STAGING:
        return None
    return given[0] if len(given) == 1 else And(parts=tuple(given))


def _bring_up_to_date(
    newsletter: Newsletter, order: Order, editions: Editions, list_name: str, where: Expression | None
) -> dict[str, Sequence[str | None]]:
    """Reads the list's file if it is new, and checks that its readers' fields fill their editions."""
    settings, database = newsletter.settings, newsletter.database
    imported = bring_up_to_date(
        database, newsletter.keyring, settings.folder, list_name, skip_bad_rows=order.skip_bad_rows
    )
    for fault in (*imported.faults, *(imported.changes.duplicates if imported.changes else ())):
        screen.note(str(fault))
    spoken: dict[str, list[str | None]] = {edition: [] for edition in editions.by_language}
    for language in languages_of(database, list_name, where):
        # On staging, who names no language sees every edition.
        gets_all = language is None and list_name == STAGING
        for edition in editions.by_language if gets_all else [editions.language_for(language)]:
            spoken[edition].append(language)
    spoken = {edition: languages for edition, languages in spoken.items() if languages}
    if not spoken:
        raise InputWrong([_nobody(newsletter, list_name, where)])
    check_fields(database, settings, editions, list_name, spoken, where)
    return dict(spoken)


def _nobody(newsletter: Newsletter, list_name: str, where: Expression | None) -> Fault:
    file = file_of(Path(), list_name)
    path = str(file) if (newsletter.settings.folder / file).exists() else list_name
    if where is None or not languages_of(newsletter.database, list_name):
        return Fault(path=path, message=f"nobody is on {list_name}", remedy="add readers to it")
    fields = ["email", "language", "name", *attribute_names(newsletter.database, list_name)]
    for unknown in sorted(names_in(where) - {*fields}):
        nearest = difflib.get_close_matches(unknown, fields, 1, 0.5)
        remedy = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(fields)}"
        return Fault(path=path, message=f"no reader of {list_name} has a field {unknown}", remedy=remedy)
    remedy = f"see who is: dispatcher subscribers list --list {list_name} --where '…'"
    return Fault(path=path, message=f"nobody on {list_name} is whom --where or the issue's `only` names", remedy=remedy)


def _check_pictures(newsletter: Newsletter, kind: Kind, editions: Editions) -> None:
    if kind is not Kind.LIVE or newsletter.stays_here or newsletter.settings.pictures == "inline":
        return
    pictures = {picture.name: picture for each in editions.by_language.values() for picture in each.pictures}
    if faults := unreachable_pictures(base_url(newsletter.settings), pictures.values()):
        raise InputWrong(faults)


def _left(newsletter: Newsletter, mailing: Mailing | None) -> int:
    if mailing is None:
        return 0
    counts = count_states(newsletter.database, mailing.id)
    return sum(counts[state] for state in _TO_GO)
