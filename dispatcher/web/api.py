"""A small JSON interface for other systems: sign-up, unsubscribe, show; each token does only what it has a right to."""

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import NoReturn

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from dispatcher.storage.api_tokens import Right, find_token
from dispatcher.storage.dossiers import dossier
from dispatcher.storage.memberships import leave
from dispatcher.storage.standing import Channel
from dispatcher.storage.subscribers import find_list
from dispatcher.web.answers import json_answer
from dispatcher.web.form import read_body
from dispatcher.web.guards import network
from dispatcher.web.joining import ask_for
from dispatcher.web.limits import API, GUESSES
from dispatcher.web.openapi import document
from dispatcher.web.site import Mailbox, Site

_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}")
_LONGEST_NAME = 200
_UNWANTED = {"Cc", "Cs", "Zl", "Zp"}  # what no mail header may carry, and half of a character


class Refused(HTTPException):
    """Answered as JSON, with what is wrong."""


async def describe(site: Site, _request: Request) -> Response:
    return json_answer(site, document(site.base_url, site.newsletter))


async def sign_up(site: Site, request: Request) -> Response:
    """Asks for an address to be put on a list: its owner is mailed a link, as by the form."""
    await require(site, request, Right.SUBSCRIBE)
    asked = await _json(request, {"email", "list", "language", "name"})
    mailbox = _mailbox(site, asked)
    list_name = asked.get("list", site.list_name)
    if list_name not in site.open_lists:
        _refuse(422, "list: no list of this name is open to sign-ups")
    language = asked.get("language", site.wording.default)
    if not _LANGUAGE.fullmatch(language):
        _refuse(422, "language: not a language tag such as en or zh-Hans")
    name = asked.get("name", "").strip() or None
    if name is not None and len(name) > _LONGEST_NAME:
        _refuse(422, f"name: at most {_LONGEST_NAME} characters")
    await run_in_threadpool(
        ask_for, site, mailbox, [list_name], language=language, channel=Channel.API, at=None, name=name
    )
    site.wake_letters()
    return json_answer(site, {"status": "a mail asks the owner of the address"}, status=202)


async def unsubscribe(site: Site, request: Request) -> Response:
    """Takes an address off one list, or off all; that it is not on any is no error."""
    await require(site, request, Right.UNSUBSCRIBE)
    asked = await _json(request, {"email", "list"})
    mailbox = _mailbox(site, asked)
    left = await run_in_threadpool(_take_off, site, mailbox, asked.get("list"))
    return json_answer(site, {"left": left})


async def show_person(site: Site, request: Request) -> Response:
    """Everything known about one address. It is asked for in a body: addresses in URLs end up in logs."""
    await require(site, request, Right.SHOW)
    mailbox = _mailbox(site, await _json(request, {"email"}))
    person = await run_in_threadpool(dossier, site.database, mailbox.key)
    if person is None:
        _refuse(404, "nobody has this address")
    return json_answer(site, json.loads(await run_in_threadpool(site.own_data, person)))


async def require(site: Site, request: Request, right: Right) -> None:
    """Raises Refused: 401 without a token that we know, 403 without the right, 429 for too many."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    where = network(request)
    if not site.limits.allows(API, where):
        _refuse(429, "too many requests; try again in a minute")
    token = await run_in_threadpool(find_token, site.database, text.strip()) if scheme.lower() == "bearer" else None
    if token is None:
        if not site.limits.allows(GUESSES, where):
            _refuse(429, "too many requests; try again in a minute")
        raise Refused(401, "a bearer token is needed", {"WWW-Authenticate": "Bearer"})
    if right not in token.rights:
        _refuse(403, f"this token has no right to {right}")


def _take_off(site: Site, mailbox: Mailbox, list_name: str | None) -> list[str]:
    person = dossier(site.database, mailbox.key)
    list_id = find_list(site.database, list_name) if list_name is not None else None
    if person is None or (list_name is not None and list_id is None):
        return []
    return list(leave(site.database, person.id, list_id=list_id, by=Channel.API).lists)


async def _json(request: Request, known: set[str]) -> Mapping[str, str]:
    """The fields of a JSON object, all of them text."""
    try:
        found = json.loads(await read_body(request))
    except (ValueError, RecursionError):
        _refuse(400, "the body is not JSON")
    if not isinstance(found, dict):
        _refuse(422, "the body is no JSON object")
    if unknown := sorted(found.keys() - known):
        _refuse(422, f"{unknown[0][:50]!a}: unknown field")  # it may hold half a character
    for name, value in found.items():
        if not isinstance(value, str):
            _refuse(422, f"{name}: not a text")
        if any(unicodedata.category(character) in _UNWANTED for character in value):
            _refuse(422, f"{name}: holds a control character")
    return found


def _mailbox(site: Site, asked: Mapping[str, str]) -> Mailbox:
    try:
        return site.read_mailbox(asked.get("email", ""))
    except ValueError as error:
        raise Refused(422, "email: not a complete address") from error


def _refuse(status: int, detail: str) -> NoReturn:
    raise Refused(status, detail)
