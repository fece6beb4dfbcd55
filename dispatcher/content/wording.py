"""What a theme says in a language, and how the language spells dates."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from babel import Locale, UnknownLocaleError
from babel.dates import format_date

Strings = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    language: str  # BCP 47
    strings: Strings


def spell_date(day: date | None, language: str, length: Literal["long", "medium"] = "long") -> str:
    """The date as the language writes it; English where Babel does not know the language."""
    if day is None:
        return ""
    try:
        locale = Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        locale = Locale("en")
    return format_date(day, format=length, locale=locale)


def sponsored(name: str, label: str, strings: Strings) -> str:
    """What stands over a sponsor's words: the author's label with the name, or the theme's."""
    return f"{label}{strings['dot']}{name}" if label else strings["sponsored"].format(name=name)


def facts(*said: str, strings: Strings) -> str:
    """What is known, side by side; what is not said leaves no gap."""
    return strings["dot"].join(filter(None, said))


def closing(until: date | None, wording: Wording) -> str:
    """Until when something is open, empty when nobody said."""
    return wording.strings["until"].format(date=spell_date(until, wording.language, "medium")) if until else ""
