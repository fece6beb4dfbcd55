"""The preview's pages: one page on loopback that shows an issue as readers will see it, and follows each save."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import resources

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dispatcher.desk.findings import as_plain
from dispatcher.errors import DispatcherError, Finding, InputWrong

# The framed mail inherits this, so that it reaches nothing but the pictures of the issue.
_POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self'; connect-src 'self';"
    " frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_DARK = re.compile(r"@media\s*\(prefers-color-scheme:\s*dark\)")
_STYLES = re.compile(r"<style\b.*?</style>", re.DOTALL | re.IGNORECASE)
_PICTURE = re.compile(r"(<img\b[^>]*?)\ssrc=(\"[^\"]*\"|'[^']*')")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the editor looks at."""

    language: str | None
    reader: str | None  # an address; None: nobody in particular


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What stands beside the picture, and can come a moment after it."""

    message: bytes
    sources: Mapping[str, str]  # file: its text
    decoded: int  # bytes of HTML
    travels: int  # the same, encoded
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An edition as one reader gets it."""

    number: int
    language: str
    languages: tuple[str, ...]
    subject: str
    preheader: str
    html: str
    text: str
    details: Callable[[], Details] = field(repr=False)
    pictures: Mapping[str, tuple[str, bytes]] = field(repr=False)  # name: media type, content


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """Where the pages get what they show; both functions raise DispatcherError."""

    show: Callable[[Wanted], Shown]
    find: Callable[[], tuple[Finding, ...]]
    readers: Callable[[], list[str]]
    changes: Callable[[], AsyncIterator[None]]  # yields after each save


def make_preview(views: Views) -> Starlette:
    """The application."""
    routes = [
        Route("/", partial(_asset, "preview.html", "text/html")),
        Route("/preview.css", partial(_asset, "preview.css", "text/css")),
        Route("/preview.js", partial(_asset, "preview.js", "text/javascript")),
        Route("/mail", partial(_mail, views)),
        Route("/facts", partial(_facts, views)),
        Route("/findings", partial(_findings, views)),
        Route("/readers", partial(_readers, views)),
        Route("/issue.eml", partial(_message, views)),
        Route("/pictures/{name}", partial(_picture, views)),
        Route("/changes", partial(_changes, views)),
        Route("/favicon.ico", _nothing),
    ]
    only_here = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])
    return Starlette(routes=routes, middleware=[only_here, Middleware(_Guarded)])


class _Guarded:
    """Adds to every answer what keeps it between this browser and this program."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = _POLICY
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, guarded)


def as_seen(html: str, way: str) -> str:
    """The mail as a program of a kind shows it: `desktop`, `phone`, `dark`, `pictureless` or `styleless`.

    The dark rules hold whatever the browser's own scheme is, or never.
    """
    if way == "styleless":
        return _STYLES.sub("", html)
    if way == "pictureless":
        html = _PICTURE.sub(r"\1", html)
    return _DARK.sub("@media all" if way == "dark" else "@media not all", html)


async def _asset(name: str, media_type: str, _request: Request) -> Response:
    text = (resources.files("dispatcher.desk") / "pages" / name).read_text(encoding="utf-8")
    return Response(text, media_type=media_type)


async def _mail(views: Views, request: Request) -> Response:
    try:
        shown = await run_in_threadpool(views.show, _wanted(request))
    except DispatcherError as error:
        return _wrong(error)
    way = request.query_params.get("way", "desktop")
    return Response(as_seen(shown.html, way), media_type="text/html; charset=utf-8")


async def _facts(views: Views, request: Request) -> Response:
    try:
        shown = await run_in_threadpool(views.show, _wanted(request))
        details = await run_in_threadpool(shown.details)
    except DispatcherError as error:
        return _wrong(error)
    return JSONResponse(
        {
            "number": shown.number,
            "language": shown.language,
            "languages": shown.languages,
            "subject": shown.subject,
            "preheader": shown.preheader,
            "text": shown.text,
            "html": shown.html,
            "headers": details.message.split(b"\r\n\r\n", 1)[0].decode(errors="replace").replace("\r\n", "\n"),
            "sources": dict(details.sources),
            "decoded": details.decoded,
            "travels": details.travels,
            "limit": details.limit,
        }
    )


async def _findings(views: Views, _request: Request) -> Response:
    try:
        found = await run_in_threadpool(views.find)
    except DispatcherError as error:
        return _wrong(error)
    return JSONResponse([as_plain(each) for each in found])


async def _readers(views: Views, _request: Request) -> Response:
    return JSONResponse(await run_in_threadpool(views.readers))


async def _message(views: Views, request: Request) -> Response:
    try:
        shown = await run_in_threadpool(views.show, _wanted(request))
        details = await run_in_threadpool(shown.details)
    except DispatcherError as error:
        return _wrong(error)
    name = f"issue-{shown.number}-{shown.language}.eml"
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(details.message, media_type="message/rfc822", headers=disposition)


async def _picture(views: Views, request: Request) -> Response:
    try:
        shown = await run_in_threadpool(views.show, _wanted(request))
    except DispatcherError:
        return PlainTextResponse("", status_code=404)
    found = shown.pictures.get(request.path_params["name"])
    if not found:
        return PlainTextResponse("", status_code=404)
    kept = {"Cache-Control": "private, max-age=86400, immutable"}  # a picture is named after its content
    return Response(found[1], media_type=found[0], headers=kept)


async def _changes(views: Views, _request: Request) -> Response:
    async def events() -> AsyncIterator[str]:
        yield "retry: 500\n\n"
        async for _ in views.changes():
            yield "data: saved\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


async def _nothing(_request: Request) -> Response:
    return Response(status_code=204)


def _wanted(request: Request) -> Wanted:
    return Wanted(
        language=request.query_params.get("language") or None, reader=request.query_params.get("reader") or None
    )


def _wrong(error: DispatcherError) -> Response:
    """What the editor has to put right, over the last good picture."""
    faults = error.faults if isinstance(error, InputWrong) else ()
    told = [{"path": each.path, "line": each.line, "message": str(each)} for each in faults]
    return JSONResponse(told or [{"path": "", "line": None, "message": str(error)}], status_code=422)


class Changes:
    """Tells every open page of each save."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()

    def tell(self) -> None:
        for each in self._waiting:
            each.set()

    async def follow(self) -> AsyncIterator[None]:
        saved = asyncio.Event()
        self._waiting.add(saved)
        try:
            while True:
                await saved.wait()
                saved.clear()
                yield
        finally:
            self._waiting.discard(saved)
