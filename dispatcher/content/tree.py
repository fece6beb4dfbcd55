"""The document tree: what an issue is made of, before it becomes HTML or text.

Text holds the marks of `content.personal` where a reader's fields go; nothing here knows about output.
"""

from dataclasses import dataclass

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
    """A picture with what is said under it; `picture` is None while its file is missing."""

    source: str  # as the author wrote it, relative to the folder
    alt: str
    caption: Inlines
    picture: Picture | None
    path: str
    line: int


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
    | Statement
)
Blocks = tuple[Block, ...]

# --- the document ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    title: Inlines
    anchor: str  # ASCII, unique in the document
    body: Blocks
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    title: Inlines  # empty for stories that stand under no section
    anchor: str
    stories: tuple[Story, ...]


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
