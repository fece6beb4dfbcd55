"""Draws the pages that readers see, in the language of whoever looks at them, in the look of the newsletter's theme."""

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from dispatcher.web.wording import Wording

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_SAFE_FONTS = re.compile(r"[\w\s,'\"-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    css: Markup
    hash: str  # as a Content-Security-Policy names it


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """The templates, the words, a style for each language, and the facts that stand on all pages."""

    environment: Environment
    wording: Wording
    styles: Mapping[str, Style]
    newsletter: str
    postal_address: str


def open_pages(*, newsletter: str, postal_address: str, wording: Wording) -> Pages:
    """Reads templates and style, which come with the package."""
    environment = Environment(
        loader=PackageLoader("dispatcher.web", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sheet = files("dispatcher.web").joinpath("pages/style.css").read_text(encoding="utf-8")
    return Pages(
        environment=environment,
        wording=wording,
        styles={language: _style(sheet, strings) for language, strings in wording.strings.items()},
        newsletter=newsletter,
        postal_address=postal_address,
    )


def draw(
    pages: Pages,
    language: str,
    name: str,
    facts: Mapping[str, str] | None = None,
    *,
    template: str = "page.html",
    **shown: object,
) -> str:
    """The page called `name` in the strings: its title, its paragraphs, and what its template adds."""
    strings = pages.wording.strings[language]
    known = {"newsletter": escape(pages.newsletter), **_drawn(facts or {})}
    return pages.environment.get_template(template).render(
        language=language,
        dir=strings["dir"],
        style=pages.styles[language].css,
        newsletter=pages.newsletter,
        postal_address=pages.postal_address,
        title=strings[f"{name}_title"].format(newsletter=pages.newsletter),
        paragraphs=[escape(line).format(**known) for line in strings.get(f"{name}_text", "").strip().splitlines()],
        say=_speaker(strings, known),
        **shown,
    )


def _speaker(strings: Mapping[str, str], known: Mapping[str, Markup]) -> Callable[..., Markup]:
    def say(name: str, **facts: object) -> Markup:
        return escape(strings[name]).format(**known, **facts)

    return say


def _drawn(facts: Mapping[str, str]) -> dict[str, Markup]:
    """An address may be written from right to left; a list's name may look like a word of the sentence."""
    around = {"address": Markup("<bdi>{}</bdi>"), "list": Markup("<strong>{}</strong>")}
    return {name: around[name].format(value) for name, value in facts.items()}


def _style(sheet: str, strings: Mapping[str, str]) -> Style:
    """The theme's fonts and colours come first; what is no font or colour is left out, and the sheet's own holds."""
    look = {
        "--fonts": (strings.get("font_stack", ""), _SAFE_FONTS),
        "--leading": (strings.get("line_height", ""), re.compile(r"[0-9.]{1,4}")),
        "--accent-light": (strings.get("page_accent", ""), _COLOUR),
        "--accent-dark": (strings.get("page_accent_dark", ""), _COLOUR),
    }
    chosen = "; ".join(f"{name}: {value}" for name, (value, form) in look.items() if form.fullmatch(value))
    css = f":root {{ {chosen} }}\n{sheet}"
    digest = b64encode(hashlib.sha256(css.encode()).digest()).decode("ascii")
    return Style(css=Markup(css), hash=f"sha256-{digest}")  # noqa: S704  our own file and checked values
