"""Works out how each run of text is shown, in light and in dark: what the tags and the style blocks make of it.

Only what legibility hangs on is computed: colours, size, weight, and whether it is seen at all. Rules for Outlook.com's
own dark mode stand beside those of the media query and say the same, and are passed over.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

import tinycss2
from cssselect import SelectorError
from lxml.cssselect import CSSSelector  # type: ignore[import-untyped]
from lxml.html import HtmlElement  # type: ignore[import-untyped]
from tinycss2.color3 import RGBA, parse_color

_KNOWN = frozenset("color background background-color font-size font-weight display".split())
_BOLD = frozenset("b strong th h1 h2 h3 h4 h5 h6".split())
_UNSEEN = frozenset("head style script title template".split())

Rank = tuple[bool, bool, tuple[int, int, int], int]  # important, in the tag, how specific, how late
Rules = Mapping[HtmlElement, Mapping[str, tuple[Rank, str]]]


class Scheme(StrEnum):
    LIGHT = "light"
    DARK = "dark"  # of programs that ask by media query; not of those that invert by themselves


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A run of text as it is seen; a colour is None where a picture or gradient decides it."""

    text: str
    colour: tuple[float, float, float]
    background: tuple[float, float, float] | None
    pixels: float
    is_bold: bool

    @property
    def is_large(self) -> bool:
        """As WCAG means it: 18 points, or 14 in bold."""
        return self.pixels >= 24 or (self.is_bold and self.pixels >= 18.66)


def shown_texts(page: HtmlElement, scheme: Scheme) -> Iterator[Shown]:
    """Every visible run of text in the page's body."""
    plain = Shown(text="", colour=(0, 0, 0), background=(1, 1, 1), pixels=16, is_bold=False)
    yield from _walk(page.body, plain, _rules(page, scheme))


def contrast(one: Sequence[float], other: Sequence[float]) -> float:
    """The ratio of WCAG 2, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def hexadecimal(colour: Sequence[float]) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in colour)


def _luminance(colour: Sequence[float]) -> float:
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _walk(element: HtmlElement, around: Shown, rules: Rules) -> Iterator[Shown]:
    if not isinstance(element.tag, str) or element.tag in _UNSEEN:
        return
    style = {name: value for name, (_, value) in rules.get(element, {}).items()} | _in_tag_where_stronger(
        element, rules
    )
    if style.get("display") == "none":
        return
    here = _applied(element, style, around)
    if element.text and element.text.strip():
        yield replace(here, text=element.text)
    for child in element:
        yield from _walk(child, here, rules)
        if child.tail and child.tail.strip():
            yield replace(here, text=child.tail)


def _in_tag_where_stronger(element: HtmlElement, rules: Rules) -> dict[str, str]:
    """The tag's own style, which only an !important rule overrules."""
    won = rules.get(element, {})
    own = _declarations(element.get("style", ""))
    return {name: value for name, important, value in own if important or name not in won or not won[name][0][0]}


def _applied(element: HtmlElement, style: Mapping[str, str], around: Shown) -> Shown:
    colour = _colour(style.get("color", "")) or (_colour("#0000ee") if element.tag == "a" else None)
    background = around.background
    written = style.get("background-color") or style.get("background") or element.get("bgcolor") or ""
    if "url(" in written or "gradient(" in written:
        background = None
    elif (found := _colour(written)) is not None:
        background = _over(found, background)
    weight = style.get("font-weight", "")
    is_bold = weight in {"bold", "bolder", "600", "700", "800", "900"} or (not weight and element.tag in _BOLD)
    return Shown(
        text="",
        colour=_over(colour, background or (1, 1, 1)) or around.colour if colour else around.colour,
        background=background,
        pixels=_pixels(style.get("font-size", ""), around.pixels),
        is_bold=is_bold or (not weight and around.is_bold),
    )


