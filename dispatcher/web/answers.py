"""Builds every answer that leaves the site, closed to scripts, framing, caching and referrers."""

import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from dispatcher.web.pages import Pages, draw
from dispatcher.web.site import Site
from dispatcher.web.wording import language_for

_CLOSED = "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
_KEPT = "public, max-age=31536000, immutable"  # a picture's name is its content's hash


def show(
    site: Site,
    pages: Pages,
    request: Request,
    name: str,
    facts: Mapping[str, str] | None = None,
    *,
    reader: str | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    is_indexed: bool = False,
    template: str = "page.html",
    **shown: object,
) -> Response:
    """A page in the reader's language, or the one that his browser asks for."""
    language = language_for(pages.wording, reader, request.headers.get("accept-language", ""))
    html = draw(pages, language, name, facts, template=template, **shown)
    policy = f"{_CLOSED}; style-src '{pages.styles[language].hash}'"
    return _answer(site, html, "text/html", policy=policy, status=status, headers=headers, is_indexed=is_indexed)


def text_answer(site: Site, text: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return _answer(site, text + "\n", "text/plain", status=status, headers=headers)


def json_answer(
    site: Site, content: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    text = json.dumps(content, ensure_ascii=False) + "\n"
    return _answer(site, text, "application/json", status=status, headers=headers)


def file_answer(site: Site, content: str, media_type: str, name: str) -> Response:
    """Something to keep, which no browser opens as a page of ours."""
    return _answer(site, content, media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def metrics_answer(site: Site, text: str) -> Response:
    return _answer(site, text, "text/plain; version=0.0.4; charset=utf-8")


def issue_answer(site: Site, html: str, *, is_public: bool) -> Response:
    """An issue's HTML has its styles in its tags, and its pictures at `base_url`, whatever host this was asked of."""
    base = urlsplit(site.base_url)
    policy = f"{_CLOSED}; style-src 'unsafe-inline'; img-src 'self' {base.scheme}://{base.netloc}"
    return _answer(site, html, "text/html", policy=policy, is_indexed=is_public)


def xml_answer(site: Site, content: str, media_type: str) -> Response:
    """For programs that look for what is new."""
    return _answer(site, content, media_type, is_indexed=True)


def picture_answer(site: Site, content: bytes, media_type: str) -> Response:
    return _answer(site, content, media_type, kept=_KEPT, is_indexed=True)


def _answer(
    site: Site,
    content: str | bytes,
    media_type: str,
    *,
    policy: str = _CLOSED,
    kept: str = "no-store",
    is_indexed: bool = False,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    response = Response(content, status_code=status, media_type=media_type, headers=dict(headers or {}))
    response.headers["Content-Security-Policy"] = policy
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"  # the address holds a token
    response.headers["Cache-Control"] = kept
    if not is_indexed:
        response.headers["X-Robots-Tag"] = "noindex"
    if site.is_https:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    return response
