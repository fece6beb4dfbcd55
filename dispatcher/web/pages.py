"""Draws the small pages that readers see, in the language of whoever looks at them."""

import hashlib
import tomllib
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup, escape

_FALLBACK = "en"
_LONGEST_HEADER = 500  # characters of Accept-Language that are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """The page's template, what it says in every language we have, and the facts that stand on all pages."""

    template: Template
    style: Markup
    style_hash: str  # as a Content-Security-Policy names it
    strings: Mapping[str, Mapping[str, str]]  # by language
    default: str
    newsletter: str
    postal_address: str


def open_pages(*, newsletter: str, postal_address: str, default: str) -> Pages:
    """Reads template, style and strings, which come with the package."""
    environment = Environment(
        loader=PackageLoader("dispatcher.web", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    room = files("dispatcher.web")
    style = room.joinpath("pages/style.css").read_text(encoding="utf-8")
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    return Pages(
        template=environment.get_template("page.html"),
        style=Markup(style),  # noqa: S704  our own file
        style_hash=f"sha256-{digest}",
        strings={
            path.name.removesuffix(".toml"): tomllib.loads(path.read_text(encoding="utf-8"))
            for path in room.joinpath("strings").iterdir()
            if path.name.endswith(".toml")
        },
        default=default,
        newsletter=newsletter,
        postal_address=postal_address,
    )


def draw(
    pages: Pages,
    language: str,
    name: str,
    facts: Mapping[str, str] | None = None,
    *,
    may_leave: bool = False,
    other_lists: int = 0,
) -> str:
    """The page called `name` in the strings, with a button for each thing that can be done on it."""
    strings = pages.strings[language]
    shown = {"newsletter": escape(pages.newsletter), **_drawn(facts or {})}
    others = "" if not other_lists else strings["others_one" if other_lists == 1 else "others_many"]
    return pages.template.render(
        language=language,
        dir=strings["dir"],
        style=pages.style,
        newsletter=pages.newsletter,
        postal_address=pages.postal_address,
        title=strings[f"{name}_title"].format(newsletter=pages.newsletter),
        paragraphs=[escape(line).format(**shown) for line in strings[f"{name}_text"].splitlines()],
        others=others.format(count=other_lists),
        leave=strings["leave"] if may_leave else None,
        leave_all=strings["leave_all"] if other_lists else None,
        nothing_yet=strings["nothing_yet"] if may_leave else None,
    )


def language_for(pages: Pages, reader: str | None, accept_language: str) -> str:
    """One that we have: the reader's own, else what the browser asks for, else the newsletter's, else English."""
    wanted = [*([reader] if reader else []), *_accepted(accept_language), pages.default, _FALLBACK]
    ours = (tag.lower().partition("-")[0] for tag in wanted)
    return next(tag for tag in ours if tag in pages.strings)


def _drawn(facts: Mapping[str, str]) -> dict[str, Markup]:
    """An address may be written from right to left; a list's name may look like a word of the sentence."""
    around = {"address": Markup("<bdi>{}</bdi>"), "list": Markup("<strong>{}</strong>")}
    return {name: around[name].format(value) for name, value in facts.items()}


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
