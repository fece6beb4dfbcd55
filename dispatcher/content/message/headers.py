"""Writes header fields as bytes that every receiver reads alike.

The standard library turns a long List-Unsubscribe into encoded words, which kills one-click, and puts a long display
name on a line of its own; so the fields are written here.
"""

import re
from base64 import b64encode
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache

_LINE = 76  # columns before a fold
_CUT = "…"
_LONGEST_ASCII_NAME = 200
_WORD_BYTES = 39  # of UTF-8 in one encoded word: 52 of base64 and 12 around it, beside "Reply-To: " within 76 columns
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_URL = re.compile(r"[!-+\--;=?-~]+")  # ASCII without spaces, commas and brackets
_NOT_IN_ADDRESS = re.compile("[\x00-\x20\x7f<>]")
_FORBIDDEN = re.compile("[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")


def field(name: str, value: str) -> bytes:
    """`name: value`, folded at spaces. Raises ValueError for a value that could begin a field of its own.

    The value is ASCII but for addresses that need SMTPUTF8.
    """
    if _FORBIDDEN.search(value):
        raise ValueError(f"{name} holds a control character")
    if len(name) + 2 + len(value) <= _LINE:
        return f"{name}: {value}\r\n".encode()
    lines = [f"{name}:"]
    for word in value.split(" "):
        # A fold directly after the name would leave a first line without a word, which some take for a missing field.
        if len(lines[-1]) + 1 + len(word) > _LINE and lines != [f"{name}:"]:
            lines.append("")
        lines[-1] += " " + word
    return "\r\n".join(lines).encode() + b"\r\n"


def list_unsubscribe(urls: list[str]) -> bytes:
    """List-Unsubscribe with each URL whole on its line."""
    for url in urls:
        if not _URL.fullmatch(url):
            raise ValueError("a URL in List-Unsubscribe must be ASCII without spaces, commas or brackets")
    return ("List-Unsubscribe: " + ",\r\n ".join(f"<{url}>" for url in urls) + "\r\n").encode("ascii")


@lru_cache(maxsize=8)  # most subjects are everybody's
def unstructured(text: str) -> str:
    """A subject as it is if it is plain ASCII, else in encoded words of at most 75 characters."""
    text = " ".join(text.split())
    # A word of 78 characters or more cannot be folded, and "=?" would be taken for an encoded word.
    if text.isascii() and "=?" not in text and max(map(len, text.split()), default=0) < 60:
        return text
    return " ".join(_encoded_words(text))


def mailbox(name: str | None, email: str) -> str:
    """`Name <email>` with the name quoted or encoded as it needs. Raises ValueError for what is no address."""
    if _NOT_IN_ADDRESS.search(email):
        raise ValueError("an address holds a bracket, a space or a control character")
    if not name:
        return email if email.isascii() else f"<{email}>"
    name = " ".join(name.split())
    if not name.isascii() or "=?" in name:
        return " ".join([*_encoded_words(name), f"<{email}>"])
    if _ATOM.fullmatch(name):
        return f"{name} <{email}>"
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{email}>'


def courtesy(name: str | None) -> str | None:
    """A reader's name for To: what is too long for one encoded word is cut, since some join several with spaces."""
    room = _LONGEST_ASCII_NAME if name and name.isascii() else _WORD_BYTES
    if not name or len(name.encode()) <= room:
        return name
    kept = name.encode()[: room - len(_CUT.encode())].decode("utf-8", "ignore")
    return kept.rstrip() + (_CUT if not name.isascii() else "")


def date(at: datetime) -> str:
    """RFC 5322, with a numeric zone."""
    return _date(at.replace(microsecond=0))


@lru_cache(maxsize=8)  # many messages a second have the same
def _date(at: datetime) -> str:
    return format_datetime(at)


def _encoded_words(text: str) -> list[str]:
    if _FORBIDDEN.search(text):
        raise ValueError("a name or subject holds a control character")
    words: list[str] = []
    chunk = b""
    for character in text:
        encoded = character.encode("utf-8", "replace")
        if len(chunk) + len(encoded) > _WORD_BYTES:
            words.append(_word(chunk))
            chunk = b""
        chunk += encoded
    return [*words, _word(chunk)]


def _word(chunk: bytes) -> str:
    return f"=?utf-8?b?{b64encode(chunk).decode('ascii')}?="
