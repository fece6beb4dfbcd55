"""Reads link cards: ours, and those that Medium exports."""

from urllib.parse import urlsplit

from markdown_it.token import Token

from dispatcher.content.source.prose import Sheet, address, read_prose, report
from dispatcher.content.tree import LinkCard


def read_card(token: Token, sheet: Sheet) -> LinkCard:
    line = _line(token)
    before, title, description = _first_line(token.content)
    if not title:
        report(sheet, line, "this card has no title", "write it on the line after ::: card", "NL002")
    url = token.meta["argument"]
    return LinkCard(
        url=address(url, line=line, sheet=sheet),
        title=read_prose(title, line=line + 1 + before, sheet=sheet),
        description=read_prose(description, line=line + 2 + before, sheet=sheet),
        site=_site(url),
    )


def read_medium_card(token: Token, sheet: Sheet) -> LinkCard:
    line = _line(token)
    if token.content:
        report(
            sheet,
            _last_line(token),
            "this looks like a broken link card",
            "write it as `::: card URL`, title, text, `:::`",
            "NL002",
        )
    return LinkCard(
        url=address(token.meta["url"], line=line, sheet=sheet),
        title=read_prose(token.meta["title"], line=line, sheet=sheet),
        description=read_prose(token.meta["description"], line=line, sheet=sheet),
        site=_site(token.meta["url"]),
    )


def _first_line(text: str) -> tuple[int, str, str]:
    """How many empty lines precede the first line, that line, and the rest."""
    written = text.lstrip()
    first, _, rest = written.partition("\n")
    return text.count("\n", 0, len(text) - len(written)), first.strip(), rest.rstrip()


def _site(url: str) -> str:
    """The host as a reader knows it; empty if there is none."""
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def _line(token: Token) -> int:
    return token.map[0] if token.map else 0


def _last_line(token: Token) -> int:
    return token.map[1] if token.map else 0
