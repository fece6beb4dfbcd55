"""Gives an issue's blocks their meaning: title, introduction, sections of stories, closing notes, colophon.

Editors write in two ways. Explicit: `# Section`, `## Story`. Flat, as exports come: every heading is `#`, and what
it heads is seen from what stands under it. A `##` anywhere makes an issue explicit.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dispatcher.content.anchors import new_anchor
from dispatcher.content.balance import statement_faults
from dispatcher.content.markdown import Placed
from dispatcher.content.personal import without_marks
from dispatcher.content.story_body import story_body
from dispatcher.content.tree import (
    Blocks,
    Divider,
    Document,
    Figure,
    Heading,
    Inlines,
    Items,
    Link,
    LinkCard,
    Note,
    Paragraph,
    Quotation,
    Section,
    Story,
    StoryKind,
    Text,
    plain_text,
)
from dispatcher.errors import Fault
from dispatcher.models import Field

_SOURCE_LABEL = re.compile(r"\s*(原文|source)\s*[:：]\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A heading and what stands under it, up to the next."""

    title: Inlines
    level: int  # 1 or 2; 0 for what comes before the first heading
    line: int
    body: tuple[Placed, ...]
    kind: StoryKind | None = None  # what its heading says: it is a story then


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """Which part is what."""

    openings: tuple[Part, ...] = ()  # headed texts before the first story: they belong to the introduction
    sections: tuple[tuple[Inlines, tuple[Part, ...]], ...] = ()
    notes: tuple[Part, ...] = ()


def shape(
    blocks: Sequence[Placed], *, title: str | None, fields: Sequence[Field], faults: list[Fault], path: str
) -> Document:
    """The document that the blocks make; `title` is the front matter's, else the first heading gives it."""
    intro, *parts = headed = _parts(blocks)
    is_explicit = any(part.level == 2 for part in parts)
    heading: Inlines = (Text(text=title),) if title else ()
    if parts and parts[0].level == 1 and (not title or matching_key(parts[0].title) == matching_key(heading)):
        heading = heading or parts[0].title
        intro = replace(intro, body=intro.body + parts.pop(0).body)
    if not heading and (blocks or not faults):  # of a file that could not be read nothing more is said
        remedy = "begin it with `# The title`, or write `title:` into its front matter"
        faults.append(Fault(path=path, line=1, message="the issue has no title", remedy=remedy))
    *others, last = [intro, *parts]
    last, colophon = _before_and_after_divider(last)
    intro, *parts = [*others, last]
    faults += [
        _empty(part, path)
        for part in parts
        if not (part.body or (is_explicit and part.level == 1) or _is_brief_by_itself(part))
    ]
    outline = _explicit(parts, faults, path) if is_explicit else _flat(parts, faults, path)
    stories = {id(story.title) for _, members in outline.sections for story in members}
    faults += [_no_story(part, part.kind, path) for part in headed if part.kind and id(part.title) not in stories]
    if not (is_explicit or colophon) and outline.notes:
        *notes, note = outline.notes
        note, colophon = _before_and_after_cards(note)
        outline = replace(outline, notes=(*notes, note))
    document = _document(heading, intro, outline, colophon)
    faults += [_pictured(figure) for figure in _pictures_of_briefs(document)]
    faults += statement_faults(document, fields, path)
    return document


def _pictures_of_briefs(document: Document) -> Iterator[Figure]:
    for section in document.sections:
        for story in section.stories:
            if story.kind is StoryKind.BRIEF:
                yield from (block for block in story.body if isinstance(block, Figure))


def _pictured(figure: Figure) -> Fault:
    remedy = "remove the picture, or the {.brief} of its story"
    return Fault(path=figure.path, line=figure.line, message="a brief has no picture", remedy=remedy)


def matching_key(title: Inlines) -> str:
    """What is left of a title when spelling does not matter: letters and digits."""
    folded = unicodedata.normalize("NFKC", without_marks(plain_text(title))).casefold()
    return "".join(character for character in folded if character.isalnum())


