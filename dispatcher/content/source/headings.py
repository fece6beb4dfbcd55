"""Reads a heading, and what it says of its story: `{.lead}`, `{.brief}`, `{only: 'plan == "pro"'}`."""

import difflib
import re

from markdown_it.token import Token

from dispatcher.content.source.only import ONLY, read_only
from dispatcher.content.source.prose import Sheet, read_prose, report
from dispatcher.content.tree import Heading, StoryKind, plain_text

_SAID = re.compile(rf"(?<!\\)\{{\ *(?:\.(?P<kind>[\w-]+))?\ *(?:{ONLY})?\ *\}}\s*\Z", re.VERBOSE)


def read_heading(content: Token, level: int, sheet: Sheet) -> Heading:
    words, kind, only = _said_of_story(content, level, sheet)
    children = read_prose(words, line=_line(content), sheet=sheet)
    if not plain_text(children).strip():
        report(sheet, _line(content), "the heading has no text", "write it, or remove the #")
    return Heading(level=level, children=children, kind=kind, only=only)


def _said_of_story(content: Token, level: int, sheet: Sheet) -> tuple[str, StoryKind | None, str]:
    """A heading without what stands in braces at its end; the kind of story, and whom it is only for."""
    found = _SAID.search(content.content)
    if not found or not (found["kind"] or found["quote"]):
        return content.content, None, ""
    words = content.content[: found.start()].rstrip()
    if level > 2:
        said = found[0].strip()
        report(sheet, _line(content), f"{said} stands at a heading that begins no story", "remove it")
        return words, None, ""
    only = read_only(found["only"], _line(content), sheet) if found["quote"] else ""
    return words, _kind(found["kind"], content, sheet), only


def _kind(written: str | None, content: Token, sheet: Sheet) -> StoryKind | None:
    if written is None or written in set(StoryKind):
        return StoryKind(written) if written else None
    nearest = difflib.get_close_matches(written.lower(), StoryKind, 1, 0.5)
    remedy = f"did you mean {{.{nearest[0]}}}?" if nearest else "a story is {.lead} or {.brief}, or neither"
    report(sheet, _line(content), f"a heading cannot be {{.{written}}}", remedy)
    return None


def _line(token: Token) -> int:
    return token.map[0] if token.map else 0
