"""The report as a page with plots, and `why`: what an editor reads the morning after."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from typer.testing import CliRunner

from dispatcher.cli.main import app
from dispatcher.storage.database import open_database
from tests.axe import objections
from tests.newsletter import ANN, BOB, DAN, EVE, Newsletter
from tests.relay import Relay

BAD_NAME = "550 5.1.1 <script>alert(1)</script> unknown here"


@pytest.fixture
def sent(live: Newsletter, relay: Relay) -> Newsletter:
    """Issue 29, sent: Dan is refused, Eve in doubt."""
    relay.reply("rcpt", BAD_NAME, to=DAN)
    relay.close("dot", to=EVE, kept=True)
    live.replace("pyproject.toml", "require_staging = false", "require_staging = true")
    live.send("--yes", "--patience", "0", "--force", "the printer waits", code=76)
    return live


def run(newsletter: Newsletter, *command: str) -> str:
    result = CliRunner().invoke(app, ["-C", str(newsletter.folder), *command])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 375, "height": 800})
    yield context.new_page()
    context.close()


def test_the_page_tells_all_needs_nothing_else_and_axe_finds_nothing(
    sent: Newsletter, tab: Page, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    run(sent, "report", "29", "--html", str(path))
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(path.as_uri())
    words = tab.inner_text("main")
    assert words.index("In doubt") < words.index("sent")
    assert EVE in words
    assert "Sent without staging: the printer waits" in words
    assert BAD_NAME in words
    assert tab.locator("svg").count() in {1, 2}  # the second, if the send went on into another second
    assert asked == [path.as_uri()]
    assert tab.evaluate("document.documentElement.scrollWidth") <= 375
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        found = objections(tab)
        assert [each["id"] for each in found if each["impact"] in {"serious", "critical"}] == []


def test_the_page_shows_how_the_list_has_grown(sent: Newsletter, tmp_path: Path) -> None:
    database = open_database("sqlite:///dispatcher.db", sent.folder)
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE event SET at = '2026-01-15T09:00:00.000000+00:00' WHERE id < 3")
    database.close()
    path = tmp_path / "report.html"
    run(sent, "report", "29", "--html", str(path))
    assert "The list readers, month by month" in path.read_text(encoding="utf-8")


def test_why_tells_a_readers_whole_story(sent: Newsletter) -> None:
    assert re.match(rf"{ANN}: sent: the relay took .*\n  issue 29 \(live\), to readers, in the edition en\n",
                    run(sent, "why", ANN, "29"))  # fmt: skip
    refused = run(sent, "why", DAN, "29")
    assert "refused: the relay refused his copy for good" in refused
    assert "answered" in refused
    assert BAD_NAME in refused
    assert "in doubt: the relay may have taken his copy, or not" in run(sent, "why", EVE, "29")
    sent.write("issues/30/issue.md", "# Thirty\n\nHello.\n")
    assert "issue 30 has not been sent" in run(sent, "why", ANN, "30")


def test_why_tells_of_who_has_no_copy(sent: Newsletter) -> None:
    run(sent, "subscribers", "add", "new@example.com", "--list", "readers")
    assert "he joined after it was sent" in run(sent, "why", "new@example.com", "29")
    run(sent, "subscribers", "unsubscribe", "new@example.com")
    assert "he is on no list now" in run(sent, "why", "new@example.com", "29")
    assert BOB.split("@")[0] in run(sent, "why", BOB, "29")
