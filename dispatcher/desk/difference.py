"""Tells what a reader would see differently in two states of an edition: words, links, headers and weight."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lxml import html as lxml_html  # type: ignore[import-untyped]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a reader gets of an edition."""

    html: str
    text: str
    headers: Mapping[str, str]  # those that an issue decides


def differences(before: Seen | None, after: Seen | None, language: str) -> Iterator[str]:
    """The lines to print; none if a reader would see the same."""
    if before is None or after is None:
        yield f"{language}: {'new' if before is None else 'no longer there'}"
        return
    lines = [*_headers(before, after), *_links(before, after), *_pictures(before, after), *_words(before, after)]
    size = len(after.html.encode()) - len(before.html.encode())
    if not lines and before.html != after.html:
        lines.append("  the words are the same; only how they are drawn has changed")
    if lines:
        yield f"{language}: {len(after.html.encode()):,} bytes of HTML ({size:+,})"
        yield from lines


def _headers(before: Seen, after: Seen) -> Iterator[str]:
    for name in dict.fromkeys((*before.headers, *after.headers)):
        old, new = before.headers.get(name, ""), after.headers.get(name, "")
        if old != new:
            yield f"  {name}: {old or '(none)'}  →  {new or '(none)'}"


def _links(before: Seen, after: Seen) -> Iterator[str]:
    old, new = _addresses(before.html, "//a/@href"), _addresses(after.html, "//a/@href")
    yield from (f"  link removed: {url}" for url in old if url not in new)
    yield from (f"  link added: {url}" for url in new if url not in old)


def _pictures(before: Seen, after: Seen) -> Iterator[str]:
    old, new = _addresses(before.html, "//img/@src"), _addresses(after.html, "//img/@src")
    removed, added = [url for url in old if url not in new], [url for url in new if url not in old]
    if removed or added:
        yield f"  pictures: {len(added)} new, {len(removed)} no longer shown"


def _words(before: Seen, after: Seen) -> Iterator[str]:
    changed = difflib.unified_diff(before.text.split("\n"), after.text.split("\n"), lineterm="", n=1)
    yield from (f"  {line}" for line in list(changed)[2:])


def _addresses(html: str, path: str) -> list[str]:
    page = lxml_html.document_fromstring(html)
    return list(dict.fromkeys(str(each) for each in page.xpath(path)))
