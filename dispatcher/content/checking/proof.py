"""An edition laid before the checks: its source, its tree, its page, its message, and what stands around it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date
from email.message import EmailMessage
from urllib.parse import unquote

from lxml.html import HtmlElement  # type: ignore[import-untyped]

from dispatcher.content.tree import (
    ContinueReading,
    Document,
    Event,
    Job,
    Link,
    LinkCard,
    PollAnswer,
    Sponsor,
    Story,
    plain_text,
)
from dispatcher.content.wording import Strings
from dispatcher.errors import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One edition, with everything that a check may look at; a check looks at nothing else."""

    path: str  # of the file, for printing
    lines: tuple[str, ...]  # of that file
    language: str
    subject: str
    preheader: str
    day: date  # on which the issue goes out
    document: Document
    marked_html: str  # the edition's, with its marks
    html: str  # with something in the place of every mark, and both branches of every condition
    page: HtmlElement  # the same, as a tree; nothing changes it
    text: str  # the text part, likewise
    raw: bytes  # a reader's message
    message: EmailMessage  # the same, parsed
    theme: str  # "templates/default", for printing
    postal_address: str
    strings: Strings  # what the theme says
    excused: frozenset[str] = frozenset()  # properties for which the theme says what is seen instead
    programs: Mapping[str, int] = field(default_factory=dict)  # mail program: percent of the readers
    tolerated: int = 0  # percent of the readers for whom a style may do nothing
    earlier: Mapping[str, str] = field(default_factory=dict)  # a canonical address: where it ran before

    def line_of(self, *words: str, after: int = 1) -> int | None:
        """The first line, from `after` on, that holds one of these; None if none does."""
        wanted = [word for word in words if word]
        for number, line in enumerate(self.lines[after - 1 :], start=after):
            if any(word in line for word in wanted):
                return number
        return None

    def fault(self, message: str, remedy: str, *, line: int | None = None) -> Fault:
        """Something wrong in the issue's own file."""
        return Fault(path=self.path, line=line, message=message, remedy=remedy)

    def fault_of_theme(self, file: str, message: str, remedy: str) -> Fault:
        """Something wrong that the theme draws."""
        return Fault(path=f"{self.theme}/{file}", message=message, remedy=remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An address in the issue, with the words that lead to it and what it stands in."""

    url: str
    words: str
    line: int | None
    is_main: bool  # whether it is what its story is about
    is_paid: bool  # a sponsor's


def references(proof: Proof) -> Iterator[Reference]:
    """Every address of the issue, in the order of the page."""
    document = proof.document
    yield from _within(proof, document.intro, after=1)
    for section in document.sections:
        for story in section.stories:
            yield from _within(proof, (story.title, story.body), after=story.line, story=story)
    after = max((story.line for section in document.sections for story in section.stories), default=1)
    for note in document.notes:
        heading = plain_text(note.title)
        yield from _within(proof, note, after=proof.line_of(heading, after=after) or after)
    yield from _within(proof, document.colophon, after=after)


def _within(
    proof: Proof, value: object, *, after: int, story: Story | None = None, is_paid: bool = False
) -> Iterator[Reference]:
    is_paid = is_paid or isinstance(value, Sponsor)
    if found := _address(value):
        url, words = found
        is_main = isinstance(value, ContinueReading | LinkCard) or (story is not None and value in story.title)
        yield _reference(proof, url, words, after, is_main=is_main, is_paid=is_paid)
    for child in _parts(value):
        yield from _within(proof, child, after=after, story=story, is_paid=is_paid)


def _address(value: object) -> tuple[str, str] | None:
    """What an element of the tree leads to, and its words; None if it leads nowhere by itself."""
    match value:
        case Link(url=url, children=words) | ContinueReading(url=url, label=words) | LinkCard(url=url, title=words):
            return url, plain_text(words)
        case PollAnswer(url=url, label=words):
            return url, plain_text(words)
        case Sponsor(url=url, name=name) | Job(url=url, role=name) | Event(url=url, name=name):
            return url, name
        case _:
            return None


def _parts(value: object) -> Iterator[object]:
    if isinstance(value, tuple):
        yield from value
    elif is_dataclass(value) and not isinstance(value, Link | type):
        yield from (getattr(value, each.name) for each in fields(value))


def _reference(proof: Proof, url: str, words: str, after: int, *, is_main: bool, is_paid: bool) -> Reference:
    line = (
        proof.line_of(url, unquote(url), after=after)
        or proof.line_of(url, unquote(url))
        or proof.line_of(words, after=after)  # of an address that was spelt otherwise
    )
    return Reference(url=url, words=words, line=line, is_main=is_main, is_paid=is_paid)


def shortened(text: str, most: int = 60) -> str:
    """The text on one line, cut where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"
