"""Finds the cause of a failure in a server's own words, by the table in phrases.toml."""

import re
import tomllib
from functools import cache
from pathlib import Path

from dispatcher.returns.returned import Cause

_MOST = 4000  # characters that are looked at

# What names a host, a page or an address says nothing about the cause, though it may hold such a word.
_NAMES = re.compile(
    r"\bhttps?:\S+|\bwww\.\S+|<?[^\s<>]{0,128}@[^\s<>:;,)\]]{1,128}[>:;,)\]]*"
    r"|\b(?:[a-z0-9-]{1,63}\.){2,8}[a-z]{2,24}\b(?:\[[^\]]{1,60}\])?",
    re.IGNORECASE,
)


def cause_in(text: str) -> tuple[Cause, str] | None:
    """The cause that a server's words name, and the words; None if they name none."""
    words = " ".join(_NAMES.sub(" ", text[:_MOST]).split())
    for cause, pattern in _rows():
        if found := pattern.search(words):
            return cause, found[0]
    return None


@cache
def _rows() -> tuple[tuple[Cause, re.Pattern[str]], ...]:
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return tuple((Cause(row["cause"]), re.compile("|".join(row["words"]), re.IGNORECASE)) for row in table["row"])
