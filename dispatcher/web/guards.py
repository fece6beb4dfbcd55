"""Keeps forms for people: a token that says when a form was drawn, a field that only programs fill, and limits."""

from collections.abc import Mapping
from datetime import timedelta

from starlette.requests import Request

from dispatcher.storage.database import now
from dispatcher.tokens import read_form, sign_form
from dispatcher.web.limits import FORMS, Rate, network_of
from dispatcher.web.site import Site

_SOONEST, _LATEST = timedelta(seconds=2), timedelta(hours=2)
TRAP = "website"  # hidden from people; programs fill in whatever there is


def form_token(site: Site) -> str:
    return sign_form(site.keyring, now())


def draw_time(site: Site, fields: Mapping[str, str]) -> bool:
    """Whether the form was drawn here, and neither just now nor long ago."""
    drawn_at = read_form(site.keyring, fields.get("form", ""))
    return drawn_at is not None and _SOONEST <= now() - drawn_at <= _LATEST


def is_trapped(fields: Mapping[str, str]) -> bool:
    return bool(fields.get(TRAP))


def is_slow_down(site: Site, request: Request, rate: Rate = FORMS) -> bool:
    """Whether this visitor's network asks too often."""
    return not site.limits.allows(rate, network(request))


def network(request: Request) -> str:
    return network_of(request.client.host if request.client else None)
