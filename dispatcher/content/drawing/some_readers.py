"""Marks what only some readers get: where a story begins and ends for them, and the number it has among theirs."""

from collections.abc import Mapping

from dispatcher.content.tree import Document
from dispatcher.models import Field


def bracketed(document: Document, *, into: list[Field], path: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """What stands before and behind each story and section, by its anchor; nothing around what everybody gets."""
    opens: dict[str, str] = {}
    closes: dict[str, str] = {}
    for section in document.sections:
        line = section.stories[0].line if section.stories else 1
        for anchor, condition, at in (
            (section.anchor, section.condition, line),
            *((story.anchor, story.condition, story.line) for story in section.stories),
        ):
            opens[anchor] = _mark(f"{{% if {condition} %}}", "s", into, path, at) if condition else ""
            closes[anchor] = _mark("{% endif %}", "s", into, path, at) if condition else ""
    return opens, closes


def numbered(document: Document, *, into: list[Field], path: str) -> Mapping[str, str]:
    """Each story's number among those that a reader gets, by its anchor."""
    numbers: dict[str, str] = {}
    sure, perhaps = 0, ""
    for story in (story for section in document.sections for story in section.stories):
        numbers[story.anchor] = str(sure + 1)
        if perhaps:
            numbers[story.anchor] = _mark(f"{{{{ {sure + 1}{perhaps} }}}}", "x", into, path, story.line)
        if story.condition:
            perhaps += f" + (1 if {story.condition} else 0)"
        else:
            sure += 1
    return numbers


def _mark(source: str, kind: str, into: list[Field], path: str, line: int) -> str:
    into.append(Field(source=source, path=path, line=line))
    return f"zq{len(into) - 1}{kind}qz"
