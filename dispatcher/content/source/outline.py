"""Tells which headed part of an issue is a section, a story or a note, in either way of writing.

Explicit: `# Section`, `## Story`. Flat, as exports come: every heading is `#`, and what it heads is seen from what
stands under it.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dispatcher.content.personal import without_marks
from dispatcher.content.source.markdown import Placed
from dispatcher.content.tree import Figure, Inlines, Items, Paragraph, Quotation, StoryKind, plain_text
from dispatcher.errors import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A heading and what stands under it, up to the next."""

    title: Inlines
    level: int  # 1 or 2; 0 for what comes before the first heading
    line: int
    body: tuple[Placed, ...]
    kind: StoryKind | None = None  # what its heading says: it is a story then
    condition: str = ""  # on the readers it is for


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """Which part is what."""

    openings: tuple[Part, ...] = ()  # headed texts before the first story: they belong to the introduction
    sections: tuple[tuple[Inlines, tuple[Part, ...]], ...] = ()
    notes: tuple[Part, ...] = ()


def explicit(parts: Sequence[Part], faults: list[Fault], path: str) -> Outline:
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
                faults.append(nothing_under(head, path))
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


def flat(parts: Sequence[Part], faults: list[Fault], path: str) -> Outline:
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
    remedy = "spell its items as the stories' headings"
    return Fault(path=path, line=contents.line, message=message, remedy=remedy, check="NL008")


def _is_story(part: Part) -> bool:
    return part.kind is not None or any(isinstance(placed.block, Figure | Quotation) for placed in part.body)


def nothing_under(part: Part, path: str) -> Fault:
    """The fault of a heading that heads nothing."""
    message = f"there is nothing under the heading “{plain_text(part.title)}”"
    return Fault(path=path, line=part.line, message=message, remedy="write it, or remove the heading")


def matching_key(title: Inlines) -> str:
    """What is left of a title when spelling does not matter: letters and digits."""
    folded = unicodedata.normalize("NFKC", without_marks(plain_text(title))).casefold()
    return "".join(character for character in folded if character.isalnum())
