"""Reads `{only: 'plan == "pro"'}`, which says behind a heading or a container which readers it is for."""

import re

from dispatcher.content.source.conditions import as_condition
from dispatcher.content.source.prose import Sheet, report
from dispatcher.content.tree import Statement
from dispatcher.expressions import NotUnderstoodError, parse
from dispatcher.models import Field

ONLY = r"""only\ *[:=]\ *(?P<quote>["'])(?P<only>.*?)(?P=quote)"""
"""As it stands between braces, in a verbose pattern."""

_ALONE = re.compile(rf"(?:^|\s+)\{{\ *{ONLY}\ *\}}\s*\Z", re.VERBOSE)


def read_only(written: str, line: int, sheet: Sheet) -> str:
    """The condition that the words between the quotes make; empty, and a fault, if they are not understood."""
    try:
        return as_condition(parse(written))
    except NotUnderstoodError as error:
        message = f"only: {written!r} is not understood: {error} (column {error.column})"
        report(sheet, line, message, """write it like {only: 'plan == "pro"'}""")
        return ""


def split_only(argument: str, line: int, sheet: Sheet) -> tuple[str, str]:
    """A container's argument without its `{only: …}`, and the condition, empty for everybody."""
    found = _ALONE.search(argument)
    return (argument[: found.start()], read_only(found["only"], line, sheet)) if found else (argument, "")


def around(condition: str, line: int, sheet: Sheet) -> tuple[Statement, Statement]:
    """The statements that stand before and behind what is for some readers only."""
    marks = []
    for source in (f"{{% if {condition} %}}", "{% endif %}"):
        sheet.fields.append(Field(source=source, path=sheet.path, line=line))
        marks.append(f"zq{len(sheet.fields) - 1}sqz")
    return Statement(marks=marks[0]), Statement(marks=marks[1])
