"""The static archive: every page of it in a browser, its feed, and that it holds nobody's data."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest
from playwright.sync_api import Browser, Page

from dispatcher.config import Settings, load_settings
from dispatcher.errors import InputWrong, NotFound
from dispatcher.recipes.archive import archive
from dispatcher.recipes.newsletter import open_newsletter
from dispatcher.recipes.site import site_of
from tests.axe import objections
from tests.checking.desk import GOOD, SETTINGS, Desk
from tests.newsletter import Newsletter

ATOM = {"": "http://www.w3.org/2005/Atom"}
RECEIPT = {
    "issue": 2,
    "first_handed_over_at": "2026-11-25T09:00:00+00:00",
    "editions": {"en": "0" * 64, "zh": "0" * 64},
    "counts": {"sent": 3},
}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk.lay(tmp_path / "letter")
    desk.write("issues/2/receipt.json", json.dumps(RECEIPT))
    desk.write("issues/2/issue.zh.md", GOOD.replace("Kettles of the week", "本周水壶"))
    desk.write("issues/3/issue.md", "# Not sent yet\n\nWait.\n")
    return desk


def build(desk: Desk, *, with_unsent: bool = False) -> Path:
    out = desk.folder.parent / "site"
    archive(Settings(folder=desk.folder, **SETTINGS), out, with_unsent=with_unsent)  # type: ignore[arg-type]
    return out


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 375, "height": 800})
    yield context.new_page()
    context.close()


def test_every_page_opens_from_the_front_page_and_axe_finds_nothing(desk: Desk, tab: Page) -> None:
    site = build(desk)
    failed: list[str] = []
    tab.on("requestfailed", lambda request: failed.append(request.url))
    waiting, seen = [(site / "index.html").as_uri()], set()
    while waiting:
        url = waiting.pop()
        seen.add(url)
        tab.goto(url)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 375
        for scheme in ("light", "dark"):
            tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            found = objections(tab)
            assert [each["id"] for each in found if each["impact"] in {"serious", "critical"}] == []
        links = tab.evaluate("[...document.links].map(link => link.href)")
        waiting += [each for each in links if each.endswith(".html") and each not in {*seen, *waiting}]
    assert {urlsplit(each).path.removeprefix(site.as_posix()) for each in seen} == {
        "/index.html", "/issues/2/en/index.html", "/issues/2/zh/index.html",
    }  # fmt: skip
    assert failed == []


def test_axe_finds_nothing_on_the_page_that_is_served_either(live: Newsletter, tab: Page) -> None:
    live.send()
    live.replace("issues/29/issue.md", "date:", "corrected: 2026-12-01\ncorrection: It was a samovar.\ndate:")
    with open_newsletter(load_settings(live.folder, environment={})) as newsletter:
        tab.set_content(site_of(newsletter).public_issue_page(29, "en") or "")
    assert "It was a samovar." in tab.inner_text("body")
    found = objections(tab)
    assert [each["id"] for each in found if each["impact"] in {"serious", "critical"}] == []


def test_only_what_has_been_sent_is_shown_unless_asked(desk: Desk) -> None:
    assert "Not sent yet" not in (build(desk) / "index.html").read_text()
    assert "Not sent yet" in (build(desk, with_unsent=True) / "index.html").read_text()
    (desk.folder / "issues/2/receipt.json").unlink()
    with pytest.raises(NotFound, match="no issue has been sent"):
        build(desk)


def test_a_broken_receipt_is_named(desk: Desk) -> None:
    desk.write("issues/2/receipt.json", "{")
    with pytest.raises(InputWrong, match="receipt"):
        build(desk)


def test_a_page_holds_no_readers_link_and_says_where_it_belongs(desk: Desk) -> None:
    page = (build(desk) / "issues/2/en/index.html").read_text(encoding="utf-8")
    assert "Dear reader" in page
    assert "invalid" not in page
    assert "/u/" not in page
    assert "Unsubscribe" not in page
    assert "You receive this because" not in page
    assert '<link rel="canonical" href="https://kettles.example.org/issues/2/en/">' in page
    assert '<link rel="alternate" hreflang="zh" href="https://kettles.example.org/issues/2/zh/">' in page
    assert '<meta property="og:title" content="Kettles of the week">' in page
    assert '<meta property="og:image" content="https://kettles.example.org/pictures/' in page


def test_the_feed_has_each_issue_once_in_the_newsletters_language(desk: Desk) -> None:
    feed = ET.parse(build(desk) / "feed.xml").getroot()  # noqa: S314  our own
    (entry,) = feed.findall("entry", ATOM)
    assert entry.findtext("title", namespaces=ATOM) == "Kettles of the week"
    assert entry.findtext("updated", namespaces=ATOM) == "2026-11-25T09:00:00+00:00"
    assert entry.findtext("id", namespaces=ATOM) == "https://kettles.example.org/issues/2"


def test_a_correction_is_shown_with_its_date(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    build(desk)
    assert "this is not the text that was sent; say so with `corrected:" in capsys.readouterr().err
    desk.change("date:", "corrected: 2026-12-01\ncorrection: The kettle is blue & not red.\ndate:")
    site = build(desk)
    page = (site / "issues/2/en/index.html").read_text(encoding="utf-8")
    assert "</time>: The kettle is blue &amp; not red." in page
    assert "corrected 2026-12-01" in (site / "index.html").read_text(encoding="utf-8")
    assert "<updated>2026-12-01T00:00:00+00:00</updated>" in (site / "feed.xml").read_text(encoding="utf-8")


def test_the_same_files_give_the_same_bytes(desk: Desk) -> None:
    first = {path: path.read_bytes() for path in sorted(build(desk).rglob("*")) if path.is_file()}
    assert first == {path: path.read_bytes() for path in sorted(build(desk).rglob("*")) if path.is_file()}
