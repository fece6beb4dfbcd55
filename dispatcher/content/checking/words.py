"""Checks the words of the source: what Markdown left literal, what slipped in unseen, what is said twice."""

import re
from collections.abc import Iterator

from dispatcher.content.checking.proof import Proof, shortened
from dispatcher.content.tree import Story, plain_text
from dispatcher.errors import Fault

INVISIBLE = re.compile("[\u00ad\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")

_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_TAG = re.compile(
    r"</?(?:a|b|i|u|s|em|strong|br|hr|p|div|span|font|center|img|table|tr|td|th|ul|ol|li|h[1-6]|sup|sub|small|iframe"
    r"|script|style|form|input|button|video|audio|svg|object|embed)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_BROKEN_HANDLE = re.compile(r"(?<![\w.])@ +[A-Za-z_]\w*(?: _?\w+)?")
_DOUBLE_SPACE = re.compile(r"(?<=[^\s|>*+.-]) {2,}(?=[^\s|])")


def literal_emphasis(proof: Proof) -> Iterator[Fault]:
    found = re.search(r"\*\*\S|\S\*\*|(?<!\w)__\S", _CODE.sub("", proof.text))
    if found:
        line = next((n for n, text in _prose(proof) if "**" in text or "__" in text), None)
        message = "an emphasis mark, ** or __, stands in the text as it was typed"
        yield proof.fault(message, "close it, and let it touch the words that it is about", line=line)


def literal_html(proof: Proof) -> Iterator[Fault]:
    for line, text in _prose(proof):
        if found := _TAG.search(text):
            message = f"{shortened(found[0])} is shown to readers as it is typed, for issues hold no HTML"
            yield proof.fault(message, "write it in Markdown, or in `code` if it is meant", line=line)


def broken_handles(proof: Proof) -> Iterator[Fault]:
    for line, text in _prose(proof):
        if found := _BROKEN_HANDLE.search(text):
            message = f"there is a space in the name “{shortened(found[0], 40)}”, as translation programs leave it"
            yield proof.fault(message, "close it up: @name", line=line)


def double_spaces(proof: Proof) -> Iterator[Fault]:
    for line, text in _prose(proof):
        if found := _DOUBLE_SPACE.search(re.sub(r"^\s*(?:[-*+]|\d+\.)\s+", "", text.rstrip())):
            around = text[max(0, text.find(found[0]) - 12) : text.find(found[0]) + 14].strip()
            yield proof.fault(f"there are two spaces in “{around}”", "type one", line=line)


def invisible_characters(proof: Proof) -> Iterator[Fault]:
    for number, text in enumerate(proof.lines, 1):
        if found := INVISIBLE.search(text if number > 1 else text.removeprefix("\ufeff")):
            message = f"there is an invisible character, U+{ord(found[0]):04X}, as spam uses to pass filters"
            yield proof.fault(message, "delete the word around it and type it anew", line=number)


def told_twice(proof: Proof) -> Iterator[Fault]:
    first: dict[str, Story] = {}
    for section in proof.document.sections:
        for story in section.stories:
            key = " ".join(plain_text(story.title).casefold().split())
            if key in first:
                message = f"two stories are called “{shortened(plain_text(story.title))}”"
                remedy = f"rename one; the other is on line {first[key].line}"
                yield proof.fault(message, remedy, line=story.line)
            first.setdefault(key, story)


def _prose(proof: Proof) -> Iterator[tuple[int, str]]:
    """The lines below the front matter, with a letter in the place of what is code."""
    is_code = False
    start = 0
    if proof.lines[:1] == ("---",):
        start = next((n for n, text in enumerate(proof.lines[1:], 1) if text in {"---", "..."}), 0) + 1
    for number, text in enumerate(proof.lines[start:], start + 1):
        if text.lstrip().startswith(("```", "~~~")):
            is_code = not is_code
        elif not is_code and not text.startswith("    "):
            yield number, re.sub(r"\{[{%].*?[%}]\}|`[^`]*`", "x", text)
