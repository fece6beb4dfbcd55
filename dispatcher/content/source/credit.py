"""Finds what is to be said about where a picture comes from: in its caption, or beside its file's name."""

import difflib
import re
from collections.abc import Iterator
from dataclasses import replace

from dispatcher.content.tree import Emphasis, Figure, Inlines, Link, Strong, Text, plain_text

ATTRIBUTES = ("credit", "licence", "source", "dark")

_ATTRIBUTE = re.compile(r"\s*(?P<name>[A-Za-z]+)\s*=\s*(?P<value>.*?)\s*", re.DOTALL)
_LICENCE = re.compile(
    r"\bCC[ -]?(?:0|BY)(?:-(?:SA|NC|ND))*(?:[ -]\d\.\d)?(?![\w-])|\bpublic domain\b|公有领域|公有領域", re.IGNORECASE
)


def attributes(title: str) -> tuple[dict[str, str], tuple[str, str] | None]:
    """What a picture's title says as `credit=…; licence=…; source=…; dark=…`, and what is wrong with it: why, remedy.

    A title of plain words is a tooltip, which no reader of a mail sees; it says nothing.
    """
    found: dict[str, str] = {}
    for part in re.split(r";\s+|;\Z", title) if "=" in title else ():
        given = _ATTRIBUTE.fullmatch(part)
        if not part.strip():
            continue
        if not given:
            return found, (f"“{part.strip()}” says nothing about the picture", _FORM)
        name, value = given["name"], given["value"]
        if name not in ATTRIBUTES:
            nearest = difflib.get_close_matches(name.lower(), ATTRIBUTES, 1, 0.5)
            return found, (f"a picture has no {name}", f"did you mean {nearest[0]}?" if nearest else _FORM)
        if name in found or not value:
            return found, (f"{name} is given twice" if name in found else f"{name} is empty", "keep one, with a value")
        found[name] = value
    return found, None


_FORM = 'write it as ![what it shows](img/a.png "credit=Ann; licence=CC BY 4.0; source=https://…; dark=img/b.png")'


def credit_line(credit: Inlines, licence: str, source_url: str | None) -> Inlines:
    """The line under a picture: who made it, linked to where it was found, and its licence."""
    if not credit and source_url:
        credit, licence = (Text(text=licence or source_url),), ""
    if credit and source_url and not any(isinstance(inline, Link) for inline in credit):
        credit = (Link(url=source_url, children=credit),)
    rest: Inlines = (Text(text=f", {licence}" if credit else licence),) if licence else ()
    return credit + rest


def captioned(figure: Figure, caption: Inlines) -> Figure:
    """The figure with its caption, whose words stay as they are, and the licence and source that they name."""
    licence = _LICENCE.search(plain_text(caption))
    return replace(
        figure,
        caption=caption,
        licence=figure.licence or (licence[0] if licence else ""),
        source_url=figure.source_url or next(_bracketed(caption), None),
    )


def _bracketed(inlines: Inlines) -> Iterator[str]:
    """The addresses of links in brackets: `[[source](https://…)]`."""
    for before, inline, after in zip(inlines, inlines[1:], inlines[2:], strict=False):
        match before, inline, after:
            case Text(text=opening), Link(url=url), Text(text=closing):
                if opening.endswith("[") and closing.startswith("]"):
                    yield url
    for inline in inlines:
        if isinstance(inline, Emphasis | Strong):
            yield from _bracketed(inline.children)
