"""Takes a mail apart within fixed limits: whatever the bytes are, there is an answer, in time linear in their number.

The standard library's parser follows every rule; mail that comes back breaks them: boundaries that never open or close,
multiparts without parts, headers in any encoding, reports that arrive as plain text. This walk takes what is there.
"""

import base64
import binascii
import html
import quopri
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

MOST_BYTES = 2_000_000  # of a mail; what follows is not read
MOST_TEXT = 262_144  # characters of one part, and of all headers together
MOST_PARTS = 200
MOST_DEPTH = 20
_MOST_FIELDS = 1000

_FIELD = re.compile(r"([!-9;-~]{1,76})[ \t]*:[ \t]*(.*)")
_PARAMETER = re.compile(r';\s*(boundary|charset|report-type)\s*=\s*(?:"([^"]*)"|([^\s;"]+))', re.IGNORECASE)
_WORD = re.compile(r"=\?([\w-]{2,40})(?:\*[\w-]{1,20})?\?([bq])\?([^?\s]{0,1000})\?=", re.IGNORECASE)
_BETWEEN_WORDS = re.compile(r"\?=\s+=\?")
_RETURNED = {"message/rfc822", "message/global", "text/rfc822-headers", "text/rfc822-header", "message/global-headers"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A leaf of a mail, decoded; `is_returned` for the message that is returned in it."""

    media_type: str
    text: str
    is_returned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail taken apart; `fields` are unfolded and decoded, in order, with lower-case names."""

    fields: Sequence[tuple[str, str]]
    media_type: str
    report_type: str
    parts: Sequence[Part] = field(repr=False)

    def first(self, name: str) -> str:
        return next((value for key, value in self.fields if key == name), "")

    def every(self, *names: str) -> Iterator[str]:
        return (value for key, value in self.fields if key in names)

    def texts(self) -> str:
        """What the mail itself says, without what it returns; HTML only where there is nothing else."""
        own = [part for part in self.parts if not part.is_returned]
        plain = [part.text for part in own if not part.media_type.startswith("text/html") and part.text.strip()]
        return "\n\n".join(plain or [bare_text(part.text) for part in own])[:MOST_TEXT]

    def returned(self) -> str:
        """The first message it returns, or its headers."""
        return next((part.text for part in self.parts if part.is_returned), "")


def take_apart(raw: bytes) -> Mail:
    """Never raises."""
    lines = raw[:MOST_BYTES].replace(b"\0", b" ").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    text = lines.decode("utf-8", "surrogateescape")
    while text.startswith(("From ", "\n", ">From ")):  # mbox, or a pipe that adds an empty line
        text = text.partition("\n")[2]
    fields, body = read_fields(text)
    parts: list[Part] = []
    content_type = _value(fields, "content-type")
    _walk(fields, body, parts, depth=0)
    return Mail(
        fields=fields,
        media_type=_media_type(content_type),
        report_type=_parameter(content_type, "report-type").lower(),
        parts=parts,
    )


def read_fields(text: str, *, decode: bool = True) -> tuple[list[tuple[str, str]], str]:
    """The header fields a text begins with, and what follows them; without `decode` encoded words stay as they are."""
    fields: list[list[str]] = []
    position = spent = 0
    while position < len(text) and len(fields) <= _MOST_FIELDS:
        end = text.find("\n", position)
        line = text[position : end if end >= 0 else len(text)]
        if not line.strip():
            position = end + 1 if end >= 0 else len(text)
            break
        if line[0] in " \t" and fields:
            fields[-1].append(line.strip()[: max(MOST_TEXT - spent, 0)])
        elif found := _FIELD.match(line):
            fields.append([found[1].lower(), found[2].strip()[: max(MOST_TEXT - spent, 0)]])
        else:
            break  # the empty line was forgotten
        spent += len(line)
        position = end + 1 if end >= 0 else len(text)
    read = _decoded if decode else str
    return [(name, read(" ".join(lines))) for name, *lines in fields], text[position:]


def bare_text(markup: str) -> str:
    """HTML as text, roughly: what matters is codes, addresses and phrases."""
    without = _without("style", _without("script", markup[:MOST_TEXT]))
    lines = re.sub(r"(?i)<(?:br|/p|/div|/tr|/h\d|/li)\b[^<>]{0,200}>", "\n", without)
    return html.unescape(re.sub(r"</?[a-zA-Z!][^<>@]{0,2000}>", " ", lines))


def _without(element: str, markup: str) -> str:
    kept, position, lower = [], 0, markup.lower()
    while (begin := lower.find(f"<{element}", position)) >= 0 and (end := lower.find(f"</{element}", begin)) >= 0:
        kept.append(markup[position:begin])
        position = end + len(element) + 3
    return " ".join([*kept, markup[position:]])


def _walk(fields: Sequence[tuple[str, str]], body: str, parts: list[Part], *, depth: int) -> None:
    if len(parts) >= MOST_PARTS:
        return
    content_type = _value(fields, "content-type")
    media_type = _media_type(content_type)
    boundary = _parameter(content_type, "boundary")
    if media_type.startswith("multipart/") and depth < MOST_DEPTH and boundary:
        pieces = _split(body, boundary)
        if pieces:
            for piece in pieces:
                inner, rest = read_fields(piece)
                _walk(inner, rest, parts, depth=depth + 1)
            return
    encoding = _value(fields, "content-transfer-encoding").strip().lower()
    text = _text(body, encoding, _parameter(content_type, "charset"))
    parts.append(Part(media_type=media_type, text=text, is_returned=media_type in _RETURNED and depth > 0))


def _split(body: str, boundary: str) -> list[str]:
    """The pieces between boundary lines; the preamble counts as one where no part follows."""
    line = re.compile(rf"(?m)^[ \t]?--{re.escape(boundary[:200])}(--)?[ \t]*$\n?")
    pieces: list[str] = []
    begin: int | None = None
    for found in line.finditer(body):
        if begin is not None:
            pieces.append(body[begin : found.start()])
        begin = None if found[1] else found.end()
        if len(pieces) >= MOST_PARTS:
            return pieces
    if begin is not None:  # cut off
        pieces.append(body[begin:])
    return pieces


def _text(body: str, encoding: str, charset: str) -> str:
    raw = body[: 2 * MOST_TEXT].encode("utf-8", "surrogateescape")
    try:
        if encoding == "base64":
            raw = _base64(raw)
        elif encoding == "quoted-printable":
            raw = quopri.decodestring(raw)
    except (ValueError, binascii.Error):
        pass  # then it is what it says
    return _characters(raw, charset)[:MOST_TEXT]


def _base64(raw: bytes) -> bytes:
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", raw)
    whole = letters[: len(letters) - (len(letters) % 4 == 1)]  # one letter left over is no byte
    return base64.b64decode(whole + b"=" * (-len(whole) % 4))


def _characters(raw: bytes, charset: str) -> str:
    for name in (charset, "utf-8"):
        try:
            return whole_text(raw.decode(name.strip().strip("'\"") or "utf-8"))
        except (LookupError, ValueError):
            continue
    return whole_text(raw.decode("latin-1"))


def whole_text(text: str) -> str:
    """What a database and a terminal take: no halves of characters (UTF-7 and JSON can have them), no NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", " ")


def _decoded(value: str) -> str:
    """A field's value with its encoded words read (RFC 2047); as it stands where they cannot be."""
    value = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if "=?" not in value or len(value) > 10_000:
        return value
    return _WORD.sub(lambda found: _read_word(found[1], found[2].lower(), found[3]), _BETWEEN_WORDS.sub("?==?", value))


def _read_word(charset: str, encoding: str, text: str) -> str:
    raw = text.encode("utf-8", "surrogateescape")
    try:
        read = _base64(raw) if encoding == "b" else quopri.decodestring(raw, header=True)
    except (ValueError, binascii.Error):
        return text
    return _characters(read, charset)


def _value(fields: Sequence[tuple[str, str]], name: str) -> str:
    return next((value for key, value in fields if key == name), "")


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower() or "text/plain"


def _parameter(content_type: str, name: str) -> str:
    for found in _PARAMETER.finditer(";" + content_type.partition(";")[2][:4000]):
        if found[1].lower() == name:
            return (found[2] if found[2] is not None else found[3]).strip()
    return ""