def _over(colour: RGBA, background: tuple[float, float, float] | None) -> tuple[float, float, float] | None:
    """A colour, mixed with what shines through it."""
    if colour.alpha >= 1:
        return (colour.red, colour.green, colour.blue)
    if background is None:
        return None
    mixed = (
        part * colour.alpha + below * (1 - colour.alpha) for part, below in zip(colour[:3], background, strict=True)
    )
    red, green, blue = mixed
    return (red, green, blue)


@lru_cache(maxsize=512)
def _pixels(size: str, around: float) -> float:
    number = re.fullmatch(r"(\d+(?:\.\d+)?)(px|pt|em|rem|%)", size)
    if not number:
        return around
    value = float(number[1])
    return {"px": value, "pt": value * 4 / 3, "em": value * around, "rem": value * 16, "%": value * around / 100}[
        number[2]
    ]


@lru_cache(maxsize=512)
def _colour(value: str) -> RGBA | None:
    """The first colour in a value; None if it names none, or one that depends."""
    for token in tinycss2.parse_component_value_list(value):
        found = parse_color(token)
        if isinstance(found, RGBA):
            return found
    return None


@lru_cache(maxsize=1024)
def _declarations(style: str) -> tuple[tuple[str, bool, str], ...]:
    """What a style says of what is computed here: property, whether it is !important, value."""
    parsed = tinycss2.parse_blocks_contents(style, skip_comments=True, skip_whitespace=True)
    return tuple(
        (each.lower_name, each.important, tinycss2.serialize(each.value).strip().lower())
        for each in parsed
        if each.type == "declaration" and each.lower_name in _KNOWN
    )


def _rules(page: HtmlElement, scheme: Scheme) -> Rules:
    """What the style blocks say of each element, the strongest of each property."""
    won: dict[HtmlElement, dict[str, tuple[Rank, str]]] = {}
    for order, (selector, declared) in enumerate(_selectors(page, scheme)):
        specificity = _specificity(selector)
        for element in _selecting(selector)(page):
            of_element = won.setdefault(element, {})
            for name, important, value in declared:
                rank = (important, False, specificity, order)
                if name not in of_element or of_element[name][0] <= rank:
                    of_element[name] = (rank, value)
    return won


@lru_cache(maxsize=512)
def _selecting(selector: str) -> Callable[[HtmlElement], Sequence[HtmlElement]]:
    try:
        selecting: Callable[[HtmlElement], Sequence[HtmlElement]] = CSSSelector(selector)
    except SelectorError:  # a pseudo-element, or a hack that only some mail program understands
        return lambda _: ()
    return selecting


@lru_cache(maxsize=512)
def _specificity(selector: str) -> tuple[int, int, int]:
    ids, classes = len(re.findall(r"#[\w-]+", selector)), len(re.findall(r"[.:\[][\w-]+", selector))
    return ids, classes, len(re.findall(r"(?:^|[\s>+~])[a-z][a-z0-9]*", selector))


def _selectors(page: HtmlElement, scheme: Scheme) -> Iterator[tuple[str, tuple[tuple[str, bool, str], ...]]]:
    for block in page.iter("style"):
        yield from _of_rules(_parsed(block.text or ""), scheme)


@lru_cache(maxsize=16)
def _parsed(css: str) -> list[Any]:
    parsed: list[Any] = tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)
    return parsed


def _of_rules(rules: Sequence[Any], scheme: Scheme) -> Iterator[tuple[str, tuple[tuple[str, bool, str], ...]]]:
    for rule in rules:
        if rule.type == "at-rule" and rule.lower_at_keyword == "media" and rule.content is not None:
            condition = re.sub(r"\s", "", tinycss2.serialize(rule.prelude)).lower()
            if scheme is Scheme.DARK and "prefers-color-scheme:dark" in condition:
                inside = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
                yield from _of_rules(inside, scheme)
        elif rule.type == "qualified-rule" and (declared := _declarations(tinycss2.serialize(rule.content))):
            for selector in tinycss2.serialize(rule.prelude).split(","):
                if "data-ogs" not in selector and "::" not in selector:
                    yield selector.strip(), declared
