"""The last evening before the first issue, from an empty folder to the archive, as somebody new here plays it."""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dispatcher.cli import main as cli
from tests.newsletter import Newsletter
from tests.sink import Sink

SETTINGS = """\
[tool.dispatcher]
name = "Kettles"
from = "Kettles <kettles@example.org>"
postal_address = "1 Example Street, 12345 Exampletown"
base_url = "https://kettles.example.org"
relay = "{relay}"
list = "readers"
"""
STORY = "Two or three sentences of the article, or your own on why it matters."
MEND = "It boils at about one hundred degrees, and a little lower on a mountain."


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    with Sink(tmp_path / "sink") as sink:
        yield sink


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1100, "height": 800})
    yield context.new_page()
    context.close()


@dataclass(frozen=True, slots=True)
class Player:
    """An editor in the newsletter's folder; what sends, and what stays running, is a program of its own."""

    newsletter: Newsletter
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def dispatcher(self, *words: str, code: int = 0) -> str:
        """In this process: a program of its own would cost a second each time."""
        self.monkeypatch.setattr(sys, "argv", ["dispatcher", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = self.capsys.readouterr()
        assert end.value.code == code, said
        return said.out + said.err

    def send(self, *options: str, code: int = 0) -> str:
        return self.newsletter.expect(code, "send-issue", "1", *options)

    def rewrite(self, old: str, new: str) -> None:
        self.newsletter.replace("issues/1/issue.md", old, new)


def test_the_whole_evening(
    tmp_path: Path, sink: Sink, tab: Page, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "kettles"
    player = Player(Newsletter(folder), monkeypatch, capsys)
    assert f"next: cd {folder}, edit pyproject.toml, then: dispatcher new" in player.dispatcher("init", str(folder))
    monkeypatch.chdir(folder)
    player.newsletter.write("pyproject.toml", SETTINGS.format(relay=sink.url))
    domains = ("example.com", "example.net", "example.org")
    player.newsletter.write_readers([[f"reader{n}@{domains[n % 3]}", f"Reader {n}", ""] for n in range(500)])
    player.newsletter.write_readers([["stan@example.com", "Stan", ""]], name="staging")
    write_and_check(player)
    look_at_it_and_mend_it(player, tab)
    stage_rehearse_and_send(player)
    read_the_report(player, tab)
    put_it_into_the_archive(player, tab)
    assert sink.copies.total() == 502


def write_and_check(player: Player) -> None:
    assert player.dispatcher("new").strip().endswith("issues/1/issue.md")
    assert player.dispatcher("check", "1") == "nothing to object to\n"
    player.rewrite(STORY, "![A kettle](img/kettle.png)")
    found = player.dispatcher("check", "1", code=65)
    assert re.search(r"issues/1/issue.md:\d+: .*img/kettle.png is missing", found)
    player.rewrite("![A kettle](img/kettle.png)", STORY)


def look_at_it_and_mend_it(player: Player, tab: Page) -> None:
    preview = player.newsletter.start("dispatcher", "preview", "1", "--port", "0")
    try:
        tab.goto(look_for(r"http://127\.0\.0\.1:\d+", player.newsletter, tab))
        mail = tab.frame_locator("#frames iframe")
        expect(mail.locator("body")).to_contain_text(STORY)
        player.rewrite(STORY, MEND)
        expect(mail.locator("body")).to_contain_text(MEND)
    finally:
        preview.terminate()
    assert preview.wait(30) == 0


def stage_rehearse_and_send(player: Player) -> None:
    assert "issue 1: 1 sent" in player.send("--staging")
    player.rewrite("one hundred degrees", "100 degrees")
    refused = player.send("--yes", code=77)
    assert "issue 1 as it is now has reached no staging reader over a relay (en)" in refused
    assert "run: send-issue 1 --staging" in refused
    assert "100 degrees" in player.dispatcher("diff", "1")
    player.send("--staging")
    rehearsal = player.send("--dry-run")
    assert "dry run: issue 1 to readers: 500 messages (500 en), nobody is mailed" in rehearsal
    assert "expected time: 50 s, at 10 a second, a guess until the first issue has gone out" in rehearsal
    assert "issue 1: 500 sent" in player.send("--yes")


def read_the_report(player: Player, tab: Page) -> None:
    assert re.search(r"^1 +live .* 500 sent$", player.dispatcher("status"), re.MULTILINE)
    assert "issue 1 (live): 500 readers: 500 sent" in player.dispatcher("report", "1")
    assert "sent: the relay took" in player.dispatcher("why", "reader7@example.net", "1")
    player.dispatcher("audit", "1")
    player.dispatcher("report", "1", "--html", "report.html")
    tab.goto((player.newsletter.folder / "report.html").as_uri())
    expect(tab.locator("dl")).to_contain_text("500")
    assert json.loads(player.newsletter.read("issues/1/receipt.json"))["counts"] == {"sent": 500}


def put_it_into_the_archive(player: Player, tab: Page) -> None:
    player.dispatcher("archive", "--out", "site")
    tab.goto((player.newsletter.folder / "site/index.html").as_uri())
    tab.get_by_role("link", name="Kettles, issue 1").click()
    expect(tab.locator("body")).to_contain_text("100 degrees")


def look_for(pattern: str, evening: Newsletter, tab: Page) -> str:
    """What a started program said, once it has."""
    for _ in range(600):
        if found := re.search(pattern, evening.said("dispatcher")):
            return found[0]
        tab.wait_for_timeout(50)
    raise AssertionError(evening.said("dispatcher"))
