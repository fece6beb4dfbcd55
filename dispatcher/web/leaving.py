"""The page that lets a reader leave, and take it back for some minutes: to look changes nothing, to post acts."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from dispatcher.storage.database import now
from dispatcher.storage.memberships import Left, leave, take_back
from dispatcher.storage.readers import named_subscriber
from dispatcher.storage.standing import Channel
from dispatcher.storage.subscribers import Leaver, leaver
from dispatcher.tokens import SAMPLE, LeaveToken, UndoToken, read_leave, read_undo, sign_undo
from dispatcher.web.answers import show, text_answer
from dispatcher.web.form import form_fields
from dispatcher.web.masking import masked
from dispatcher.web.pages import Pages
from dispatcher.web.site import Site

UNDO_LASTS = timedelta(minutes=10)


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
    left = None
    if wish is not Wish.NOTHING:
        left = await run_in_threadpool(_leave, site, token, wish)
    if wish is Wish.ONE_CLICK:
        return text_answer(site, "You are unsubscribed.")
    return _page(site, pages, request, person, token, wish, left)


async def undo_page(site: Site, pages: Pages, request: Request) -> Response:
    """POST takes back what the token says was just left; GET cannot, and says nothing."""
    token = read_undo(site.keyring, request.path_params["token"])
    if token is None:
        raise HTTPException(404)
    person = await run_in_threadpool(named_subscriber, site.database, token.subscriber_id, token.ref)
    if person is None:
        raise HTTPException(404)
    if token.expires_at < now():
        return show(site, pages, request, "late", reader=person.language)
    back = await run_in_threadpool(take_back, site.database, token.subscriber_id, left_at=token.left_at)
    facts = {"address": masked(person.email)}
    return show(site, pages, request, "undone" if back else "late", facts, reader=person.language)


def wish_of(fields: Mapping[str, str]) -> Wish:
    """One-click first: RFC 8058 wants no question after it."""
    if fields.get("List-Unsubscribe", "").strip().lower() == "one-click":
        return Wish.ONE_CLICK
    if fields.get("confirm") != "1":
        return Wish.NOTHING
    return Wish.LEAVE_ALL if fields.get("all") == "1" else Wish.LEAVE


async def _wish(request: Request) -> Wish:
    return wish_of(await form_fields(request)) if request.method == "POST" else Wish.NOTHING


def _named_by(site: Site, token: LeaveToken) -> Leaver | None:
    return leaver(site.database, subscriber_id=token.subscriber_id, ref=token.ref, list_id=token.list_id)


def _leave(site: Site, token: LeaveToken, wish: Wish) -> Left:
    return leave(
        site.database,
        token.subscriber_id,
        list_id=None if wish is Wish.LEAVE_ALL else token.list_id,
        by=Channel.ONE_CLICK if wish is Wish.ONE_CLICK else Channel.PAGE,
    )


def _page(
    site: Site, pages: Pages, request: Request, person: Leaver, token: LeaveToken, wish: Wish, left: Left | None
) -> Response:
    name = {Wish.LEAVE_ALL: "left_all", Wish.LEAVE: "left"}.get(wish, "not_on_list" if person.has_left else "ask")
    undo = None
    if left is not None and left.lists:
        undo = sign_undo(
            site.keyring,
            UndoToken(
                subscriber_id=token.subscriber_id, ref=token.ref, left_at=left.at, expires_at=left.at + UNDO_LASTS
            ),
        )
    return show(
        site,
        pages,
        request,
        name,
        {"address": masked(person.email), "list": person.list_name},
        reader=person.language,
        template="leaving.html",
        may_leave=name == "ask",
        other_lists=0 if wish is Wish.LEAVE_ALL else person.other_lists,
        undo=undo,
        base=f"/u/{request.path_params['token']}",
    )


async def _sample(site: Site, pages: Pages, request: Request) -> Response:
    if await _wish(request) is Wish.ONE_CLICK:
        return text_answer(site, "This is a sample copy: nothing has changed.")
    return show(site, pages, request, "sample")
