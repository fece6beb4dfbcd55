"""Finds what the database cannot erase: lines of lists' files and messages in an outbox that hold an address."""

import re
from collections.abc import Iterator
from pathlib import Path


def lines_with(folder: Path, address: str) -> Iterator[str]:
    """`subscribers/weekly.csv:17` for each line that holds the address in whatever case."""
    wanted = _whole(address)
    for path in sorted((folder / "subscribers").glob("*.csv")):
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if wanted.search(line):
                    yield f"{path.relative_to(folder)}:{number}"


def messages_with(outbox: Path, address: str) -> Iterator[Path]:
    """Files of a Maildir whose header holds the address."""
    wanted = _whole(address)
    for path in sorted(file for part in ("new", "cur", "tmp") for file in (outbox / part).glob("*")):
        with path.open("rb") as file:
            if wanted.search(file.read(65_536).partition(b"\n\n")[0]):
                yield path


def _whole(address: str) -> re.Pattern[bytes]:
    """The address, and not the end of a longer one."""
    return re.compile(rb"(?<![\w.+-])" + re.escape(address.encode()) + rb"(?![\w-]|\.\w)", re.IGNORECASE)
