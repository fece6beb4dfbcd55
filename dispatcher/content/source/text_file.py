"""Reads a text file that an editor wrote, or says what is wrong with it."""

from pathlib import Path

from dispatcher.content.source.front_matter import UNPRINTABLE
from dispatcher.errors import Fault


def read_text(path: Path, *, name: str, largest: int) -> tuple[str, Fault | None]:
    """The file's text with LF at its line ends; empty, and a fault that calls it `name`, if it is none.

    `largest` is in bytes.
    """
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except OSError as error:
        return "", Fault(path=name, message=f"the file cannot be read: {error.strerror}", remedy="make it readable")
    if len(content) > largest:
        message = f"the file is larger than {_size(largest)}"
        return "", Fault(path=name, message=message, remedy="keep pictures in files of their own")
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"byte {error.start} is not UTF-8"
        return "", Fault(path=name, line=line, message=message, remedy="save the file as UTF-8")
    if found := UNPRINTABLE.search(text):
        line = text.count("\n", 0, found.start()) + 1
        message = f"there is a control character, U+{ord(found[0]):04X}"
        return "", Fault(path=name, line=line, message=message, remedy="remove it")
    return text, None


def _size(largest: int) -> str:
    megabytes, rest = divmod(largest, 1024 * 1024)
    return f"{largest // 1024} KB" if rest else f"{megabytes} MB"
