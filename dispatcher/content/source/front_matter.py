"""Reads the `key: value` lines at the head of an issue's file, each value with the line it stands on.

Values are taken as they are written and not as YAML guesses them: `language: no` is Norwegian, `number: 031` is 31.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import cast

import yaml

from dispatcher.errors import Fault
from dispatcher.expressions import NotUnderstoodError, parse

KEYS = (
    "number", "title", "subject", "preheader", "date", "language", "list", "only", "theme",
    "corrected", "correction", "ignore",
)  # fmt: skip
LARGEST = 64 * 1024  # bytes

_IGNORE = "ignore "  # before the number of a check, for what stands below the key
_OPENING = re.compile(r"---[ \t]*(?:\n|\Z)")
_IGNORE_FORM = "write below `ignore:`, set in by two spaces: NL017: the picture is our own"
_CLOSING = re.compile(r"^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.MULTILINE)
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})((?:-[A-Za-z0-9]{1,8})*)")
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What no mail may hold: control characters but for tab and line feed, and what is no character at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    text: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A file's front matter, and the Markdown under it."""

    values: Mapping[str, Value] = field(default_factory=dict)  # only valid keys, only valid values
    ignored: Mapping[str, Value] = field(default_factory=dict)  # a check's number: why it is to pass
    body: str
    body_line: int


def read_head(text: str, *, path: str, faults: list[Fault]) -> Head:
    """Split a file into its front matter, which is optional, and its body; what is wrong goes to `faults`."""
    opening = _OPENING.match(text)
    if not opening:
        return Head(body=text, body_line=1)
    closing = _CLOSING.search(text, opening.end())
    if not closing:
        faults.append(_fault(path, 1, "the front matter has no end", "close it with --- on a line of its own"))
        return Head(body="", body_line=1)
    head = Head(body=text[closing.end() :], body_line=text.count("\n", 0, closing.end()) + 1)
    source = text[opening.end() : closing.start()]
    if len(source.encode()) > LARGEST:
        faults.append(_fault(path, 1, "the front matter is larger than 64 KB", "move text below its closing ---"))
        return head
    values: dict[str, Value] = {}
    for key, value in _pairs(source, path, faults):
        if key.text in values:
            faults.append(_fault(path, key.line, f"{key.text} is given twice", "keep one of them"))
        elif objection := _objection(key.text, value):
            faults.append(_fault(path, key.line, *objection))
        elif value:
            values[key.text] = value
    ignored = {key.removeprefix(_IGNORE): value for key, value in values.items() if key.startswith(_IGNORE)}
    values = {key: value for key, value in values.items() if not key.startswith(_IGNORE)}
    return Head(values=values, ignored=ignored, body=head.body, body_line=head.body_line)


def language_tag(text: str) -> str | None:
    """A BCP 47 tag in its usual spelling, zh-Hant-TW; None if it is none."""
    match = _LANGUAGE.fullmatch(text)
    if not match:
        return None
    subtags = match[2].split("-")[1:]
    return "-".join([match[1].lower(), *(_spelled(subtag) for subtag in subtags)])


def _spelled(subtag: str) -> str:
    return subtag.title() if len(subtag) == 4 else subtag.upper() if len(subtag) == 2 else subtag.lower()


def day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
    except ValueError:
        return None


def _pairs(source: str, path: str, faults: list[Fault]) -> Iterator[tuple[Value, Value | None]]:
    """Each key with its value, None where that is a list or a mapping; of broken YAML what precedes the break."""
    try:
        yield from _scalars(yaml.parse(source, Loader=yaml.SafeLoader))
    except yaml.reader.ReaderError as error:
        line = source.count("\n", 0, error.position) + 2
        faults.append(_fault(path, line, "the front matter holds a control character", "remove it"))
    except yaml.MarkedYAMLError as error:
        if error.context == "while scanning a quoted scalar" and error.problem == "found unexpected end of stream":
            error = yaml.MarkedYAMLError(problem="a quote is not closed", problem_mark=error.context_mark)
        mark = error.problem_mark or error.context_mark
        line = min(mark.line if mark else 0, source.count("\n")) + 2
        remedy = "write key: value, and the value in quotes if it holds more than words"
        faults.append(_fault(path, line, f"the front matter is broken: {error.problem or error.context}", remedy))
    except (ValueError, OverflowError):  # PyYAML's chr() of an escape such as "\UFFFFFFFF"
        faults.append(_fault(path, 2, "the front matter escapes a character that does not exist", "write it out"))


