"""The page of one's own settings and data, behind a link that only its owner was mailed: see, change, take, erase."""

from collections.abc import Mapping
from datetime import timedelta

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from dispatcher.storage import preferences
from dispatcher.storage.database import now
from dispatcher.storage.dossiers import Dossier, dossier_of
from dispatcher.storage.erasure import forget
from dispatcher.storage.memberships import leave
from dispatcher.storage.signups import join_by_own_word
from dispatcher.storage.standing import Channel, Standing
from dispatcher.storage.subscribers import find_list, make_list
from dispatcher.tokens import SAMPLE, read_data
from dispatcher.web.answers import file_answer, show
from dispatcher.web.form import form_fields
from dispatcher.web.guards import network
from dispatcher.web.masking import masked
from dispatcher.web.pages import Pages
from dispatcher.web.site import Site
from dispatcher.web.wording import language_for

WEEKS = (1, 2, 4, 8, 12)
_ON = {Standing.ACTIVE.value, Standing.PAUSED.value}


async def own_page(site: Site, pages: Pages, request: Request) -> Response:
    """GET shows; POST does what `do` says: save, download, erase (which asks once more), erase-surely."""
    text = request.path_params["token"]
    if text == SAMPLE:
        return show(site, pages, request, "sample")
    token = read_data(site.keyring, text)
    if token is None:
        raise HTTPException(404)
    person = await run_in_threadpool(dossier_of, site.database, token.subscriber_id, token.ref)
    if person is None or token.expires_at < now():
        return show(site, pages, request, "expired", template="expired.html", again="/settings")
    if request.method != "POST":
        return _page(site, pages, request, person)
    fields = await form_fields(request)
    match fields.get("do"):
        case "save":
            await run_in_threadpool(_save, site, person, fields, network(request))
            changed = await run_in_threadpool(dossier_of, site.database, token.subscriber_id, token.ref)
            return _page(site, pages, request, changed or person, is_saved=True)
        case "download":
            content = await run_in_threadpool(site.own_data, person)
            return file_answer(site, content, "application/json", "my-data.json")
        case "erase":
            return show(site, pages, request, "erase", reader=person.language, template="erase.html")
        case "erase-surely":
            key = site.read_mailbox(person.email).key
            await run_in_threadpool(forget, site.database, site.keyring, key, Channel.CONFIRMED)
            return show(site, pages, request, "erased", reader=person.language)
        case _:
            return _page(site, pages, request, person)


def offered_lists(site: Site, person: Dossier) -> list[tuple[str, bool]]:
    """The lists that are open to anybody, and those that the person is or was on by his own wish; and whether he is."""
    on = {each.list_name for each in person.memberships if each.state in _ON}
    own = {each.list_name for each in person.memberships if each.state in _ON or each.state == Standing.UNSUBSCRIBED}
    return [(name, name in on) for name in sorted({*site.open_lists, *own})]


def _save(site: Site, person: Dossier, fields: Mapping[str, str], at: str) -> None:
    database = site.database
    wording = site.wording.version(language_for(site.wording, person.language, ""))
    for number, (name, is_on) in enumerate(offered_lists(site, person)):
        wants = fields.get(f"list{number}") == "1"
        if wants == is_on:
            continue
        list_id = find_list(database, name) or make_list(database, name)
        if wants:
            join_by_own_word(database, site.keyring, person.id, list_id, wording=wording, network=at)
        else:
            leave(database, person.id, list_id=list_id, by=Channel.CONFIRMED)
    spoken = fields.get("language", "")
    if spoken in site.wording.strings or not spoken:
        now_spoken = (person.language or "").lower().partition("-")[0]
        if spoken != now_spoken:  # zh-Hant stays zh-Hant, where Chinese is what is chosen
            preferences.set_language(database, person.id, spoken or None)
    preferences.set_tracking(database, person.id, agrees=fields.get("tracking") == "1")
    weeks = fields.get("pause", "")
    if weeks in {str(each) for each in WEEKS}:
        preferences.pause(database, person.id, until=now() + timedelta(weeks=int(weeks)))
    elif weeks == "0":
        preferences.resume(database, person.id)


def _page(site: Site, pages: Pages, request: Request, person: Dossier, *, is_saved: bool = False) -> Response:
    until = max((each.until for each in person.memberships if each.until), default=None)
    return show(
        site,
        pages,
        request,
        "settings",
        {"address": masked(person.email)},
        reader=person.language,
        template="settings.html",
        is_saved=is_saved,
        lists=[(f"list{at}", name, is_on) for at, (name, is_on) in enumerate(offered_lists(site, person))],
        languages=[(tag, site.wording.strings[tag].get("language_name", tag)) for tag in sorted(site.wording.strings)],
        chosen=(person.language or "").lower().partition("-")[0],
        until=f"{until:%Y-%m-%d}" if until else None,
        weeks=WEEKS,
        lets_count=person.agreed_to_tracking_at is not None,
    )
