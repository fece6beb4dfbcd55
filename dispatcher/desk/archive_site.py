"""Draws an archive: its front page, the issues, an Atom feed and a sitemap; no page names a reader."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache

from jinja2 import Environment, PackageLoader, select_autoescape
from lxml import html as lxml_html  # type: ignore[import-untyped]

LEAVE, VIEW = "https://leave.invalid/", "https://view.invalid/"
"""What stands for a reader's links until they are taken out."""

_MOST_IN_FEED = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An issue in one language, as the archive shows it."""

    number: int
    language: str
    languages: tuple[str, ...]  # of the issue
    title: str
    summary: str
    day: date | None
    updated: datetime
    corrected: date | None
    correction: str
    picture: str | None

    @property
    def path(self) -> str:
        return f"issues/{self.number}/{self.language}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Where an archive stands, and how its pages lead to each other."""

    newsletter: str
    language: str  # of the newsletter
    root: str  # its address, without a slash at its end
    ending: str  # of an issue's address: "/" in a site of files
    home: str  # from an issue to the front page
    beside: str  # from an issue to it in another {language}


def issue_page(entry: Entry, html: str, shelf: Shelf) -> str:
    """The page of an issue: its HTML without a reader's links, and a head for search engines and friends."""
    page = lxml_html.document_fromstring(html)
    for link in page.xpath("//a"):
        if str(link.get("href")).startswith((LEAVE, VIEW)):
            _take_out(link)
    for addition in _elements(_template("archive_head.html", entry=entry, shelf=shelf)):
        page.head.append(addition)
    banner = _elements(_template("archive_banner.html", entry=entry, shelf=shelf))
    for addition in reversed(banner):
        page.body.insert(0, addition)
    text: str = lxml_html.tostring(page, encoding="unicode", doctype="<!DOCTYPE html>")
    return text + "\n"


def front_page(entries: Sequence[Entry], shelf: Shelf) -> str:
    """Every issue, the newest first, in each of its languages."""
    by_number: dict[int, list[Entry]] = {}
    for each in entries:
        by_number.setdefault(each.number, []).append(each)
    issues = [sorted(group, key=lambda each: each.language != shelf.language) for group in by_number.values()]
    return _template("archive.html", issues=issues, shelf=shelf)


def atom_feed(entries: Sequence[Entry], shelf: Shelf) -> str:
    """RFC 4287; of an issue in several languages, that of the newsletter."""
    spoken: dict[int, Entry] = {}
    for each in entries:
        if each.number not in spoken or each.language == shelf.language:
            spoken[each.number] = each
    updated = max(each.updated for each in entries)
    shown = list(spoken.values())[:_MOST_IN_FEED]
    return _template("feed.xml", entries=shown, shelf=shelf, updated=updated)


def sitemap(entries: Sequence[Entry], shelf: Shelf) -> str:
    return _template("sitemap.xml", entries=entries, shelf=shelf)


def _take_out(link: lxml_html.HtmlElement) -> None:
    """Removes a link, and what held nothing else; a dot between two links goes with the second."""
    parent = link.getparent()
    tail = (link.tail or "").lstrip(" ·•|\xa0")
    link.tail = None
    link.drop_tree()
    previous = parent.getchildren()[-1] if len(parent) else None
    if previous is not None:
        previous.tail = f"{(previous.tail or '').rstrip(' ·•|')}{tail}"
    else:
        parent.text = f"{(parent.text or '').rstrip(' ·•|')}{tail}"
    if not parent.text_content().strip() and parent.getparent() is not None:
        parent.drop_tree()


def _elements(markup: str) -> list[lxml_html.HtmlElement]:
    return [each for each in lxml_html.fragments_fromstring(markup) if not isinstance(each, str)]


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("dispatcher.desk", "pages"), autoescape=select_autoescape(), trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip


def _template(name: str, **values: object) -> str:
    return _environment().get_template(name).render(**values)
