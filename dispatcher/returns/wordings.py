"""The tables of wordings.toml as patterns."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any


@cache
def wording(table: str, name: str) -> re.Pattern[str]:
    """What matches when a text is worded so: `wording("notice", "failure")`."""
    return _pattern(_tables()[table][name])


@cache
def formats() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Who writes notices, by the words that open or close all of his."""
    return tuple((each["name"], _pattern(each["words"])) for each in _tables()["format"])


@cache
def phases() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """At which point of the session something was refused, by how servers name it."""
    return tuple((name, _pattern(words)) for name, words in _tables()["phase"].items())


@cache
def _tables() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def _pattern(words: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(words), re.IGNORECASE)
