"""Mails readers the links that only they may have: one answer for everybody, whether we know the address or not."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from dispatcher.storage.database import now
from dispatcher.storage.letters import ONE_DAY, LetterKind, has_had_one, queue
from dispatcher.storage.readers import find_subscriber
from dispatcher.web.answers import show
from dispatcher.web.form import form_fields
from dispatcher.web.guards import draw_time, form_token, is_slow_down, is_trapped
from dispatcher.web.pages import Pages
from dispatcher.web.site import Mailbox, Site
from dispatcher.web.wording import language_for


async def settings_page(site: Site, pages: Pages, request: Request) -> Response:
    """GET shows a form, POST mails the link to whom we know; it says the same to all."""
    if request.method != "POST":
        return _form(site, pages, request)
    if is_slow_down(site, request):
        return show(site, pages, request, "wait", status=429, headers={"Retry-After": "60"})
    fields = await form_fields(request)
    try:
        mailbox = site.read_mailbox(fields.get("email", ""))
    except ValueError:
        return _form(site, pages, request, email=fields.get("email", ""), problem="not_an_address")
    if not draw_time(site, fields):
        return _form(site, pages, request, email=mailbox.email, problem="again")
    if not is_trapped(fields):
        language = language_for(pages.wording, None, request.headers.get("accept-language", ""))
        await run_in_threadpool(_queue, site, mailbox, language)
        site.wake_letters()
    return show(site, pages, request, "mailed")


def _queue(site: Site, mailbox: Mailbox, language: str) -> None:
    """One a day to one address; every visit writes one row, so that all take as long."""
    person = find_subscriber(site.database, mailbox.key)
    spoken = language_for(site.wording, person.language if person else None, language)
    with site.database.writing() as connection:
        is_known = person is not None
        had = has_had_one(connection, mailbox.key, [LetterKind.DATA], now() - ONE_DAY)
        queue(
            connection,
            LetterKind.DATA,
            email=mailbox.email if is_known and not had else "",
            address_key=mailbox.key if is_known and not had else "",
            language=spoken,
            subscriber_id=person.id if person is not None and not had else None,
            is_withheld=not is_known or had,
        )


def _form(site: Site, pages: Pages, request: Request, *, email: str = "", problem: str | None = None) -> Response:
    return show(
        site,
        pages,
        request,
        "settings_ask",
        template="settings_ask.html",
        email=email,
        problem=problem,
        token=form_token(site),
    )
