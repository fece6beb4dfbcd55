"""Gives an issue's blocks their meaning: title, introduction, sections of stories, closing notes, colophon.

Editors write in two ways. Explicit: `# Section`, `## Story`. Flat, as exports come: every heading is `#`, and what
it heads is seen from what stands under it. A `##` anywhere makes an issue explicit.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from dispatcher.content.source.anchors import new_anchor
from dispatcher.content.source.balance import statement_faults
from dispatcher.content.source.markdown import Placed
from dispatcher.content.source.outline import Outline, Part, explicit, flat, matching_key, nothing_under
from dispatcher.content.source.story_body import story_body
from dispatcher.content.source.whole_stories import take_conditions
from dispatcher.content.tree import (
    Blocks,
    Divider,
    Document,
    Figure,
    Heading,
    Inlines,
    Link,
    LinkCard,
    Note,
    Paragraph,
    Quotation,
    Section,
    Statement,
    Story,
    StoryKind,
    Text,
    plain_text,
)
from dispatcher.errors import Fault
from dispatcher.models import Field

_SOURCE_LABEL = re.compile(r"\s*(原文|source)\s*[:：]\s*", re.IGNORECASE)


def shape(
    blocks: Sequence[Placed], *, title: str | None, fields: Sequence[Field], faults: list[Fault], path: str
) -> Document:
    """The document that the blocks make; `title` is the front matter's, else the first heading gives it."""
    intro, *parts = headed = take_conditions(_parts(blocks), fields=fields, faults=faults, path=path)
    is_explicit = any(part.level == 2 for part in parts)
    heading: Inlines = (Text(text=title),) if title else ()
    if parts and parts[0].level == 1 and (not title or matching_key(parts[0].title) == matching_key(heading)):
        heading = heading or parts[0].title
        intro = replace(intro, body=intro.body + parts.pop(0).body)
    is_told = any(fault.check == "NL001" and fault.path == path for fault in faults)  # the title may stand there
    if not heading and not is_told and (blocks or not faults):  # of a file that could not be read nothing more is said
        remedy = "begin it with `# The title`, or write `title:` into its front matter"
        faults.append(Fault(path=path, line=1, message="the issue has no title", remedy=remedy))
    *others, last = [intro, *parts]
    last, colophon = _before_and_after_divider(last)
    intro, *parts = [*others, last]
    faults += [
        nothing_under(part, path)
        for part in parts
        if not (part.body or (is_explicit and part.level == 1) or _is_brief_by_itself(part))
    ]
    outline = explicit(parts, faults, path) if is_explicit else flat(parts, faults, path)
    stories = {id(story.title) for _, members in outline.sections for story in members}
    others = [part for part in headed if id(part.title) not in stories]
    faults += [_no_story(part, f"{{.{part.kind}}}", path) for part in others if part.kind]
    faults += [_no_story(part, "for some readers only", path) for part in others if part.condition and part.body]
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


def _parts(blocks: Sequence[Placed]) -> list[Part]:
    parts = [Part(title=(), level=0, line=1, body=())]
    body: list[Placed] = []
    for placed in blocks:
        match placed.block:
            case Heading(level=(1 | 2) as level, children=title, kind=kind, only=only):
                parts[-1] = replace(parts[-1], body=_trimmed(body))
                parts.append(Part(title=title, level=level, line=placed.line, body=(), kind=kind, condition=only))
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
    while after and isinstance(after[0], Statement):  # the end of a condition around the card
        after = after[1:]
    if not all(isinstance(block, Paragraph) for block in after):
        return note, ()
    return replace(note, body=note.body[: len(note.body) - len(after)]), after


def _is_brief_by_itself(part: Part) -> bool:
    """`## [What it is](https://…) {.brief}` says all it has to."""
    return part.kind is StoryKind.BRIEF and any(isinstance(inline, Link) for inline in part.title)


def _no_story(part: Part, what: str, path: str) -> Fault:
    message = f"“{plain_text(part.title)}” is no story, and cannot be {what}"
    return Fault(path=path, line=part.line, message=message, remedy="remove it, or make the heading a story's")


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
            stories.append(
                Story(title=part.title, anchor=named, body=body, line=part.line, kind=kind, condition=part.condition)
            )
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
