"""Finds a newsletter's standing texts: `templates/snippets/NAME.LANG.md`, or `NAME.md` for every language."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dispatcher.content.source.front_matter import language_tag
from dispatcher.content.source.text_file import read_text
from dispatcher.content.wording import lookup_chain
from dispatcher.errors import Fault

FOLDER = "templates/snippets"
LARGEST = 16 * 1024  # bytes
MOST = 100  # uses in a file; with the size it bounds what a few lines can grow to


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """A standing text that is there to be read."""

    path: Path
    shown: str  # the path as faults say it


def find_snippets(root: Path, language: str) -> Mapping[str, Snippet]:
    """The newsletter's standing texts by name, each from the file nearest to the language.

    For zh-Hant-TW that is NAME.zh-Hant-TW.md, NAME.zh-Hant.md, NAME.zh.md, NAME.md.
    """
    nearness = {tag: rank for rank, tag in enumerate([*lookup_chain(language), ""])}
    found: dict[str, tuple[int, Snippet]] = {}
    for path in sorted((root / FOLDER).glob("*.md")):
        name, _, suffix = path.name.removesuffix(".md").partition(".")
        rank = nearness.get((language_tag(suffix) or suffix) if suffix else "")
        if rank is not None and (name not in found or rank < found[name][0]):
            found[name] = rank, Snippet(path=path, shown=f"{FOLDER}/{path.name}")
    return {name: snippet for name, (_, snippet) in found.items()}


def read_snippet(snippet: Snippet) -> tuple[str, Fault | None]:
    """Its text; empty, and a fault, if it cannot be read."""
    return read_text(snippet.path, name=snippet.shown, largest=LARGEST)
