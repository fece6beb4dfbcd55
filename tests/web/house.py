"""A site with its database, and the people in it, asked in process."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlencode

from sqlalchemy import text
from starlette.types import ASGIApp

from dispatcher.audience.people import add_person
from dispatcher.recipes.site import read_mailbox
from dispatcher.storage.database import Database, now
from dispatcher.storage.dossiers import dossier
from dispatcher.storage.readers import find_subscriber
from dispatcher.storage.subscribers import find_list
from dispatcher.tokens import (
    ConfirmToken,
    DataToken,
    Keyring,
    LeaveToken,
    sign_confirm,
    sign_data,
    sign_form,
    sign_leave,
)
from dispatcher.web.app import make_site
from dispatcher.web.limits import Limits
from dispatcher.web.site import IssueLine, Site
from dispatcher.web.wording import read_wording
from tests.storage.books import SQLITE, keys, open_at
from tests.web.visitor import FORM, Answer, ask

ANN, BOB, WANG_FANG = "ann@example.org", "bob@example.org", "wangfang@example.org"
PNG = "0123456789abcdef0123.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A site with its database: Ann reads English on one list, Bob is on two, 王芳 reads Chinese."""

    site: Site
    application: ASGIApp

    @property
    def database(self) -> Database:
        return self.site.database

    def link(self, address: str, list_name: str = "readers") -> str:
        return f"/u/{self.token(address, list_name)}"

    def token(self, address: str, list_name: str = "readers") -> str:
        reader, list_id = find_subscriber(self.database, address), find_list(self.database, list_name)
        assert reader is not None
        assert list_id is not None
        return sign_leave(self.site.keyring, LeaveToken(subscriber_id=reader.id, ref=reader.ref, list_id=list_id))

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        kind: str = "",
        language: str = "",
        client: str = "127.0.0.1",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        return ask(self.application, method, path, body, kind=kind, language=language, client=client, headers=headers)

    def post(self, path: str, body: bytes) -> Answer:
        return self.ask("POST", path, body, kind=FORM)

    def fill_in(self, path: str, *, client: str = "127.0.0.1", drawn: float = 5, **fields: str) -> Answer:
        """Posts a form that was drawn so many seconds ago."""
        token = sign_form(self.site.keyring, now() - timedelta(seconds=drawn))
        body = urlencode({"form": token, **fields}).encode()
        return self.ask("POST", path, body, kind=FORM, client=client)

    def mails(self, address: str | None = None) -> list[str]:
        """The kinds of small mails that wait for an address, or for all."""
        with self.database.reading() as connection:
            rows = connection.exec_driver_sql("SELECT kind, email FROM letter WHERE state = 'queued' ORDER BY id").all()
        return [row.kind for row in rows if address in {None, row.email}]

    def confirmation(self, address: str) -> str:
        """The newest link that asks the owner of an address."""
        with self.database.reading() as connection:
            query = text("SELECT id, ref FROM signup WHERE email = :address ORDER BY id DESC")
            row = connection.execute(query, {"address": address}).first()
        assert row is not None
        token = ConfirmToken(signup_id=row.id, ref=row.ref, expires_at=now() + timedelta(days=1))
        return f"/confirm/{sign_confirm(self.site.keyring, token)}"

    def own_page(self, address: str, *, lasts: timedelta = timedelta(hours=1)) -> str:
        """The link to somebody's own data."""
        reader = find_subscriber(self.database, address)
        assert reader is not None
        token = DataToken(subscriber_id=reader.id, ref=reader.ref, expires_at=now() + lasts)
        return f"/me/{sign_data(self.site.keyring, token)}"

    def lists_of(self, address: str) -> set[str]:
        person = dossier(self.database, address)
        assert person is not None
        return {each.list_name for each in person.memberships if each.state == "active"}

    def everyone(self) -> list[object]:
        """All that is remembered about anybody."""
        return [dossier(self.database, address) for address in (ANN, BOB, WANG_FANG)]


def build(folder: Path, url: str = SQLITE, **changes: object) -> House:
    database = open_at(folder, url)
    for address, name, language, lists in (
        (ANN, "Ann", "en", ["readers"]),
        (BOB, "Bob", None, ["readers", "events"]),
        (WANG_FANG, "王芳", "zh", ["readers"]),
    ):
        for each in lists:
            add_person(database, keys(database), address, each, name=name, language=language, attributes={})
    site = replace(site_over(database), **changes)  # type: ignore[arg-type]
    return House(site=site, application=make_site(site))


def site_over(database: Database) -> Site:
    return Site(
        database=database,
        keyring=Keyring(secrets=("s" * 32,), instance=database.instance),
        newsletter="Test Letter",
        wording=read_wording("en", {}),
        postal_address="1 Example Street",
        base_url="http://127.0.0.1:8029",
        list_name="readers",
        open_lists=("readers",),
        issue_page=issue_page,
        public_issue_page=lambda number, language: issue_page(number, language) if number == 29 else None,
        issues=lambda: [IssueLine(number=29, title="The 29th", sent_on=date(2026, 11, 25), language="en")],
        feed=lambda: "<feed/>",
        sitemap=lambda: "<urlset/>",
        find_picture=lambda name: ("image/png", b"\x89PNG") if name == PNG else None,
        read_mailbox=read_mailbox,
        own_data=lambda person: json.dumps({"email": person.email}),
        wake_letters=lambda: None,
        take_hook=lambda _provider, _headers, _body: 404,
        limits=Limits(),
    )


def issue_page(number: int, language: str) -> str | None:
    return f"<p>Issue {number}" if number in {29, 30} and language == "en" else None
