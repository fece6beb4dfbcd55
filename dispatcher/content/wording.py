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
    return format_date(day, format=length, locale=_locale(language))


def counted(name: str, count: int, wording: Wording) -> str:
    """A phrase with a number in it: of `minutes_one`, `minutes_few`, … the one that the language's grammar wants."""
    form = _locale(wording.language).plural_form(count)
    phrase = wording.strings.get(f"{name}_{form}") or wording.strings[f"{name}_other"]
    return phrase.format(count=count)


def sponsored(name: str, label: str, strings: Strings) -> str:
    """What stands over a sponsor's words: the author's label with the name, or the theme's."""
    return f"{label}{strings['dot']}{name}" if label else strings["sponsored"].format(name=name)


def facts(*said: str, strings: Strings) -> str:
    """What is known, side by side; what is not said leaves no gap."""
    return strings["dot"].join(filter(None, said))


def closing(until: date | None, wording: Wording) -> str:
    """Until when something is open, empty when nobody said."""
    return wording.strings["until"].format(date=spell_date(until, wording.language, "medium")) if until else ""


def lookup_chain(language: str) -> list[str]:
    """The tags whose words serve a language, nearest first (RFC 4647): zh-Hant-TW, zh-Hant, zh.

    A region implies its script where a language has several: zh-TW finds zh-Hant as well.
    """
    subtags = language.split("-")
    chain = ["-".join(subtags[:length]) for length in range(len(subtags), 0, -1)]
    scripted = f"{subtags[0]}-{_locale(language).script}"
    if len(subtags) == 2 and _locale(language).script and scripted not in chain:
        chain.insert(1, scripted)
    return chain


def _locale(language: str) -> Locale:
    """English where Babel does not know the language."""
    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale("en")
