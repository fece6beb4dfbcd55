"""Finds personal statements that open in one place of the document and close in another, which no mail survives."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import fields as fields_of
from dataclasses import is_dataclass

from dispatcher.content.personal import MARK
from dispatcher.content.tree import (
    Document,
    Event,
    Heading,
    Items,
    Job,
    Link,
    LinkCard,
    Poll,
    Quotation,
    Sponsor,
    Statement,
    Table,
    Text,
)
from dispatcher.errors import Fault
from dispatcher.models import Field

_CALLED: dict[type, str] = {
    Quotation: "quotation",
    Items: "list item",
    Heading: "heading",
    Link: "link",
    LinkCard: "card",
    Sponsor: "sponsor",
    Job: "job",
    Event: "event",
    Poll: "poll",
    Table: "table",
}
_KEYWORD = re.compile(r"\{%[-+]?\s*(\w+)")


def statement_faults(document: Document, fields: Sequence[Field], path: str) -> tuple[Fault, ...]:
    """A fault for every `{% if … %}` and `{% for … %}` that does not close within the part that holds it."""
    opened: list[Fault] = []
    closed: list[Fault] = []
    for place, marks in _places(document):
        if any(len(mark[1]) > 9 or int(mark[1]) >= len(fields) for mark in MARK.finditer(marks)):
            message = f"the word {marks} is used by Dispatcher itself"
            return (Fault(path=path, message=message, remedy="change it"),)
        unclosed: list[Field] = []
        for field in (fields[int(mark[1])] for mark in MARK.finditer(marks) if mark[2] == "s"):
            match _keyword(field):
                case "if" | "for":
                    unclosed.append(field)
                case "elif" | "else" if not unclosed:
                    closed.append(_fault(field, f"belongs to a statement outside of its {place}"))
                case "endif" | "endfor" if unclosed:
                    unclosed.pop()
                case "endif" | "endfor":
                    closed.append(_fault(field, f"closes what opens outside of its {place}"))
        opened += [_fault(field, f"opens here and does not close in the same {place}") for field in unclosed]
    return tuple(opened or closed)  # each opening names the whole trouble; its far end adds nothing


def _places(document: Document) -> Iterator[tuple[str, str]]:
    """Each part of the document that must hold its statements whole: what to call it, and its marks in order."""
    yield from _within(document.intro, "introduction")
    yield from _within(document.title, "title")
    for section in document.sections:
        yield from _within(section.title, "heading")
        for story in section.stories:
            yield from _within(story.title, "heading")
            yield from _within(story.body, "story")
    for note in document.notes:
        yield from _within(note.title, "heading")
        yield from _within(note.body, "note")
    yield from _within(document.colophon, "colophon")


def _within(value: object, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, _marks(value)
    elif isinstance(value, tuple):
        yield place, "".join(map(_own_marks, value))
        for child in value:
            if not isinstance(child, Text | Statement):
                yield from _within(child, place)
    elif is_dataclass(value):
        for field in fields_of(value):
            yield from _within(getattr(value, field.name), _CALLED.get(type(value), "paragraph"))


def _own_marks(node: object) -> str:
    match node:
        case Text(text=text) | Statement(marks=text):
            return _marks(text)
        case _:
            return ""


def _marks(text: str) -> str:
    return "".join(mark[0] for mark in MARK.finditer(text))


def _keyword(field: Field) -> str:
    found = _KEYWORD.match(field.source)
    return found[1] if found else ""


def _fault(field: Field, message: str) -> Fault:
    return Fault(
        path=field.path, line=field.line, message=f"{field.source} {message}", remedy="repeat it in each", check="NL048"
    )
