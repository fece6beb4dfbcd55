"""Prints a table in columns, plain enough to be piped."""

from collections.abc import Sequence

from wcwidth import wcswidth


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Left-aligned columns, two spaces apart; wide characters count double."""
    table = [header, *rows]
    widths = [max(_width(row[column]) for row in table) for column in range(len(header))]
    for row in table:
        print("  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip())


def _width(text: str) -> int:
    return max(wcswidth(text), 0) or len(text)