def _parts(blocks: Sequence[Placed]) -> list[Part]:
    parts = [Part(title=(), level=0, line=1, body=())]
    body: list[Placed] = []
    for placed in blocks:
        match placed.block:
            case Heading(level=(1 | 2) as level, children=title, kind=kind):
                parts[-1] = replace(parts[-1], body=_trimmed(body))
                parts.append(Part(title=title, level=level, line=placed.line, body=(), kind=kind))
                body = []
            case _:
                body.append(placed)
    parts[-1] = replace(parts[-1], body=_trimmed(body))
    return parts


def _trimmed(body: list[Placed]) -> tuple[Placed, ...]:
    """Without a divider at its end: the theme draws its own between stories."""
    end = len(body)
    while end and isinstance(body[end - 1].block, Divider):
        end -= 1
    return tuple(body[:end])


def _before_and_after_divider(part: Part) -> tuple[Part, Blocks]:
    """The last part, and what follows its last divider: the colophon."""
    dividers = [index for index, placed in enumerate(part.body) if isinstance(placed.block, Divider)]
    if not dividers:
        return part, ()
    return replace(part, body=part.body[: dividers[-1]]), _bare(part.body[dividers[-1] + 1 :])


def _before_and_after_cards(note: Part) -> tuple[Part, Blocks]:
    """The last note of a flat issue, and the paragraphs after its last card: the colophon."""
    cards = [index for index, placed in enumerate(note.body) if isinstance(placed.block, LinkCard)]
    after = _bare(note.body[cards[-1] + 1 :]) if cards else ()
    if not all(isinstance(block, Paragraph) for block in after):
        return note, ()
    return replace(note, body=note.body[: len(note.body) - len(after)]), after


def _empty(part: Part, path: str) -> Fault:
    message = f"there is nothing under the heading “{plain_text(part.title)}”"
    return Fault(path=path, line=part.line, message=message, remedy="write it, or remove the heading")


def _is_brief_by_itself(part: Part) -> bool:
    """`## [What it is](https://…) {.brief}` says all it has to."""
    return part.kind is StoryKind.BRIEF and any(isinstance(inline, Link) for inline in part.title)


def _no_story(part: Part, kind: StoryKind, path: str) -> Fault:
    message = f"“{plain_text(part.title)}” is no story, and cannot be {{.{kind}}}"
    return Fault(path=path, line=part.line, message=message, remedy="remove it, or make the heading a story's")


# --- explicit -------------------------------------------------------------------------------------


def _explicit(parts: Sequence[Part], faults: list[Fault], path: str) -> Outline:
    """A `#` with `##` under it is a section, one without is a note."""
    openings: list[Part] = []
    sections: list[tuple[Inlines, tuple[Part, ...]]] = []
    notes: list[Part] = []
    for head, stories in _headed(parts):
        if stories:
            if head and head.body:
                remedy = "move it under a ##, or into the introduction"
                message = f"text stands between the section “{plain_text(head.title)}” and its first story"
                faults.append(Fault(path=path, line=head.body[0].line, message=message, remedy=remedy))
            faults += [_misplaced(note, path) for note in notes]
            notes = []
            sections.append((head.title if head else (), stories))
        elif head:
            if not head.body:
                faults.append(_empty(head, path))
            (notes if sections else openings).append(head)
    return Outline(openings=tuple(openings), sections=tuple(sections), notes=tuple(notes))


def _headed(parts: Sequence[Part]) -> Iterator[tuple[Part | None, tuple[Part, ...]]]:
    """Each `#` with the `##` that follow it; None for a `##` before any `#`."""
    head: Part | None = None
    stories: list[Part] = []
    for part in parts:
        if part.level == 2:
            stories.append(part)
        else:
            yield head, tuple(stories)
            head, stories = part, []
    yield head, tuple(stories)


