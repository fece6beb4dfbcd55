"""Finds the pictures of issues that are not frozen yet, so that a trial's messages show them."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock

from dispatcher.content.drawing.pictures import load_picture
from dispatcher.models import Picture

_SECONDS_BETWEEN_SCANS = 3.0
_NO_PICTURES = {".md", ".json"}


def draft_pictures(
    root: Path, *, clock: Callable[[], float] = time.monotonic
) -> Callable[[str], tuple[str, bytes] | None]:
    """A function that finds pictures of issues not frozen yet by the name of their content, in `root`/issues.

    The folders are read at first use, and again for an unknown name, at most every few seconds.
    """
    places: dict[str, tuple[Path, str]] = {}  # name → the folder, and the file in it
    names: dict[tuple[Path, int, int], str | None] = {}  # file as it was when read → name, None for no picture
    lock = Lock()
    scanned_at = float("-inf")

    def scan() -> None:
        nonlocal scanned_at
        with lock:
            if clock() - scanned_at < _SECONDS_BETWEEN_SCANS:
                return
            places.clear()
            for folder, path, state in _draft_files(root):
                if state not in names:
                    picture = load_picture(folder, str(path.relative_to(folder)))
                    names[state] = None if picture is None else picture.name
                if (name := names[state]) is not None:
                    places[name] = folder, str(path.relative_to(folder))
            scanned_at = clock()

    def find(name: str) -> Picture | None:
        place = places.get(name)
        picture = None if place is None else load_picture(*place)
        return picture if picture is not None and picture.name == name else None

    def find_or_scan(name: str) -> tuple[str, bytes] | None:
        picture = find(name)
        if picture is None:
            scan()
            picture = find(name)
        return None if picture is None else (picture.media_type, picture.content)

    return find_or_scan


def _draft_files(root: Path) -> Iterator[tuple[Path, Path, tuple[Path, int, int]]]:
    """Issue's folder, file, and what tells the file from its earlier self."""
    for folder in sorted((root / "issues").glob("*/")):
        for path in sorted(folder.rglob("*")):
            try:
                if path.is_file() and path.suffix not in _NO_PICTURES and not path.name.startswith("."):
                    stat = path.stat()
                    yield folder, path, (path, stat.st_mtime_ns, stat.st_size)
            except OSError:  # gone or closed to us: no picture for readers
                continue
