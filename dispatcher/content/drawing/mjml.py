r"""The one door to mjml-python: MJML in, HTML for mail programs out.

The engine reads XML, checks nothing, overruns its stack on deep nesting, and prints attribute values in Rust's
debug format: a line break, a backslash or the joiner inside an emoji would come out as `\u{200d}`.
"""

import html
import re
from functools import lru_cache

from mjml import mjml2html

from dispatcher.content.drawing.mjml_grammar import objection
from dispatcher.content.personal import in_url
from dispatcher.errors import Fault, InputWrong

DEEPEST = 150  # open tags; the engine ends the process at some thousands, lxml drops content at 256

_TAG = re.compile(r"<!--.*?-->|<(?P<closing>/?)(?P<name>[a-zA-Z][\w:-]*)(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>", re.DOTALL)
_ATTRIBUTE = re.compile(r"(?P<name>[\w:-]+)\s*=\s*(?:\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)')")


def mjml_to_html(source: str, *, path: str) -> str:
    """The HTML of an MJML document; InputWrong, naming `path`, where it is not well-formed."""
    _check_nesting(source, path)
    try:
        # fonts={}: the default fetches Google's fonts when a font stack names one of them.
        rendered: str = mjml2html(_TAG.sub(_plain, source), fonts={})
    except ValueError as error:
        raise _malformed(str(error), path) from error
    return rendered


def _check_nesting(source: str, path: str) -> None:
    """The engine takes `<p></div>` for closed, and what follows lands anywhere."""
    open_tags: list[str] = []
    for tag in _TAG.finditer(source):
        if tag["name"] is None:
            continue
        if not tag["closing"]:
            _check_place(tag, open_tags[-1] if open_tags else "", path)
            open_tags += () if tag[0].endswith("/>") else (tag["name"],)
        elif not open_tags or open_tags.pop() != tag["name"]:
            raise _malformed(f"{tag[0]} closes what is not open", path)
        if len(open_tags) > DEEPEST:
            message = f"tags are nested more than {DEEPEST} deep"
            raise InputWrong([Fault(path=path, message=message, remedy="flatten the quotes or lists of the issue")])
    if open_tags:
        raise _malformed(f"<{open_tags[-1]}> is not closed", path)


def _check_place(tag: re.Match[str], within: str, path: str) -> None:
    attributes = (each["name"] for each in _ATTRIBUTE.finditer(tag[0]))
    if wrong := objection(tag["name"], attributes, within):
        message, remedy = wrong
        raise InputWrong([Fault(path=path, message=message, remedy=remedy, check="NL028")])


def _malformed(what: str, path: str) -> InputWrong:
    message = f"the MJML is not well-formed: {what}"
    remedy = "close every tag, and quote every attribute"
    return InputWrong([Fault(path=path, message=message, remedy=remedy, check="NL028")])


def _plain(tag: re.Match[str]) -> str:
    return tag[0] if tag["name"] is None else _plain_tag(tag[0])


@lru_cache(maxsize=4096)  # the tags of a theme are much the same in every story, and after every save
def _plain_tag(tag: str) -> str:
    return _ATTRIBUTE.sub(_plain_attribute, tag)


def _plain_attribute(attribute: re.Match[str]) -> str:
    """The attribute in printable ASCII on one line, with marks in addresses turned to those of URLs."""
    value = html.unescape(attribute["double"] if attribute["double"] is not None else attribute["single"])
    value = re.sub(r"[ \t\r\n\f]+", " ", value)
    if attribute["name"] in {"href", "src"}:
        value = in_url(value)
    return f'{attribute["name"]}="{"".join(_plain_character(character) for character in value)}"'


def _plain_character(character: str) -> str:
    if " " <= character <= "~" and character not in '&<>"\\':
        return character
    return f"&#{ord(character)};"
