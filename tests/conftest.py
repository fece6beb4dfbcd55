"""What the tests share: a newsletter, a relay, a real Postfix, a browser."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from playwright.sync_api import Browser, sync_playwright

from tests.newsletter import Newsletter
from tests.relay import Relay
from tests.servers.cell import absent
from tests.servers.postfix import Postfix, start_postfix


@pytest.fixture
def newsletter(tmp_path: Path) -> Newsletter:
    """A small newsletter: issue 29 in two languages, the standing cast on its list."""
    folder = tmp_path / "letter"
    folder.mkdir()
    return Newsletter.make(folder)


@pytest.fixture
def relay() -> Iterator[Relay]:
    """A relay without TLS that says yes to everything until it is told otherwise."""
    with Relay() as relay:
        yield relay


@pytest.fixture
def live(newsletter: Newsletter, relay: Relay) -> Newsletter:
    """The newsletter, sending over the relay."""
    newsletter.send_over(relay)
    return newsletter


@pytest.fixture
def spamassassin() -> None:
    """A test that asks for it needs the filter on this machine."""
    if shutil.which("spamassassin") is None:
        absent("spamassassin")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser; a test opens pages of its own. It ends with its module: Playwright occupies the event loop."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or absent("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--font-render-hinting=none"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Who vouches for the servers of the tests."""
    return trustme.CA()


@pytest.fixture(scope="session")
def postfix(authority: trustme.CA) -> Iterator[Postfix]:
    """A real Postfix on free loopback ports; each test process has its own, with its own queue."""
    with start_postfix(authority) as postfix:
        yield postfix
