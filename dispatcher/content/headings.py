"""Reads a heading, and what it says of its story in `{.lead}` or `{.brief}`."""

import difflib
import re

from markdown_it.token import Token

from dispatcher.content.prose import Sheet, read_prose, report
from dispatcher.content.tree import Heading, StoryKind, plain_text

_KIND = re.compile(r"(?<!\\)\{\.(?P<kind>[\w-]+)\}\s*\Z")


def read_heading(content: Token, level: int, sheet: Sheet) -> Heading:
    words, kind = _story_kind(content, level, sheet)
    children = read_prose(words, line=_line(content), sheet=sheet)
    if not plain_text(children).strip():
        report(sheet, _line(content), "the heading has no text", "write it, or remove the #")
    return Heading(level=level, children=children, kind=kind)


def _story_kind(content: Token, level: int, sheet: Sheet) -> tuple[str, StoryKind | None]:
    """A heading without its `{.lead}` or `{.brief}`, and what that says."""
    found = _KIND.search(content.content)
    if not found:
        return content.content, None
    words, written = content.content[: found.start()].rstrip(), found["kind"]
    if written not in set(StoryKind):
        nearest = difflib.get_close_matches(written.lower(), StoryKind, 1, 0.5)
        remedy = f"did you mean {{.{nearest[0]}}}?" if nearest else "a story is {.lead} or {.brief}, or neither"
        report(sheet, _line(content), f"a heading cannot be {{.{written}}}", remedy)
        return words, None
    if level > 2:
        report(sheet, _line(content), f"{{.{written}}} stands at a heading that begins no story", "remove it")
        return words, None
    return words, StoryKind(written)


def _line(token: Token) -> int:
    return token.map[0] if token.map else 0
