"""Takes returned mail from where it lies: a Maildir, an mbox, a file, a folder of mails, standard input."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MOST_BYTES = 10_000_000  # of one mail; the rest is not read
_FIRST_LINE = 5


def _nothing() -> None:
    """For sources that keep no marks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One mail; `done` marks it as dealt with, `left` as left to a person, where the source knows such things."""

    name: str
    raw: bytes
    done: Callable[[], None] = _nothing
    left: Callable[[], None] = _nothing


def mails_in(source: Path, standard_input: BinaryIO) -> Iterator[Found]:
    """The mails of a source, oldest name first; `-` is standard input. Raises OSError."""
    if str(source) == "-":
        if (raw := standard_input.read(MOST_BYTES)).strip():
            yield Found(name="-", raw=raw)
    elif (source / "new").is_dir() and (source / "cur").is_dir():
        yield from _maildir(source)
    elif source.is_dir():
        for path in sorted(source.iterdir()):
            if path.is_file() and not path.name.startswith("."):
                yield Found(name=path.name, raw=_read(path))
    else:
        yield from _file(source)


def _maildir(folder: Path) -> Iterator[Found]:
    """What is new and what nobody has seen; what is done is marked as seen, the rest stays as it is."""
    waiting = [*(folder / "new").iterdir(), *(folder / "cur").iterdir()]
    for path in sorted(waiting, key=lambda each: each.name):
        flags = path.name.rpartition(":2,")[2] if ":2," in path.name else ""
        if path.name.startswith(".") or "S" in flags:
            continue
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):  # another reader or the editor was faster
            raw = _read(path)
            yield Found(name=path.name, raw=raw, done=_mark_seen(folder, path, flags))


def _mark_seen(folder: Path, path: Path, flags: str) -> Callable[[], None]:
    def done() -> None:
        name = path.name.partition(":2,")[0]
        with contextlib.suppress(FileNotFoundError):  # another reader was faster, and it is acted on once
            path.rename(folder / "cur" / f"{name}:2,{''.join(sorted({*flags, 'S'}))}")

    return done


def _file(path: Path) -> Iterator[Found]:
    """One mail, or all of an mbox; an mbox is read line by line and may be of any size."""
    with path.open("rb") as file:
        if file.read(_FIRST_LINE) != b"From ":
            file.seek(0)
            yield Found(name=path.name, raw=file.read(MOST_BYTES))
            return
        file.seek(0)
        for number, raw in enumerate(_split(file), start=1):
            yield Found(name=f"{path.name}:{number}", raw=raw)


def _split(file: BinaryIO) -> Iterator[bytes]:
    """The mails of an mbox, which begin with `From ` behind an empty line; `>From ` in them is unquoted."""
    lines: list[bytes] = []
    size, was_empty = 0, True
    for line in file:
        if was_empty and line.startswith(b"From "):
            if lines:
                yield b"".join(lines)
            lines, size = [], 0
        elif size <= MOST_BYTES:
            lines.append(line[1:] if line.startswith(b">From ") else line)
            size += len(line)
        was_empty = line in {b"\n", b"\r\n"}
    if lines:
        yield b"".join(lines)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST_BYTES)


def is_there(source: Path) -> bool:
    return str(source) == "-" or os.access(source, os.R_OK)


def is_imap(source: str) -> bool:
    return source.startswith(("imaps://", "imap://"))
