"""Tells where a translation has fallen behind its original: other stories, pictures, links or notices than there."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass

from dispatcher.content.source.issue import Draft
from dispatcher.content.tree import (
    Document,
    Events,
    Figure,
    Jobs,
    Link,
    LinkCard,
    Poll,
    Quotation,
    Sponsor,
    Story,
    Table,
    plain_text,
)
from dispatcher.errors import Fault

_COUNTED: dict[type, tuple[str, str]] = {
    Figure: ("picture", "pictures"),
    Link: ("link", "links"),
    LinkCard: ("card", "cards"),
    Quotation: ("quotation", "quotations"),
    Table: ("table", "tables"),
    Sponsor: ("sponsor", "sponsors"),
    Jobs: ("list of jobs", "lists of jobs"),
    Events: ("list of events", "lists of events"),
    Poll: ("poll", "polls"),
}
_REMEDY = "bring the translation up to date"


def drift(original: Draft, translation: Draft, *, path: str) -> tuple[Fault, ...]:
    """What a reader of the translation gets otherwise; `path` is the translation's, for printing.

    Stories are compared in their order. Words are not: nobody can tell from outside whether they say the same.
    """
    ours, theirs = _stories(translation.document), _stories(original.document)
    if len(ours) != len(theirs):
        message = f"{_said(len(ours), 'story', 'stories')} here, {len(theirs)} in {original.path.name}"
        return (Fault(path=path, message=message, remedy=_REMEDY, check="NL036"),)
    return (*_of_stories(ours, theirs, original.path.name, path), *_of_the_rest(original, translation, path))


def _of_stories(ours: Sequence[Story], theirs: Sequence[Story], name: str, path: str) -> Iterator[Fault]:
    for story, its_original in zip(ours, theirs, strict=True):
        if differs := _difference((story.title, story.body), (its_original.title, its_original.body)):
            message = f"“{plain_text(story.title)}” has {differs} in {name}:{its_original.line}"
            yield Fault(path=path, line=story.line, message=message, remedy=_REMEDY, check="NL036")
        elif (story.kind, story.condition) != (its_original.kind, its_original.condition):
            message = f"“{plain_text(story.title)}” is not of the kind, or not for the readers, of {name}:"
            yield Fault(
                path=path, line=story.line, message=f"{message}{its_original.line}", remedy=_REMEDY, check="NL036"
            )


def _of_the_rest(original: Draft, translation: Draft, path: str) -> Iterator[Fault]:
    one, other = (
        (draft.document.intro, draft.document.notes, draft.document.colophon) for draft in (translation, original)
    )
    if differs := _difference(one, other):
        message = f"outside of its stories the issue has {differs} in {original.path.name}"
        yield Fault(path=path, message=message, remedy=_REMEDY, check="NL036")
    if original.date != translation.date:
        yield Fault(path=path, message=f"the date is not that of {original.path.name}", remedy=_REMEDY, check="NL036")


def _stories(document: Document) -> list[Story]:
    return [story for section in document.sections for story in section.stories]


def _difference(one: object, other: object) -> str:
    """The first kind of thing that one has more of than the other, in words; empty if there is none."""
    counts, others = Counter(_counted(one)), Counter(_counted(other))
    for kind, (singular, plural) in _COUNTED.items():
        if counts[kind] != others[kind]:
            return f"{_said(counts[kind], singular, plural)}, but {others[kind]}"
    return ""


def _counted(value: object) -> Iterator[type]:
    if type(value) in _COUNTED:
        yield type(value)
    if isinstance(value, tuple):
        for child in value:
            yield from _counted(child)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _counted(getattr(value, field.name))


def _said(count: int, singular: str, plural: str) -> str:
    return f"{count or 'no'} {singular if count == 1 else plural}"
