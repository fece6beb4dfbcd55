"""Finds mail addresses in text that machines wrote."""

import re
from collections.abc import Iterator

_LOCAL = re.compile(r"(?:\"[^\"\s@]{1,64}\"|[^\s<>()\[\]:;,@\"\\|`：；，（）【】「」《》]{1,128})\Z")
_DOMAIN = re.compile(
    r"[^\W_](?:[\w-]{0,62}\.){0,10}[\w-]{0,62}\.[^\W\d_][\w-]{1,62}|[^\W_](?:[\w-]{0,62}\.)[^\W\d_][\w-]{1,62}"
)
_BEFORE = re.compile(r"^['=.]+|^(?:smtp=|mailto:)", re.IGNORECASE)  # what sticks to an address in some notices
_ENCODED = re.compile(
    r"=\?[\w-]{2,40}\?[bq]\?[^?\s]{0,200}\?=@[\w.-]{3,255}", re.IGNORECASE
)  # mail to such names exists
_ESCAPED = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")  # RFC 6533


def addresses_in(text: str) -> Iterator[str]:
    """Every address in the text, in order, as it is written."""
    at = text.find("@")
    while at >= 0:
        local = _LOCAL.search(text, max(0, at - 130), at)
        domain = _DOMAIN.match(text, at + 1, at + 257)
        if local and domain:
            yield _BEFORE.sub("", local[0]) + "@" + domain[0].rstrip(".-")
        at = text.find("@", at + 1)


def first_address(text: str) -> str | None:
    """The address that a field of a report names: behind its type, in brackets or not (RFC 3464 2.3)."""
    kind, separator, value = text.partition(";")
    value = value if separator and re.fullmatch(r"\s*[\w-]+\s*", kind) else text
    value = _ESCAPED.sub(lambda found: _character(found[1]), value).strip()
    if encoded := _ENCODED.search(value):
        return encoded[0]
    if re.match(r"@[\w.,@-]+:", value):  # a source route
        value = value.partition(":")[2]
    return next(addresses_in(value), None)


def same(one: str, other: str) -> bool:
    return one.casefold().replace('"', "") == other.casefold().replace('"', "")


def _character(digits: str) -> str:
    code = int(digits, 16)
    return chr(code) if 0x20 < code < 0x110000 and not 0xD800 <= code < 0xE000 else "?"
