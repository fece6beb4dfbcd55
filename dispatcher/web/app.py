"""The readers' pages as one ASGI application: which address is whose page, and what becomes of errors."""

import logging
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Lifespan

from dispatcher.errors import LedgerFailed
from dispatcher.web import api, archive, health, hooks, joining, leaving, links, own_data
from dispatcher.web.answers import json_answer, show, text_answer
from dispatcher.web.metrics import Gauges
from dispatcher.web.pages import Pages, open_pages
from dispatcher.web.site import Site

_RETRY_SECONDS = "60"
_BOTH = ["GET", "POST"]

_log = logging.getLogger(__name__)


def make_site(site: Site, *, lifespan: Lifespan[Starlette] | None = None) -> Starlette:
    """The application; whatever goes wrong in it, an unknown address and a forged token get one and the same page."""
    pages = open_pages(newsletter=site.newsletter, postal_address=site.postal_address, wording=site.wording)
    application = Starlette(
        routes=[
            Route("/", partial(archive.front_page, site, pages)),
            Route("/u/{token}", partial(leaving.unsubscribe_page, site, pages), methods=_BOTH),
            Route("/undo/{token}", partial(leaving.undo_page, site, pages), methods=["POST"]),
            Route("/subscribe", partial(joining.subscribe_page, site, pages), methods=_BOTH),
            Route("/confirm/{token}", partial(joining.confirm_page, site, pages), methods=_BOTH),
            Route("/embed", partial(joining.embed_page, site, pages)),
            Route("/settings", partial(links.settings_page, site, pages), methods=_BOTH),
            Route("/me/{token}", partial(own_data.own_page, site, pages), methods=_BOTH),
            Route("/issues", partial(archive.archive_page, site, pages)),
            Route("/issues/{number}", partial(archive.public_issue, site, pages)),
            Route("/issues/{number}/{language}", partial(archive.public_issue, site, pages)),
            Route("/feed.xml", partial(archive.feed, site)),
            Route("/sitemap.xml", partial(archive.sitemap, site)),
            Route("/v/{token}", partial(archive.viewed_issue, site, pages)),
            Route("/pictures/{name}", partial(archive.picture, site)),
            Route("/hooks/{provider}", partial(hooks.take, site), methods=["POST"]),
            Route("/health", partial(health.health, site)),
            Route("/metrics", partial(health.metrics, site, Gauges(site.database))),
            Route("/api/openapi.json", partial(api.describe, site)),
            Route("/api/v1/signups", partial(api.sign_up, site), methods=["POST"]),
            Route("/api/v1/unsubscribes", partial(api.unsubscribe, site), methods=["POST"]),
            Route("/api/v1/subscribers/show", partial(api.show_person, site), methods=["POST"]),
        ],
        exception_handlers={
            api.Refused: partial(_refused_by_api, site),
            HTTPException: partial(_refused, site, pages),
            LedgerFailed: partial(_ledger_failed, site, pages),
            ClientDisconnect: partial(_gone, site),
            Exception: partial(_bug, site),
        },
        lifespan=lifespan,
    )
    application.router.redirect_slashes = False  # one spelling of an address is valid
    return application


async def _refused_by_api(site: Site, _request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return json_answer(site, {"error": error.detail}, status=error.status_code, headers=error.headers)


async def _refused(site: Site, pages: Pages, request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if request.url.path.startswith("/api/"):
        return await _refused_by_api(site, request, error)
    if error.status_code == 404:
        return show(site, pages, request, "missing", status=404)
    return text_answer(site, error.detail, status=error.status_code, headers=error.headers)


async def _ledger_failed(site: Site, pages: Pages, request: Request, error: Exception) -> Response:
    """503, so that a mail provider tries its one-click POST again."""
    _log.error("%s", error)
    if request.url.path.startswith("/api/"):
        said = {"error": "the database cannot answer; try again later"}
        return json_answer(site, said, status=503, headers={"Retry-After": _RETRY_SECONDS})
    return show(site, pages, request, "later", status=503, headers={"Retry-After": _RETRY_SECONDS})


async def _gone(site: Site, _request: Request, _error: Exception) -> Response:
    """Nobody is there any more to read this."""
    return text_answer(site, "Bad Request", status=400)


async def _bug(site: Site, _request: Request, _error: Exception) -> Response:
    """Starlette raises the error again after this answer, and it ends up in the log."""
    return text_answer(site, "Internal Server Error", status=500)
