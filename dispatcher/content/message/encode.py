"""Encodes a body part piece by piece, so that static text is encoded once and only values per reader.

Both encodings keep lines within 76 columns and let no line begin with a dot, so that the wire needs no dot-stuffing.
"""

import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

_LINE = 76
_BASE64_BYTES = 57  # make a line of 76

# RFC 2045 6.7: printable ASCII stands for itself, but for "="; line ends are written as such.
_QP = [f"={byte:02X}" for byte in range(256)]
for _byte in range(33, 127):
    if _byte != ord("="):
        _QP[_byte] = chr(_byte)
_QP[ord(" ")] = " "
_QP[ord("\t")] = "\t"
_STANDS_FOR_ITSELF = re.compile(r"[!-\-/-<>-EG-~](?:[ -<>-~]*[!-<>-~])?")  # as a line, whatever is around it


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """A part's transfer encoding, and the function that makes its body of pieces and values."""

    name: str  # for Content-Transfer-Encoding
    parts: Callable[[Sequence[int | str]], list[bytes]]  # of the body, which is all of them joined

    def join(self, filled: Sequence[int | str]) -> bytes:
        return b"".join(self.parts(filled))


def encode_pieces(pieces: Sequence[str]) -> Encoded:
    """Quoted-printable or base64, whichever makes the pieces smaller."""
    quoted = [quoted_printable(piece) for piece in pieces]
    raw = [_canonical(piece) for piece in pieces]
    if sum(map(len, quoted)) <= sum(map(len, raw)) * 78 / _BASE64_BYTES:
        return Encoded(name="quoted-printable", parts=_quoting(quoted))
    return Encoded(name="base64", parts=_phasing(raw))


def quoted_printable(text: str) -> bytes:
    """The text in quoted-printable from column 0 on; it ends at column 0, by a soft break where it has no line end."""
    if len(text) < _LINE and (plain := _plain_line(text)) is not None:
        return plain
    lines: list[str] = []
    ends_open = not text.endswith("\n")
    for line in text.removesuffix("\n").replace("\r\n", "\n").split("\n"):
        _wrap(line, lines)
    if ends_open:
        lines[-1] += "="
    return ("\r\n".join(lines) + "\r\n").encode("ascii")


@lru_cache(maxsize=256)  # a reader's links stand in several places
def _plain_line(text: str) -> bytes | None:
    return text.encode("ascii") + b"=\r\n" if _STANDS_FOR_ITSELF.fullmatch(text) else None


def _wrap(line: str, lines: list[str]) -> None:
    encoded = "".join([_QP[byte] for byte in line.encode()])
    if encoded.endswith((" ", "\t")):  # a space at a line's end may be lost on the way
        encoded = f"{encoded[:-1]}={ord(encoded[-1]):02X}"
    while True:
        if encoded.startswith((".", "F")):  # a dot ends a message, "From " is changed by mbox stores
            encoded = f"={ord(encoded[0]):02X}{encoded[1:]}"
        if len(encoded) < _LINE:
            break
        cut = _LINE - 1
        if (escape := encoded.rfind("=", cut - 2, cut)) >= 0:
            cut = escape
        lines.append(encoded[:cut] + "=")
        encoded = encoded[cut:]
    lines.append(encoded)


def _quoting(quoted: Sequence[bytes]) -> Callable[[Sequence[int | str]], list[bytes]]:
    def parts(filled: Sequence[int | str]) -> list[bytes]:
        body = [quoted[each] if isinstance(each, int) else quoted_printable(each) for each in filled]
        if body and body[-1].endswith(b"=\r\n"):
            # A soft break before the boundary would be a line end that is not there.
            body[-1] = body[-1].removesuffix(b"=\r\n") + b"\r\n"
        return body

    return parts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Phase:
    """A piece in base64 after `skip` of its bytes completed the three that were begun before it."""

    head: bytes
    lines: bytes
    tail: bytes


def _phasing(raw: Sequence[bytes]) -> Callable[[Sequence[int | str]], list[bytes]]:
    phases = [tuple(_phase(piece, skip) for skip in range(3)) for piece in raw]

    def parts(filled: Sequence[int | str]) -> list[bytes]:
        body: list[bytes] = []
        carry = b""  # up to two bytes that wait for a third
        for each in filled:
            skip = -len(carry) % 3
            phase = phases[each][skip] if isinstance(each, int) else _phase(_canonical(each), skip)
            carry += phase.head
            if len(carry) == 3:
                body.append(binascii.b2a_base64(carry, newline=False) + b"\r\n")
                carry = b""
            if phase.lines or phase.tail:
                body.append(phase.lines)
                carry = phase.tail
        if carry:
            body.append(binascii.b2a_base64(carry, newline=False) + b"\r\n")
        return body

    return parts


def _phase(raw: bytes, skip: int) -> _Phase:
    head, rest = raw[:skip], raw[skip:]
    whole = len(rest) - len(rest) % 3
    lines = [
        binascii.b2a_base64(rest[start : min(start + _BASE64_BYTES, whole)], newline=False) + b"\r\n"
        for start in range(0, whole, _BASE64_BYTES)
    ]
    return _Phase(head=head, lines=b"".join(lines), tail=rest[whole:])


def _canonical(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()
