"""Takes `{% if … %}` lines that stand around whole stories out of the text, and notes the condition with each story."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dispatcher.content.personal import MARK
from dispatcher.content.source.markdown import Placed
from dispatcher.content.source.outline import Part
from dispatcher.content.tree import Statement
from dispatcher.errors import Fault
from dispatcher.models import Field

_CONSTRUCT = re.compile(r"\{%\s*(?P<word>\w+)\s*(?P<rest>.*?)\s*%\}")


@dataclass(slots=True, kw_only=True)
class _Branch:
    """An `if` around stories, as far as it has been read."""

    field: Field
    current: str  # the condition of the branch; empty in an `else`
    before: list[str]  # those of the branches before it

    @property
    def condition(self) -> str:
        return all_of([*(f"not ({each})" for each in self.before), self.current])


def take_conditions(
    parts: Sequence[Part], *, fields: Sequence[Field], faults: list[Fault], path: str
) -> tuple[Part, ...]:
    """The parts without the statements that open at the end of one and close at the end of another.

    Statements that open and close within a part stay where they are.
    """
    branches: list[_Branch] = []
    taken: list[Part] = []
    for part in parts:
        condition = all_of([*(branch.condition for branch in branches), part.condition])
        body, outer = _split(part.body, fields, depth=len(branches))
        taken.append(replace(part, body=body, condition=condition))
        for each in outer:
            _follow(each, branches)
    faults += [
        Fault(
            path=path,
            line=each.field.line,
            message=f"{each.field.source} is not closed",
            remedy="add {% endif %}",
            check="NL048",
        )
        for each in branches
    ]
    return tuple(taken)


def all_of(conditions: Sequence[str]) -> str:
    """A condition that holds when all of these do; an empty one always does."""
    return " and ".join(f"({each})" for each in dict.fromkeys(conditions) if each)


def _split(body: Sequence[Placed], fields: Sequence[Field], *, depth: int) -> tuple[tuple[Placed, ...], list[Field]]:
    """A part's body, and the statements at its end that are about whole stories."""
    end = len(body)
    while end and isinstance(body[end - 1].block, Statement):
        end -= 1
    inner = 0
    for each in _statements(body[:end], fields):
        inner += {"if": 1, "for": 1, "endif": -1, "endfor": -1}.get(_word(each), 0)
    kept: list[Placed] = list(body[:end])
    outer: list[Field] = []
    for placed in body[end:]:
        marks = []
        for mark, each in _marked(placed, fields):
            word = _word(each)
            if inner > 0 or word in {"for", "endfor", "set"} or (word != "if" and depth == 0):
                inner += {"if": 1, "for": 1, "endif": -1, "endfor": -1}.get(word, 0)
                marks.append(mark)
            else:
                depth += {"if": 1, "endif": -1}.get(word, 0)
                outer.append(each)
        if marks:
            kept.append(replace(placed, block=Statement(marks=" ".join(marks))))
    return tuple(kept), outer


def _follow(statement: Field, branches: list[_Branch]) -> None:
    found = _CONSTRUCT.fullmatch(statement.source)
    word, condition = (found["word"], found["rest"]) if found else ("", "")
    match word:
        case "if":
            branches.append(_Branch(field=statement, current=condition, before=[]))
        case "elif" | "else":
            branches[-1].before.append(branches[-1].current)
            branches[-1].current = condition
        case "endif":
            branches.pop()


def _statements(body: Sequence[Placed], fields: Sequence[Field]) -> Iterator[Field]:
    for placed in body:
        if isinstance(placed.block, Statement):
            yield from (each for _, each in _marked(placed, fields))


def _marked(placed: Placed, fields: Sequence[Field]) -> Iterator[tuple[str, Field]]:
    marks = placed.block.marks if isinstance(placed.block, Statement) else ""
    for mark in MARK.finditer(marks):
        if len(mark[1]) < 10 and int(mark[1]) < len(fields):
            yield mark[0], fields[int(mark[1])]


def _word(statement: Field) -> str:
    found = _CONSTRUCT.match(statement.source)
    return found["word"] if found else ""
