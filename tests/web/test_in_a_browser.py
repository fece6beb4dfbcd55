"""The readers' pages in a real browser: from sign-up to erasure, without scripts, on a phone, in the dark, in Chinese.

`python -m pytest tests/web/test_in_a_browser.py --basetemp=DIR` leaves a picture of every page in DIR.
"""

import re
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.axe import objections
from tests.newsletter import Newsletter, text_of

ACCESSIBLE = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

CROWD = 60


@dataclass(frozen=True, slots=True)
class Served:
    """A newsletter whose issue 29 went out, and its pages on a port."""

    newsletter: Newsletter
    base: str

    def mails_to(self, address: str) -> list[str]:
        """The texts of the mails in which this address stands."""
        found = (
            path for path in (self.newsletter.folder / "outbox/new").iterdir() if address in path.read_text("utf-8")
        )
        return [text_of(parsed(path)) for path in sorted(found, key=lambda path: path.stat().st_mtime_ns)]

    def link_to(self, address: str, room: str) -> str:
        """The link of this kind in the newest mail to an address, once it has come."""
        for _ in range(200):
            links = [link for text in self.mails_to(address) for link in re.findall(rf"http\S+/{room}/\S+", text)]
            if links:
                return str(links[-1])
            self.wait()
        raise AssertionError(f"no {room} link came to {address}")

    @staticmethod
    def wait() -> None:
        subprocess.run(["sleep", "0.05"], check=True)

    def state(self) -> list[object]:
        """Everything that is remembered about anybody."""
        with sqlite3.connect(self.newsletter.folder / "dispatcher.db") as connection:
            tables = ("subscriber", "membership", "event", "suppression", "signup", "letter", "delivery")
            found = [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]  # noqa: S608
        connection.close()
        return list(found)


def parsed(path: Path) -> EmailMessage:
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    newsletter = Newsletter.make(tmp_path_factory.mktemp("letter"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    newsletter.env["DISPATCHER_BASE_URL"] = base
    newsletter.replace("pyproject.toml", 'list = "readers"', 'list = "readers"\nopen_lists = ["readers", "events"]')
    crowd = [[f"reader{number}@example.com", f"Reader {number}", ("", "zh")[number % 2]] for number in range(CROWD)]
    newsletter.write_readers(crowd)
    newsletter.expect(0, "send-issue", "29")
    server = newsletter.start("dispatcher", "serve", "--port", str(port))
    try:
        newsletter.wait_for_port(port, server)
        yield Served(newsletter, base)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)
    assert "Traceback" not in newsletter.said("dispatcher")


PHONE = {"width": 375, "height": 740}
LOOKS = {
    "desktop": {"viewport": {"width": 1100, "height": 800}},
    "phone in the dark": {"viewport": PHONE, "color_scheme": "dark", "is_mobile": True},
    "phone in Chinese": {"viewport": PHONE, "locale": "zh-CN", "is_mobile": True},
}


@pytest.mark.parametrize("look", LOOKS)
def test_from_sign_up_to_erasure_without_a_script(served: Served, browser: Browser, look: str, tmp_path: Path) -> None:
    address = f"mia.{list(LOOKS).index(look)}@example.net"
    context = browser.new_context(java_script_enabled=False, **LOOKS[look])  # type: ignore[arg-type]
    page = context.new_page()
    seen = 0

    def keep(name: str) -> None:
        nonlocal seen
        seen += 1
        page.screenshot(path=tmp_path / f"{seen:02} {name}.png", full_page=True)
        assert fits(page), f"{name} is wider than the screen"

    page.goto(served.base)
    keep("front")
    page.locator('input[name="email"]').first.fill(address)
    page.locator('input[name="list1"]').uncheck()
    page.locator("button.push").first.click()
    if page.locator("button.push").count():  # a person needs longer than two seconds, and so may this machine
        keep("once more")
        page.wait_for_timeout(2_100)
        page.locator("button.push").first.click()
    keep("look into your mailbox")
    page.goto(served.link_to(address, "confirm"))
    keep("confirm")
    page.locator("button.push").click()
    keep("welcome")
    page.goto(f"{served.base}/settings")
    keep("ask for the settings")
    page.locator('input[name="email"]').fill(address)
    page.wait_for_timeout(2_100)
    page.locator("button.push").click()
    own = served.link_to(address, "me")
    page.goto(own)
    keep("settings")
    assert page.locator('input[name="list1"]').is_checked()  # readers, behind events
    assert not page.locator('input[name="tracking"]').is_checked()
    page.locator('input[name="list0"]').check()
    page.locator('select[name="pause"]').select_option("2")
    page.locator("button.push").click()
    keep("saved")
    assert page.locator('input[name="list0"]').is_checked()
    with page.expect_download() as download:
        page.locator('button[value="download"]').click()
    assert address in Path(download.value.path()).read_text("utf-8")
    page.locator('button[value="erase"]').click()
    keep("erase")
    page.locator('button[value="erase-surely"]').click()
    keep("erased")
    context.close()
    rows = str(served.state())
    assert address not in rows


def fits(page: Page) -> bool:
    width = page.viewport_size["width"] if page.viewport_size else 0
    box = page.locator("main").bounding_box()
    return box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_can_be_used_by_everybody(served: Served, browser: Browser, look: str, tmp_path: Path) -> None:
    leave = served.link_to("reader2@example.com", "u")
    context = browser.new_context(**LOOKS[look], bypass_csp=True)  # type: ignore[arg-type]
    page = context.new_page()
    paths = ("/", "/subscribe", "/settings", "/issues", "/embed", "/u/sample", "/nothing")
    for number, path in enumerate([*(served.base + each for each in paths), leave]):
        page.goto(path)
        page.screenshot(path=tmp_path / f"{number}.png", full_page=True)
        assert fits(page), path
        assert objections(page, runOnly=ACCESSIBLE) == [], path
    context.close()


def test_a_program_that_follows_every_link_and_runs_every_script_changes_nothing(
    served: Served, browser: Browser
) -> None:
    texts = [text_of(parsed(path)) for path in (served.newsletter.folder / "outbox/new").glob("i29.*")]
    links = {link.rstrip(">),.") for text in texts for link in re.findall(rf"{served.base}\S+", text)}
    assert len([link for link in links if "/u/" in link]) == CROWD
    before = served.state()
    context = browser.new_context()
    page = context.new_page()
    for link in sorted(links):
        page.goto(link, wait_until="load")
    for link in sorted(links)[:20]:
        for method in ("HEAD", "OPTIONS"):
            context.request.fetch(link, method=method)
        context.request.get(link, headers={"Sec-Purpose": "prefetch;prerender", "Purpose": "prefetch"})
    context.close()
    assert served.state() == before
