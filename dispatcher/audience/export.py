"""Writes a list as CSV that a spreadsheet can open without running what a reader wrote into his name."""

import csv
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TextIO

from dispatcher.errors import NotFound
from dispatcher.expressions import Expression
from dispatcher.storage.database import Database
from dispatcher.storage.subscribers import attribute_names, find_list, members

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


def export_list(database: Database, list_name: str, out: Path | None, *, where: Expression | None = None) -> None:
    """Writes the active members to a file, or to standard output; with `where` those it names. Raises NotFound."""
    if find_list(database, list_name) is None:
        raise NotFound(f"no list {list_name!r}; `dispatcher subscribers list` shows the lists")
    attributes = attribute_names(database, list_name)
    with _opened(out) as file:
        writer = csv.writer(file)
        writer.writerow(["email", "name", "language", *attributes])
        for row in members(database, list_name, where):
            values = [row.email, row.name, row.language, *(row.attributes.get(each) for each in attributes)]
            writer.writerow([_safe(value or "") for value in values])


def write_text(text: str, out: Path | None) -> None:
    """Writes to a file that only its owner reads, or to standard output. Raises NotFound."""
    with _opened(out) as file:
        file.write(text)


def _opened(out: Path | None) -> AbstractContextManager[TextIO]:
    """Personal data: the file is made for its owner alone."""
    if out is None:
        return nullcontext(sys.stdout)
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise NotFound(f"{out}: {error.strerror}") from error
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="")


def _safe(cell: str) -> str:
    """A cell that a spreadsheet takes as text; reading the file back removes the apostrophe."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
