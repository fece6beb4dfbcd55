"""Reads a table, row by row."""

from collections.abc import Iterator
from typing import cast

from markdown_it.token import Token

from dispatcher.content.source.prose import Sheet, read_prose
from dispatcher.content.tree import Align, Inlines, Table


def read_table(tokens: Iterator[Token], sheet: Sheet) -> Table:
    align: list[Align] = []
    rows: list[list[Inlines]] = []
    for token in tokens:
        match token.type:
            case "table_close":
                break
            case "tr_open":
                rows.append([])
            case "th_open":
                align.append(cast("Align", str(token.attrs.get("style", "")).removeprefix("text-align:")))
            case "inline":
                rows[-1].append(read_prose(token.content, line=token.map[0] if token.map else 0, sheet=sheet))
    header, *others = map(tuple, rows)
    return Table(header=header, align=tuple(align), rows=tuple(others))