def _misplaced(note: Part, path: str) -> Fault:
    message = f"“{plain_text(note.title)}” has no ## under it and stands between sections"
    return Fault(path=path, line=note.line, message=message, remedy="make it a story with ##, or move it to the end")


# --- flat -----------------------------------------------------------------------------------------


def _flat(parts: Sequence[Part], faults: list[Fault], path: str) -> Outline:
    """A list of headings is a contents list, and names a section.

    A story is what such a list names, what has a picture or a quotation, or what stands between stories.
    """
    titles = {matching_key(part.title) for part in parts}
    contents = [part for part in parts if titles & set(_listed(part))]
    faults += [_unmatched(part, path) for part in contents if not titles.issuperset(_listed(part))]
    section_of = {key: part.line for part in contents for key in _listed(part)}
    texts = [part for part in parts if not titles & set(_listed(part))]
    places = [index for index, part in enumerate(texts) if matching_key(part.title) in section_of or _is_story(part)]
    if not places:
        return Outline(notes=tuple(texts))
    first, last = places[0], places[-1]
    names = {part.line: part.title for part in contents}
    members: dict[int, list[Part]] = {section: [] for section in (0, *names)}
    section = 0
    for part in texts[first : last + 1]:
        section = section_of.get(matching_key(part.title), section)
        members[section].append(part)
    return Outline(
        openings=tuple(texts[:first]),
        sections=tuple((names.get(line, ()), tuple(stories)) for line, stories in members.items() if stories),
        notes=tuple(texts[last + 1 :]),
    )


def _listed(part: Part) -> list[str]:
    """The keys of the items, if the part is nothing but a list."""
    match [placed.block for placed in part.body]:
        case [Items(items=items)]:
            return [matching_key(block.children) for item in items for block in item if isinstance(block, Paragraph)]
        case _:
            return []


def _unmatched(contents: Part, path: str) -> Fault:
    message = f"the contents list under “{plain_text(contents.title)}” names a story that no heading bears"
    return Fault(path=path, line=contents.line, message=message, remedy="spell its items as the stories' headings")


def _is_story(part: Part) -> bool:
    return part.kind is not None or any(isinstance(placed.block, Figure | Quotation) for placed in part.body)


# --- the document ---------------------------------------------------------------------------------


def _document(title: Inlines, intro: Part, outline: Outline, colophon: Blocks) -> Document:
    source_url, opening = _source_and_rest(_bare(intro.body))
    for part in outline.openings:
        opening += (Heading(level=3, children=part.title), *_bare(part.body))
    anchors: set[str] = set()
    sections: list[Section] = []
    count = 0
    for number, (name, parts) in enumerate(outline.sections, 1):
        anchor = new_anchor(name, f"section-{number}", anchors)
        stories: list[Story] = []
        for part in parts:
            count += 1
            named = new_anchor(part.title, f"story-{count}", anchors)
            body, kind = story_body(_bare(part.body)), part.kind or StoryKind.ORDINARY
            stories.append(Story(title=part.title, anchor=named, body=body, line=part.line, kind=kind))
        sections.append(Section(title=name, anchor=anchor, stories=tuple(stories)))
    notes = [
        Note(title=part.title, anchor=new_anchor(part.title, f"note-{number}", anchors), body=_bare(part.body))
        for number, part in enumerate(outline.notes, 1)
    ]
    return Document(
        title=title,
        source_url=source_url,
        intro=opening,
        sections=tuple(sections),
        notes=tuple(notes),
        colophon=colophon,
    )


def _bare(body: Sequence[Placed]) -> Blocks:
    return tuple(placed.block for placed in body)


def _source_and_rest(intro: Blocks) -> tuple[str | None, Blocks]:
    """Where the issue was first published, if it begins with `> Source: <url>`, and the introduction without that."""
    match intro:
        case (Quotation(children=(Paragraph(children=(Text(text=label), Link(url=url))),)), *rest):
            if _SOURCE_LABEL.fullmatch(label):
                return url, tuple(rest)
    return None, intro
