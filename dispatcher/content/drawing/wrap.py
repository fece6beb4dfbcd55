"""Breaks text into lines by display columns, as Latin and Chinese are each broken."""

import re
from collections.abc import Iterator

from wcwidth import wcswidth

from dispatcher.content.personal import MARK

_CJK = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"  # Hangul is broken at its spaces
_JOINED = "\u0300-\u036f\u200d\u3099\u309a\ufe00-\ufe0f"  # what belongs to the character before
_TOKEN = re.compile(rf"[ \t]+|https?://[!-~]+|[{_CJK}][{_JOINED}]*|[^ \t{_CJK}]+")

# Kinsoku: closing punctuation does not begin a line, opening punctuation does not end one.
_NO_START = frozenset("，。、；：？！）》〉」』】〕〗”’…—·%)]},.;:?!～ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ％")
_NO_END = frozenset("（《〈「『【〔〖“‘([{")


def wrap(text: str, *, width: int = 72) -> list[str]:
    """The text as lines of at most `width` columns; longer only where a word, URL or mark is."""
    return [line for paragraph in text.split("\n") for line in _lines(paragraph, width)]


def columns(text: str) -> int:
    """How wide a terminal shows the text; Chinese counts double, and marks of statements vanish later."""
    shown = MARK.sub(lambda mark: "" if mark[2] == "s" else mark[0], text)
    return max(wcswidth(shown), 0)


def _lines(paragraph: str, width: int) -> Iterator[str]:
    line = ""
    for space, piece in _pieces(paragraph):
        longer = f"{line}{space}{piece}" if line else piece
        if line and columns(longer) > width:
            yield line
            line = piece
        else:
            line = longer
    if line:
        yield line


def _pieces(paragraph: str) -> Iterator[tuple[str, str]]:
    """What must stay together, each with the space before it."""
    space, piece = "", ""
    for token in _TOKEN.findall(paragraph):
        if token.isspace() and token[0] in " \t":
            if piece:
                yield space, piece
                space, piece = " ", ""
        elif piece and not _may_part(piece, token):
            piece += token
        else:
            if piece:
                yield space, piece
                space = ""
            piece = token
    if piece:
        yield space, piece


def _may_part(before: str, after: str) -> bool:
    if after[0] in _NO_START or before[-1] in _NO_END:
        return False
    return _is_cjk(before[-1]) or _is_cjk(after[0])


def _is_cjk(character: str) -> bool:
    return re.match(f"[{_CJK}{_JOINED}]", character) is not None
