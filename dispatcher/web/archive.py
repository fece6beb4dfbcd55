"""The newsletter's front page, its archive, and the pages of single issues; none of them names a reader."""

import re
from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from dispatcher.tokens import SAMPLE, read_view
from dispatcher.web.answers import issue_answer, picture_answer, show, xml_answer
from dispatcher.web.joining import join_form
from dispatcher.web.pages import Pages
from dispatcher.web.site import IssueLine, Site
from dispatcher.web.wording import language_for

_PICTURE = re.compile(r"[0-9a-f]{16,64}\.[a-z]{3,4}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")
_RECENT = 5


async def front_page(site: Site, pages: Pages, request: Request) -> Response:
    """What the newsletter is, how to get it, and its latest issues."""
    issues = _in_language(await run_in_threadpool(site.issues), _language(pages, request))
    return show(
        site, pages, request, "front",
        template="front.html", is_indexed=True, issues=issues[:_RECENT], has_more=len(issues) > _RECENT,
        form=join_form(site),
    )  # fmt: skip


async def archive_page(site: Site, pages: Pages, request: Request) -> Response:
    issues = _in_language(await run_in_threadpool(site.issues), _language(pages, request))
    return show(site, pages, request, "archive", template="archive.html", is_indexed=True, issues=issues)


async def viewed_issue(site: Site, pages: Pages, request: Request) -> Response:
    """An issue as the link in a message opens it."""
    text = request.path_params["token"]
    if text == SAMPLE:
        return show(site, pages, request, "unsent")
    token = read_view(site.keyring, text)
    html = None if token is None else await run_in_threadpool(site.issue_page, token.number, token.language)
    if html is None:
        raise HTTPException(404)
    return issue_answer(site, html, is_public=False)


async def public_issue(site: Site, pages: Pages, request: Request) -> Response:
    """An issue that has gone out; without a language in its address, in the one that the browser asks for."""
    number, language = request.path_params["number"], request.path_params.get("language")
    if not _NUMBER.fullmatch(number) or (language is not None and not _LANGUAGE.fullmatch(language)):
        raise HTTPException(404)
    if language is None:
        lines = [each for each in await run_in_threadpool(site.issues) if str(each.number) == number]
        language = next((each.language for each in _in_language(lines, _language(pages, request))), None)
    html = None if language is None else await run_in_threadpool(site.public_issue_page, int(number), language)
    if html is None:
        raise HTTPException(404)
    return issue_answer(site, html, is_public=True)


async def feed(site: Site, _request: Request) -> Response:
    atom = await run_in_threadpool(site.feed)
    if atom is None:
        raise HTTPException(404)
    return xml_answer(site, atom, "application/atom+xml")


async def sitemap(site: Site, _request: Request) -> Response:
    return xml_answer(site, await run_in_threadpool(site.sitemap), "application/xml")


async def picture(site: Site, request: Request) -> Response:
    name = request.path_params["name"]
    found = await run_in_threadpool(site.find_picture, name) if _PICTURE.fullmatch(name) else None
    if found is None:
        raise HTTPException(404)
    media_type, content = found
    return picture_answer(site, content, media_type)


def _in_language(lines: Sequence[IssueLine], language: str) -> list[IssueLine]:
    """One line for each issue: in this language where there is one, else in its first."""
    best: dict[int, IssueLine] = {}
    for each in lines:
        kept = best.get(each.number)
        if kept is None or (_speaks(each, language) and not _speaks(kept, language)):
            best[each.number] = each
    return list(best.values())


def _speaks(line: IssueLine, language: str) -> bool:
    return line.language.lower().partition("-")[0] == language


def _language(pages: Pages, request: Request) -> str:
    return language_for(pages.wording, None, request.headers.get("accept-language", ""))
