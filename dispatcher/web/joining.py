"""Sign-up and its confirmation: nobody is on a list before the owner of the address has pressed a button."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from dispatcher.storage.database import now
from dispatcher.storage.letters import ONE_DAY, LetterKind, has_had_one, queue, queued_since
from dispatcher.storage.readers import find_subscriber
from dispatcher.storage.signups import Welcome, Wish, ask, confirm, find_signup
from dispatcher.storage.standing import MAY_LIFT, Channel, Standing
from dispatcher.storage.subscribers import membership_state
from dispatcher.storage.suppressions import suppression_of
from dispatcher.tokens import SAMPLE, read_confirm
from dispatcher.web.answers import show
from dispatcher.web.form import form_fields
from dispatcher.web.guards import TRAP, draw_time, form_token, is_slow_down, is_trapped, network
from dispatcher.web.masking import masked
from dispatcher.web.pages import Pages
from dispatcher.web.site import Mailbox, Site
from dispatcher.web.wording import language_for

_MOST_AN_HOUR = 2000  # small mails of all kinds; beyond it somebody plays with the form
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinForm:
    """What the form needs, wherever it stands."""

    email: str
    lists: Sequence[tuple[str, str, bool]]  # field, name, whether it is ticked
    problem: str | None  # a string's name
    token: str
    trap: str


async def subscribe_page(site: Site, pages: Pages, request: Request) -> Response:
    """GET shows the form; POST says the same to everybody, and mails a link to whom it may."""
    if request.method != "POST":
        return form_page(site, pages, request)
    if is_slow_down(site, request):
        return show(site, pages, request, "wait", status=429, headers={"Retry-After": "60"})
    fields = await form_fields(request)
    email, chosen = fields.get("email", ""), chosen_lists(site, fields)
    try:
        mailbox = site.read_mailbox(email)
    except ValueError:
        return form_page(site, pages, request, email=email, chosen=chosen, problem="not_an_address")
    if not chosen:
        return form_page(site, pages, request, email=email, chosen=chosen, problem="no_list")
    if not draw_time(site, fields):  # also whoever comes from a form on another site
        return form_page(site, pages, request, email=email, chosen=chosen, problem="again")
    if not is_trapped(fields):
        language = language_for(pages.wording, None, request.headers.get("accept-language", ""))
        await run_in_threadpool(
            ask_for, site, mailbox, chosen, language=language, channel=Channel.PAGE, at=network(request)
        )
        site.wake_letters()
    return show(site, pages, request, "mailed")


async def confirm_page(site: Site, pages: Pages, request: Request) -> Response:
    """GET asks once more, for programs follow links too; POST confirms."""
    text = request.path_params["token"]
    if text == SAMPLE:
        return show(site, pages, request, "sample")
    token = read_confirm(site.keyring, text)
    if token is None:
        raise HTTPException(404)
    pending = await run_in_threadpool(find_signup, site.database, token.signup_id, token.ref)
    if pending is None or token.expires_at < now():
        return show(site, pages, request, "expired", template="expired.html", again="/subscribe")
    facts = {"address": masked(pending.email), "list": ", ".join(pending.lists)}
    if pending.is_confirmed:
        return show(site, pages, request, "already", facts, reader=pending.language)
    if request.method == "POST" and (await form_fields(request)).get("confirm") == "1":
        came = await run_in_threadpool(confirm, site.database, site.keyring, pending.id)
        name = {Welcome.JOINED: "joined", Welcome.ALREADY: "already", Welcome.BARRED: "barred"}[came]
        return show(site, pages, request, name, facts, reader=pending.language)
    return show(site, pages, request, "confirm", facts, reader=pending.language, template="confirm.html")


async def embed_page(site: Site, pages: Pages, request: Request) -> Response:
    """The form for other sites, to copy: it posts here, where a person presses the button once more."""
    return show(site, pages, request, "embed", template="embed.html", action=f"{site.base_url}/subscribe", trap=TRAP)


def ask_for(
    site: Site,
    mailbox: Mailbox,
    lists: Sequence[str],
    *,
    language: str,
    channel: Channel,
    at: str | None,
    name: str | None = None,
) -> None:
    """Queues one mail to the address, or leaves as much of a trace, so that nobody learns from the time it takes.

    One a day to one address; none to who may not come back by himself; another text to who is there already.
    """
    known = find_subscriber(site.database, mailbox.key)
    spoken = language_for(site.wording, known.language if known else None, language)
    is_there = known is not None and all(
        membership_state(site.database, each, mailbox.key) in {Standing.ACTIVE, Standing.PAUSED} for each in lists
    )
    with site.database.writing() as connection:
        found = suppression_of(connection, site.keyring, mailbox.key)
        is_barred = found is not None and Channel.CONFIRMED not in MAY_LIFT[found.cause]
        is_enough = (
            has_had_one(connection, mailbox.key, [LetterKind.CONFIRM, LetterKind.ALREADY], now() - ONE_DAY)
            or queued_since(connection, now() - timedelta(hours=1)) >= _MOST_AN_HOUR
        )
        if is_barred or is_enough:
            queue(connection, LetterKind.CONFIRM, email="", address_key="", language=spoken, is_withheld=True)
            return
        if is_there and known is not None:
            queue(
                connection, LetterKind.ALREADY, email=mailbox.email, address_key=mailbox.key, language=spoken,
                subscriber_id=known.id,
            )  # fmt: skip
            return
        asked_at = now()
        for each in lists:
            signup_id = ask(
                connection,
                Wish(
                    email=mailbox.email, address_key=mailbox.key, domain=mailbox.domain, list_name=each,
                    language=language, channel=channel, wording=site.wording.version(spoken), network=at, name=name,
                ),
                at=asked_at,
            )  # fmt: skip
        queue(
            connection, LetterKind.CONFIRM, email=mailbox.email, address_key=mailbox.key, language=spoken,
            signup_id=signup_id,
        )  # fmt: skip


def chosen_lists(site: Site, fields: Mapping[str, str]) -> list[str]:
    """Of the lists that are open, those that the form names; where there is but one, no choice is asked for."""
    if len(site.open_lists) == 1:
        return list(site.open_lists)
    return [name for at, name in enumerate(site.open_lists) if fields.get(f"list{at}") == "1"]


def form_page(
    site: Site,
    pages: Pages,
    request: Request,
    *,
    email: str = "",
    chosen: Sequence[str] | None = None,
    problem: str | None = None,
) -> Response:
    return show(
        site,
        pages,
        request,
        "join",
        template="join.html",
        is_indexed=True,
        form=join_form(site, email=email, chosen=chosen, problem=problem),
    )


def join_form(
    site: Site, *, email: str = "", chosen: Sequence[str] | None = None, problem: str | None = None
) -> JoinForm:
    """A form that is drawn now, with what the visitor had entered."""
    return JoinForm(
        email=email[:320],
        lists=[(f"list{at}", name, chosen is None or name in chosen) for at, name in enumerate(site.open_lists)],
        problem=problem,
        token=form_token(site),
        trap=TRAP,
    )
