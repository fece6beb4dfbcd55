"""Writes a list as CSV that a spreadsheet can open without running what a reader wrote into his name."""

import csv
import sys
from contextlib import nullcontext
from pathlib import Path

from dispatcher.errors import NotFound
from dispatcher.storage.database import Database
from dispatcher.storage.subscribers import attribute_names, find_list, members

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


def export_list(database: Database, list_name: str, out: Path | None) -> None:
    """Writes the active members to a file, or to standard output. Raises NotFound."""
    if find_list(database, list_name) is None:
        raise NotFound(f"no list {list_name!r}; `dispatcher subscribers list` shows the lists")
    attributes = attribute_names(database, list_name)
    try:
        target = nullcontext(sys.stdout) if out is None else out.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise NotFound(f"{out}: {error.strerror}") from error
    with target as file:
        writer = csv.writer(file)
        writer.writerow(["email", "name", "language", *attributes])
        for row in members(database, list_name):
            values = [row.email, row.name, row.language, *(row.attributes.get(each) for each in attributes)]
            writer.writerow([_safe(value or "") for value in values])


def _safe(cell: str) -> str:
    """A cell that a spreadsheet takes as text; reading the file back removes the apostrophe."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
