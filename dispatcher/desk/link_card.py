"""Reads what a page says of itself, and writes it as a link card to paste into an issue."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lxml import html as lxml_html  # type: ignore[import-untyped]

from dispatcher.desk.fetch import fetching
from dispatcher.errors import NotFound

_LONGEST = 200  # characters of a description
_WORDS: Mapping[str, tuple[str, ...]] = {
    "title": ("og:title", "twitter:title"),
    "description": ("og:description", "description", "twitter:description"),
    "site": ("og:site_name", "application-name"),
    "author": ("author", "article:author", "dc.creator"),
    "date": ("article:published_time", "date", "dc.date"),
    "picture": ("og:image", "twitter:image"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A page as it describes itself; empty is what it does not say."""

    url: str
    title: str
    description: str = ""
    site: str = ""
    author: str = ""
    date: str = ""
    picture: str = ""


def fetch_card(url: str, *, newsletter: str, may_reach_private: bool = False) -> Card:
    """The card of the page at an address. Raises NotFound."""
    with fetching(newsletter, may_reach_private=may_reach_private) as fetcher:
        page = fetcher.get(url)
    if page.problem or page.status != 200:
        raise NotFound(f"{url}: {page.problem or f'it answers {page.status}'}; open it in a browser and write the card")
    if "html" not in page.media_type and not page.body.lstrip()[:1] == b"<":
        raise NotFound(f"{url}: it is no page but {page.media_type or 'something else'}; write the card by hand")
    return read_card(page.body, page.moved_to or url, page.media_type)


def read_card(body: bytes, url: str, media_type: str = "") -> Card:
    """The card that a page's head gives. Raises NotFound for a page without a title."""
    charset = re.search(r"charset=[\"']?([\w-]+)", media_type)
    try:
        parser = lxml_html.HTMLParser(encoding=charset[1] if charset else None)
        page = lxml_html.document_fromstring(body or b"<p>", parser=parser)
    except (lxml_html.etree.LxmlError, LookupError, ValueError) as error:
        raise NotFound(f"{url}: the page cannot be read; write the card by hand") from error
    said = dict(_metas(page))
    found = {name: next((said[key] for key in keys if said.get(key)), "") for name, keys in _WORDS.items()}
    found["title"] = found["title"] or _plain(page.findtext(".//title") or "")
    if not found["title"]:
        raise NotFound(f"{url}: the page has no title; write the card by hand")
    found["date"] = found["date"][:10]
    return Card(url=url, **found)


def as_markdown(card: Card) -> str:
    """The card as an issue holds it; what only the editor wants to know stands in a comment."""
    aside = ", ".join(filter(None, [card.site, card.author, card.date, card.picture]))
    description = card.description
    if len(description) > _LONGEST:
        description = description[:_LONGEST].rpartition(" ")[0].rstrip(" ,;.") + "…"
    lines = [f"{{# {aside.replace('#}', '')} #}}" if aside else "", f"::: card {_in_address(card.url)}",
             _escaped(card.title), _escaped(description), ":::"]  # fmt: skip
    return "\n".join(line for line in lines if line)


def _metas(page: lxml_html.HtmlElement) -> Iterator[tuple[str, str]]:
    for meta in reversed(list(page.iter("meta"))):  # the first of a name counts
        name = (meta.get("property") or meta.get("name") or "").lower()
        if name and (content := _plain(meta.get("content") or "")):
            yield name, content


def _plain(text: str) -> str:
    """On one line, without what no mail may hold."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]", " ", text).split())


def _escaped(text: str) -> str:
    """Words that Markdown and Jinja leave as they are."""
    text = re.sub(r"([\\`*_\[\]<>~|])", r"\\\1", text)
    text = re.sub(r"\{(?=[{%#])", "{ ", text)
    return re.sub(r"^(:::|[#+-]|\d+[.)])", r"\\\1", text)


def _in_address(url: str) -> str:
    return url.replace(" ", "%20").replace("{", "%7B").replace("}", "%7D")
