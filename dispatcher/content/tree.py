"""The document tree: what an issue is made of, before it becomes HTML or text.

Text holds the marks of `personal` where a reader's fields go; nothing here knows about output.
Long, because it is one vocabulary: a class for each thing that an issue may hold.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Literal

from dispatcher.models import Picture

# --- inline ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Emphasis:
    children: "Inlines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strong:
    children: "Inlines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    children: "Inlines"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSpan:
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    url: str  # http, https or mailto; or marks of the URL kinds
    children: "Inlines"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineBreak:
    """A break the author asked for; a mere line end in the source is a space in a `Text`."""


Inline = Text | Emphasis | Strong | Struck | CodeSpan | Link | LineBreak
Inlines = tuple[Inline, ...]


def plain_text(inlines: Inlines) -> str:
    """The words alone, marks included."""
    return "".join(map(_words, inlines))


def _words(inline: Inline) -> str:
    match inline:
        case Text(text=text) | CodeSpan(text=text):
            return text
        case LineBreak():
            return " "
        case _:
            return plain_text(inline.children)


# --- blocks ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    children: Inlines


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A heading inside a story or note; `level` is 3 or more."""

    level: int
    children: Inlines
    kind: "StoryKind | None" = None  # said by the author with {.lead} or {.brief}; only a story's heading may have one
    only: str = ""  # the condition on a reader for whom the story is, in Jinja's words; so, too, only a story's


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A list; each item is a run of blocks."""

    items: tuple["Blocks", ...]
    start: int | None = None  # the first number of an ordered list, None for bullets


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeBlock:
    text: str
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Divider:
    """A thematic break."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A picture with what is said under it; `picture` is None while its file is missing.

    What is printed is `caption` and `credit`. The licence and the source's address are facts for checks: each is
    in the words of one of the two already.
    """

    source: str  # as the author wrote it, relative to the folder
    alt: str
    caption: Inlines
    picture: Picture | None
    path: str
    line: int
    credit: Inlines = ()  # a line after the caption; empty where the caption itself gives credit
    licence: str = ""  # "CC BY-SA 4.0"
    source_url: str | None = None  # where the picture was found
    dark_source: str | None = None  # the picture for dark screens, as `source`
    dark: Picture | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotation:
    children: "Blocks"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinueReading:
    """The button under a story; `label` without its leading dots."""

    url: str
    label: Inlines


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedLinks:
    """A labelled list of links under a story."""

    label: Inlines
    items: tuple[Inlines, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkCard:
    url: str
    title: Inlines
    description: Inlines
    site: str


Align = Literal["", "left", "center", "right"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of cells under a header; every row has as many cells as the header."""

    header: tuple[Inlines, ...]
    align: tuple[Align, ...]  # of each column; empty where the author said nothing
    rows: tuple[tuple[Inlines, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sponsor:
    """What somebody paid for; it is never printed without its label."""

    url: str
    name: str
    label: str  # such as "Advertisement"; empty for the theme's "Sponsored by …"
    figure: Figure | None
    body: "Blocks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    role: str
    url: str
    company: str
    place: str
    pay: str  # empty when it is not said
    until: date | None  # the last day to apply


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    items: tuple[Job, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    name: str
    url: str
    on: date
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    items: tuple[Event, ...]  # by date


@dataclass(frozen=True, slots=True, kw_only=True)
class PollAnswer:
    label: Inlines
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """A question that a reader answers by following a link."""

    question: Inlines
    answers: tuple[PollAnswer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The marks of personal statements that stand on a line of their own, around blocks: `{% if … %}`."""

    marks: str


Block = (
    Paragraph
    | Heading
    | Items
    | CodeBlock
    | Divider
    | Figure
    | Quotation
    | ContinueReading
    | RelatedLinks
    | LinkCard
    | Table
    | Sponsor
    | Jobs
    | Events
    | Poll
    | Statement
)
Blocks = tuple[Block, ...]

# --- the document ---------------------------------------------------------------------------------


class StoryKind(StrEnum):
    """How much room a story takes."""

    LEAD = "lead"  # the story of the issue; nothing keeps an editor from two
    ORDINARY = "ordinary"
    BRIEF = "brief"  # a few lines among others; not a promise that it is short


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    title: Inlines
    anchor: str  # ASCII, unique in the document
    body: Blocks
    line: int
    kind: StoryKind = StoryKind.ORDINARY
    condition: str = ""  # on the reader, in Jinja's words; empty for a story that everybody gets


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    title: Inlines  # empty for stories that stand under no section
    anchor: str
    stories: tuple[Story, ...]

    @property
    def condition(self) -> str:
        """On a reader who gets any of its stories; empty if everybody gets one."""
        conditions = [story.condition for story in self.stories]
        return " or ".join(f"({each})" for each in dict.fromkeys(conditions)) if all(conditions) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A heading after the stories with ordinary text or cards under it: closing notes."""

    title: Inlines
    anchor: str
    body: Blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One issue in one language, as its author meant it."""

    title: Inlines
    source_url: str | None  # where it was first published
    intro: Blocks  # tagline, opening picture, paragraphs
    sections: tuple[Section, ...]
    notes: tuple[Note, ...]
    colophon: Blocks  # the small print after the last note
