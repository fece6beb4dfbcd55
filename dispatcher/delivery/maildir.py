"""Delivers into a Maildir: nothing leaves the machine, and any mail program opens it."""

import os
import socket
from pathlib import Path


def open_maildir(folder: Path) -> None:
    """Makes the folders. Raises OSError."""
    for part in ("tmp", "new", "cur"):
        (folder / part).mkdir(parents=True, exist_ok=True, mode=0o700)


def store(folder: Path, message_id: str, content: bytes) -> str:
    """Writes a message durably and returns its file's name. Raises OSError; then the message is not there.

    The name depends on the Message-ID alone, so that a message is never there twice.
    """
    name = _name(message_id)
    temporary = folder / "tmp" / name
    with temporary.open("wb") as file:
        file.write(content.replace(b"\r\n", b"\n"))  # a Maildir keeps the system's line ends
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(folder / "new" / name)
    _sync(folder / "new")
    return name


def find(folder: Path, message_id: str) -> str | None:
    """The file's name if the message is there, read or unread."""
    name = _name(message_id)
    if (folder / "new" / name).exists():
        return name
    # A mail program moves what was read to cur/ and adds flags behind a colon.
    return next((path.name for path in (folder / "cur").glob(f"{name}*")), None)


def _name(message_id: str) -> str:
    host = socket.gethostname().replace("/", "\\057").replace(":", "\\072")
    return f"{message_id.partition('@')[0]}.{host}"


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
