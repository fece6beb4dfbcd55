"""The readers' pages as one ASGI application: unsubscribe, an issue's page, its pictures."""

import logging
import re
from functools import partial

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from dispatcher.errors import LedgerFailed
from dispatcher.tokens import SAMPLE, read_view
from dispatcher.web.answers import issue_answer, page_answer, picture_answer, text_answer
from dispatcher.web.leaving import unsubscribe_page
from dispatcher.web.pages import Pages, draw, language_for, open_pages
from dispatcher.web.site import Site

_PICTURE = re.compile(r"[0-9a-f]{16,64}\.[a-z]{3,4}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")
_RETRY_SECONDS = "60"

_log = logging.getLogger(__name__)


def make_site(site: Site) -> Starlette:
    """The application; whatever goes wrong in it, an unknown address and a forged token get one and the same page."""
    pages = open_pages(newsletter=site.newsletter, postal_address=site.postal_address, default=site.language)
    application = Starlette(
        routes=[
            Route("/u/{token}", partial(unsubscribe_page, site, pages), methods=["GET", "POST"]),
            Route("/v/{token}", partial(_viewed_issue, site, pages)),
            Route("/issues/{number}/{language}", partial(_public_issue, site)),
            Route("/pictures/{name}", partial(_picture, site)),
        ],
        exception_handlers={
            HTTPException: partial(_refused, site, pages),
            LedgerFailed: partial(_ledger_failed, site, pages),
            ClientDisconnect: partial(_gone, site),
            Exception: partial(_bug, site),
        },
    )
    application.router.redirect_slashes = False  # one spelling of an address is valid
    return application


async def _viewed_issue(site: Site, pages: Pages, request: Request) -> Response:
    text = request.path_params["token"]
    if text == SAMPLE:
        return page_answer(site, pages, draw(pages, _language(pages, request), "unsent"))
    token = read_view(site.keyring, text)
    html = None if token is None else await run_in_threadpool(site.issue_page, token.number, token.language)
    if html is None:
        raise HTTPException(404)
    return issue_answer(site, html, is_public=False)


async def _public_issue(site: Site, request: Request) -> Response:
    number, language = request.path_params["number"], request.path_params["language"]
    html = None
    if _NUMBER.fullmatch(number) and _LANGUAGE.fullmatch(language):
        html = await run_in_threadpool(site.public_issue_page, int(number), language)
    if html is None:
        raise HTTPException(404)
    return issue_answer(site, html, is_public=True)


async def _picture(site: Site, request: Request) -> Response:
    name = request.path_params["name"]
    found = await run_in_threadpool(site.find_picture, name) if _PICTURE.fullmatch(name) else None
    if found is None:
        raise HTTPException(404)
    media_type, content = found
    return picture_answer(site, content, media_type)


async def _refused(site: Site, pages: Pages, request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == 404:
        return page_answer(site, pages, draw(pages, _language(pages, request), "missing"), status=404)
    return text_answer(site, error.detail, status=error.status_code, headers=error.headers)


async def _ledger_failed(site: Site, pages: Pages, request: Request, error: Exception) -> Response:
    """503, so that a mail provider tries its one-click POST again."""
    _log.error("%s", error)
    html = draw(pages, _language(pages, request), "later")
    return page_answer(site, pages, html, status=503, headers={"Retry-After": _RETRY_SECONDS})


async def _gone(site: Site, _request: Request, _error: Exception) -> Response:
    """Nobody is there any more to read this."""
    return text_answer(site, "Bad Request", status=400)


async def _bug(site: Site, _request: Request, _error: Exception) -> Response:
    """Starlette raises the error again after this answer, and it ends up in the log."""
    return text_answer(site, "Internal Server Error", status=500)


def _language(pages: Pages, request: Request) -> str:
    return language_for(pages, None, request.headers.get("accept-language", ""))