def _scalars(events: Iterable[yaml.Event]) -> Iterator[tuple[Value, Value | None]]:
    """From YAML's events: nothing is resolved, so nothing can expand, be called or overflow.

    What stands below `ignore:` comes with that word before its key.
    """
    key: Value | None = None
    owner = ""
    depth = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) or getattr(event, "tag", None):
            raise _broken(event, "anchors, aliases and tags are not allowed")
        if depth > 20:  # PyYAML takes quadratic time
            raise _broken(event, "it is nested too deep")
        if depth == 0 and isinstance(event, yaml.ScalarEvent | yaml.SequenceStartEvent):
            raise _broken(event, "it is not made of key: value lines")
        if depth == (2 if owner else 1) and isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
            value = _value(event)
            if key is None and value is None:
                raise _broken(event, "a key is not a word")
            if key is None:
                key = replace(value, text=owner + value.text) if value else None
            elif key.text == _IGNORE.strip() and isinstance(event, yaml.MappingStartEvent):
                owner, key = _IGNORE, None
            else:
                yield key, value
                key = None
        elif depth == 2 and isinstance(event, yaml.MappingEndEvent):
            owner = ""
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)


def _value(event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> Value | None:
    """The text on one line; `~` and `null` written plainly are no text."""
    if isinstance(event, yaml.CollectionStartEvent):
        return None
    is_null = event.style is None and event.value in {"~", "null", "Null", "NULL"}
    text = "" if is_null else re.sub(r"[ \t\n]+", " ", event.value).strip(" ")
    return Value(text=text, line=cast("yaml.Mark", event.start_mark).line + 2)  # after the opening ---


def _broken(event: yaml.Event, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=cast("yaml.Mark", event.start_mark))


def _objection(key: str, value: Value | None) -> tuple[str, str] | None:
    """What is wrong with a value, and the remedy."""
    text = value.text if value else ""
    if key.startswith(_IGNORE):
        if not re.fullmatch(r"NL[0-9]{3}", key.removeprefix(_IGNORE)):
            return f"{key.removeprefix(_IGNORE)!r} is no check", _IGNORE_FORM
        return None if text else (f"{key.removeprefix(_IGNORE)} is ignored without a reason", _IGNORE_FORM)
    if key == _IGNORE.strip():
        return "ignore names no checks", _IGNORE_FORM
    if key not in KEYS:
        nearest = difflib.get_close_matches(key.lower(), KEYS, 1, 0.5)
        remedy = f"did you mean {nearest[0]}?" if nearest else f"the keys are {', '.join(KEYS)}"
        return f"unknown key {key!r}", remedy
    if value is None:
        return f"{key} is not a text", "write one value, in quotes if it begins with a bracket or a brace"
    if not text:
        return f"{key} is empty", "write it, or remove the line"
    if UNPRINTABLE.search(text):
        return f"{key} holds a control character", "remove it"
    if key == "only":
        try:
            parse(text)
        except NotUnderstoodError as error:
            return f"only is not understood: {error} (column {error.column})", """write it like only: 'plan == "pro"'"""
    is_valid, form = {
        "number": (re.fullmatch(r"[0-9]{1,9}", text) is not None, "digits only, such as 29"),
        "date": (day(text) is not None, "it as 2026-11-25"),
        "corrected": (day(text) is not None, "the day, as 2026-11-25, and what was wrong in `correction:`"),
        "language": (language_tag(text) is not None, "a tag such as en, zh or pt-BR"),
    }.get(key, (True, ""))
    return None if is_valid else (f"{key} is {text!r}", f"write {form}")


def _fault(path: str, line: int, message: str, remedy: str) -> Fault:
    return Fault(path=path, line=line, message=message, remedy=remedy, check="NL001")
