"""Editions in a real browser: nothing overflows or is lost, in whatever light, size or state of decay."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route

from dispatcher.content.message.build import make_skeleton, merged_html, neutral_reader
from dispatcher.models import Edition
from tests.axe import objections
from tests.content.editions import MADE, Made, make

WIDTHS = (800, 640, 375)

# A page from right to left is turned around after its styles were moved.
left_to_right = pytest.mark.parametrize("made", [each for each in MADE if each[2] != "ar"], ids="-".join, indirect=True)


@pytest.fixture(params=MADE, ids="-".join)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(*request.param, tmp_path_factory.getbasetemp() / "seed")


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """One page for all editions: each is loaded into it anew, without a network or a cache between."""
    context = browser.new_context(viewport={"width": 800, "height": 900})
    yield context.new_page()
    context.close()


def filled(edition: Edition, html: str | None = None) -> str:
    skeleton = make_skeleton(edition if html is None else replace(edition, html=html))
    page = merged_html(
        skeleton,
        neutral_reader(skeleton, edition.language),
        unsubscribe_url="https://example.org/u",
        view_url="https://example.org/v",
    )
    assert isinstance(page, str)
    return page


def show(tab: Page, html: str, pictures: Mapping[str, bytes]) -> None:
    """Loads the page with these pictures, and no network behind it."""

    def answer(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        if name == "page":
            route.fulfill(body=html, content_type="text/html; charset=utf-8")
        elif name in pictures:
            route.fulfill(body=pictures[name])
        else:
            route.abort()

    tab.unroute_all()
    tab.route("**/*", answer)
    tab.goto("https://news.example.org/page")


def at(tab: Page, width: int, scheme: str) -> None:
    tab.set_viewport_size({"width": width, "height": 900})
    tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light")


OVERFLOWS = """() => {
  const wide = document.documentElement.clientWidth;
  const scrolls = element =>
    element && (getComputedStyle(element).overflowX === "auto" || scrolls(element.parentElement));
  return [...document.querySelectorAll("body *")]
    .filter(element => element.getClientRects().length && !scrolls(element))
    .filter(element => element.getBoundingClientRect().right > wide + 1 || element.getBoundingClientRect().left < -1)
    .map(element => element.outerHTML.slice(0, 120));
}"""
CLIPPED = """() => [...document.querySelectorAll("body *")]
    .filter(element => element.offsetParent && getComputedStyle(element).overflow === "hidden")
    .filter(element => element.scrollHeight > element.clientHeight + 1 && element.clientHeight > 0)
    .map(element => element.outerHTML.slice(0, 120))"""


def test_nothing_overflows_is_cut_off_or_stands_there_raw(made: Made, tab: Page) -> None:
    whole = filled(made.edition)
    without_style = re.sub(r"<style.*?</style>", "", whole, flags=re.DOTALL)
    for html, pictures in ((whole, made.pictures), (whole, {}), (without_style, made.pictures)):
        show(tab, html, pictures)
        for width, scheme in product(WIDTHS, ("light", "dark")):
            at(tab, width, scheme)
            assert tab.evaluate(OVERFLOWS) == []
            assert tab.evaluate(CLIPPED) == []
        raw = r"\*\*|\]\(|^#{1,6} |&[a-z]+;|&#\d+;|zq\d+[xspw]qz|\{\{|\\u\{"
        assert not re.search(raw, tab.inner_text("body"), re.MULTILINE)


@left_to_right
def test_moving_the_styles_into_the_tags_changes_no_pixel(made: Made, tab: Page, tmp_path: Path) -> None:
    shots: dict[str, list[bytes]] = {}
    for name, html in (("before", filled(made.edition, made.before)), ("after", filled(made.edition))):
        show(tab, html, made.pictures)
        for width in (800, 375):
            at(tab, width, "light")
            shots.setdefault(name, []).append(tab.screenshot(path=tmp_path / f"{name}-{width}.png", full_page=True))
    assert shots["before"] == shots["after"]  # equal files show equal pixels


@left_to_right
def test_moving_the_styles_leaves_outlooks_comments_and_media_queries_as_they_were(made: Made) -> None:
    after = made.edition.html
    assert after.startswith("<!DOCTYPE html>")
    for what in (r"<!--\[if.*?<!\[endif\]-->", r"@media[^{]*"):
        there = re.findall(what, after, re.DOTALL)
        assert there
        assert there == re.findall(what, made.before, re.DOTALL)


def test_axe_finds_nothing_serious(made: Made, tab: Page) -> None:
    show(tab, filled(made.edition), made.pictures)
    for scheme in ("light", "dark"):
        at(tab, 640, scheme)
        serious = [each for each in objections(tab) if each["impact"] in {"serious", "critical"}]
        assert [(each["id"], node["html"][:120]) for each in serious for node in each["nodes"]] == []
