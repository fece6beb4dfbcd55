"""Lines of the text part: sentences with their links, addresses on lines of their own, bullets and marks of quotes."""

import re
from dataclasses import replace
from functools import lru_cache

from dispatcher.content.drawing.addresses import Links, bare, is_conditional, shown_url, spells
from dispatcher.content.drawing.wrap import wrap
from dispatcher.content.personal import MARK
from dispatcher.content.tree import (
    CodeSpan,
    Emphasis,
    Inline,
    Inlines,
    LineBreak,
    Link,
    Strong,
    Struck,
    Text,
    plain_text,
)

_BRACKETS = re.compile(r"\[([^\[\]\n]+) \[(\d+)\]\]")


def with_addresses(said: str, urls: list[str], links: Links, width: int) -> str:
    fresh = [url for url in urls if url not in links.printed]
    links.printed.update(fresh)
    spelled = len(urls) == 1 and bare(said) == bare(urls[0])
    return "\n".join(filter(None, ["" if spelled and fresh else wrapped(said, width), *fresh]))


@lru_cache(maxsize=2048)  # an issue is drawn several times, and most of it again after every save
def wrapped(text: str, width: int) -> str:
    return "\n".join(wrap(text, width=width))


def prefixed(text: str, first: str, following: str) -> str:
    """Lines behind `> ` or a bullet; a line that is a statement's mark has neither, for it will vanish."""
    written = []
    prefix = first
    for line in text.rstrip("\n").split("\n"):
        if (mark := MARK.fullmatch(line)) and mark[2] == "s":
            written.append(line)
        else:
            written.append((prefix + line).rstrip())
            prefix = following
    return "\n".join(written)


def sentence(children: Inlines, links: Links) -> str:
    if not links.in_place and is_conditional(children):
        links = replace(links, in_place=True)
    # Credits read `[[source](url)]`; one pair of brackets is enough.
    return _BRACKETS.sub(r"\1 [\2]", "".join(_in_sentence(child, links) for child in children))


def _in_sentence(inline: Inline, links: Links) -> str:
    match inline:
        case Link():
            return _linked(inline, links)
        case Emphasis(children=children) | Strong(children=children):
            return "".join(_in_sentence(child, links) for child in children)
        case Struck(children=children):
            return f"~~{''.join(_in_sentence(child, links) for child in children)}~~"
        case Text(text=text):
            return text
        case CodeSpan(text=text):
            return f"`{text}`"
        case LineBreak():
            return "\n"


def _linked(link: Link, links: Links) -> str:
    label, url = plain_text(link.children), shown_url(link.url)
    if spells(link):
        return label if url in links.on_lines or link.url.startswith("mailto:") else f"<{url}>"
    if links.in_place:
        return f"{label} <{url}>"
    return f"{label} [{links.numbers[url]}]" if url in links.numbers else label
