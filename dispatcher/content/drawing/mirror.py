"""Turns a finished page around for a language that is written from right to left.

A theme is written once, for left to right, and the MJML engine writes `direction:ltr` and `text-align:left` into every
column whatever `dir` says. So the page is turned when all its styles are in place: those in the tags, those in style
blocks, and those inside Outlook's comments. What pictures show, and backgrounds, stay as they are.
"""

import re
from collections.abc import Mapping

_TAG = r"<(?P<name>[a-zA-Z][\w:-]*)(?P<attributes>(?:\s+[\w:-]+(?:=(?:\"[^\"]*\"|'[^']*'))?)*)\s*/?>"
_STYLE_OR_TAG = re.compile(rf"(?P<open><style\b[^>]*>)(?P<css>.*?)</style>|{_TAG}", re.DOTALL)
_ATTRIBUTE = re.compile(r"(?P<name>[\w:-]+)=(?P<quote>[\"'])(?P<value>.*?)(?P=quote)", re.DOTALL)
# A selector such as `a:hover {` is no declaration: it ends in a brace.
_DECLARATION = re.compile(
    r"(?P<before>(?:^|[;{])(?:\s|/\*.*?\*/)*)(?P<name>[\w-]+)(?P<colon>\s*:\s*)(?P<value>[^;{}]+)(?=[;}]|$)", re.DOTALL
)
_SIDE = re.compile(r"\b(?:left|right|ltr|rtl)\b")
_OTHER = {"left": "right", "right": "left", "ltr": "rtl", "rtl": "ltr"}
_SIDED = frozenset({"align", "text-align", "float", "clear", "direction"})  # whose value is a side
_SIDES = {4: (0, 3, 2, 1)}  # top, right, bottom, left; fewer values are the same on both sides
_CORNERS = {2: (1, 0), 3: (1, 0, 1, 2), 4: (1, 0, 3, 2)}  # from top left, clockwise
_FOUR_SIDES = re.compile(r"padding|margin|border-(?:width|style|color)|mso-padding-alt")
_VALUE = re.compile(r"[^\s(]+(?:\([^)]*\))?")  # `rgb(0, 0, 0)` is one


def mirrored(html: str) -> str:
    """The page with left and right exchanged; code keeps its direction."""
    return _STYLE_OR_TAG.sub(_mirror, html)


def mirrored_css(css: str) -> str:
    """Rules, or the declarations of one tag, with left and right exchanged."""
    return _DECLARATION.sub(_mirror_declaration, css)


def _mirror(found: re.Match[str]) -> str:
    if found["open"]:
        return f"{found['open']}{mirrored_css(found['css'])}</style>"
    if found["name"] in {"pre", "code"}:
        return _left_to_right(found[0], found["name"])
    return _ATTRIBUTE.sub(_mirror_attribute, found[0])


def _left_to_right(tag: str, name: str) -> str:
    """Code reads from the left in every language."""
    added = "" if re.search(r"\sdir=", tag) else ' dir="ltr"'
    if name == "pre":  # its alignment it would take from the text around it
        tag, styles = re.subn(r"(?<=\sstyle=[\"'])", "text-align:left; ", tag, count=1)
        added += "" if styles else ' style="text-align:left"'
    return f"<{name}{added}{tag.removeprefix(f'<{name}')}"


def _mirror_attribute(attribute: re.Match[str]) -> str:
    name, quote, value = attribute["name"], attribute["quote"], attribute["value"]
    if name == "style":
        value = mirrored_css(value)
    elif name in _SIDED:
        value = _other_side(value)
    return f"{name}={quote}{value}{quote}"


def _mirror_declaration(found: re.Match[str]) -> str:
    name, value = found["name"], found["value"]
    if name in _SIDED:
        value = _other_side(value)
    elif _FOUR_SIDES.fullmatch(name):
        value = _turned(value, _SIDES)
    elif name == "border-radius":
        value = _turned(value, _CORNERS)
    return f"{found['before']}{_other_side(name)}{found['colon']}{value}"


def _other_side(text: str) -> str:
    return _SIDE.sub(lambda side: _OTHER[side[0]], text)


def _turned(value: str, orders: Mapping[int, tuple[int, ...]]) -> str:
    """The values in the order that is given for so many of them, if one is."""
    values = _VALUE.findall(value)
    sides = [each for each in values if not each.startswith("!")]
    if len(sides) not in orders or "/" in sides:
        return value
    tail = value[len(value.rstrip()) :]
    return " ".join([*(sides[at] for at in orders[len(sides)]), *values[len(sides) :]]) + tail
