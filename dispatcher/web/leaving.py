"""The page that lets a reader leave: to look at it changes nothing, to post acts."""

from collections.abc import Mapping
from enum import StrEnum

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from dispatcher.storage.subscribers import Leaver, leaver, unsubscribe
from dispatcher.tokens import SAMPLE, LeaveToken, read_leave
from dispatcher.web.answers import page_answer, text_answer
from dispatcher.web.form import form_fields
from dispatcher.web.pages import Pages, draw, language_for
from dispatcher.web.site import Site


class Wish(StrEnum):
    """What a POST asks for."""

    NOTHING = "nothing"  # not a refusal: a client that forgot the body gets the page with the button
    ONE_CLICK = "one-click"  # from a mail provider; not a promise that the reader pressed anything himself
    LEAVE = "leave"  # this list; not the others
    LEAVE_ALL = "leave all"  # every list; not a suppression: the reader may come back by himself


async def unsubscribe_page(site: Site, pages: Pages, request: Request) -> Response:
    """GET asks, POST acts; the token is all that is asked for."""
    text = request.path_params["token"]
    if text == SAMPLE:
        return await _sample(site, pages, request)
    token = read_leave(site.keyring, text)
    person = None if token is None else await run_in_threadpool(_named_by, site, token)
    if token is None or person is None:
        raise HTTPException(404)
    wish = await _wish(request)
    if wish is not Wish.NOTHING:
        await run_in_threadpool(_leave, site, token, wish)
    if wish is Wish.ONE_CLICK:
        return text_answer(site, "You are unsubscribed.")
    return page_answer(site, pages, _page(pages, _language(pages, request, person), person, wish))


def wish_of(fields: Mapping[str, str]) -> Wish:
    """One-click first: RFC 8058 wants no question after it."""
    if fields.get("List-Unsubscribe", "").strip().lower() == "one-click":
        return Wish.ONE_CLICK
    if fields.get("confirm") != "1":
        return Wish.NOTHING
    return Wish.LEAVE_ALL if fields.get("all") == "1" else Wish.LEAVE


def masked(email: str) -> str:
    """`ann@example.org` as `a•••@e•••.org`: enough for its owner, too little for whom a message was forwarded to."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}•••@{domain[:1]}•••.{domain.rpartition('.')[2]}"


async def _wish(request: Request) -> Wish:
    return wish_of(await form_fields(request)) if request.method == "POST" else Wish.NOTHING


def _named_by(site: Site, token: LeaveToken) -> Leaver | None:
    return leaver(site.database, subscriber_id=token.subscriber_id, ref=token.ref, list_id=token.list_id)


def _leave(site: Site, token: LeaveToken, wish: Wish) -> None:
    unsubscribe(
        site.database,
        token.subscriber_id,
        list_id=None if wish is Wish.LEAVE_ALL else token.list_id,
        channel="one-click" if wish is Wish.ONE_CLICK else "page",
    )


def _page(pages: Pages, language: str, person: Leaver, wish: Wish) -> str:
    facts = {"address": masked(person.email), "list": person.list_name}
    match wish:
        case Wish.LEAVE_ALL:
            return draw(pages, language, "left_all", facts)
        case Wish.LEAVE:
            return draw(pages, language, "left", facts, other_lists=person.other_lists)
        case _ if not person.has_left:
            return draw(pages, language, "ask", facts, may_leave=True, other_lists=person.other_lists)
        case _:
            return draw(pages, language, "not_on_list", facts, other_lists=person.other_lists)


async def _sample(site: Site, pages: Pages, request: Request) -> Response:
    if await _wish(request) is Wish.ONE_CLICK:
        return text_answer(site, "This is a sample copy: nothing has changed.")
    return page_answer(site, pages, draw(pages, _language(pages, request, None), "sample"))


def _language(pages: Pages, request: Request, person: Leaver | None) -> str:
    return language_for(pages, person.language if person else None, request.headers.get("accept-language", ""))
