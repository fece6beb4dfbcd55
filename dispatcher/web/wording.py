"""What the readers' pages and small mails say, in every language we have, and which language suits a visitor."""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

FALLBACK = "en"
_LONGEST_HEADER = 500  # characters of Accept-Language that are looked at
_AGREED_TO = ("join_title", "join_text", "join_small", "confirm_title", "confirm_text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    strings: Mapping[str, Mapping[str, str]]  # by language
    default: str  # the newsletter's language

    def version(self, language: str) -> str:
        """Names the words that somebody agreed to: `en-3f2a9c1b`; they change, and so does their name."""
        words = "\0".join(self.strings[language][name] for name in _AGREED_TO)
        return f"{language[:6]}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"


def read_wording(default: str, themes: Mapping[str, Mapping[str, str]]) -> Wording:
    """Our own strings under those of the newsletter's theme, which may also bring further languages."""
    ours = {
        path.name.removesuffix(".toml"): tomllib.loads(path.read_text(encoding="utf-8"))
        for path in files("dispatcher.web").joinpath("strings").iterdir()
        if path.name.endswith(".toml")
    }
    return Wording(
        strings={
            language: {**ours[FALLBACK], **ours.get(language, {}), **themes.get(language, {})}
            for language in {*ours, *(tag for tag, strings in themes.items() if "join_title" in strings)}
        },
        default=default,
    )


def language_for(wording: Wording, reader: str | None, accept_language: str) -> str:
    """One that we have: the reader's own, else what the browser asks for, else the newsletter's, else English."""
    wanted = [*([reader] if reader else []), *_accepted(accept_language), wording.default, FALLBACK]
    ours = (tag.lower().partition("-")[0] for tag in wanted)
    return next(tag for tag in ours if tag in wording.strings)


def _accepted(header: str) -> Sequence[str]:
    """The tags of an Accept-Language header, dearest first (RFC 9110 12.5.4)."""
    weighed = list(_weighed(header[:_LONGEST_HEADER]))
    return [tag for weight, tag in sorted(weighed, key=lambda each: -each[0]) if weight > 0]


def _weighed(header: str) -> Iterator[tuple[float, str]]:
    for part in header.split(","):
        tag, _, quality = part.partition(";")
        weight = quality.strip().removeprefix("q=")
        try:
            yield (float(weight) if weight else 1.0), tag.strip()
        except ValueError:
            continue
