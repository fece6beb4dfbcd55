"""Builds the message of one reader as bytes: headers by hand, bodies joined from pieces encoded once per edition."""

import hashlib
from base64 import encodebytes
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from functools import lru_cache

from dispatcher.content.message import headers
from dispatcher.content.message.encode import Encoded, encode_pieces
from dispatcher.content.message.evaluate import Context, Nowhere, reader_values
from dispatcher.content.message.merge import Part, Unfilled, fill, fill_text, prepare
from dispatcher.content.message.needs import whole_url_attributes
from dispatcher.models import Edition, Picture, Subscriber


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """What makes one reader's copy his own, besides his fields."""

    to: str  # the envelope's recipient; for a test copy not the reader's own address
    reader: Subscriber
    message_id: str
    date: datetime
    list_name: str
    unsubscribe_url: str
    unsubscribe_mailto: str
    view_url: str
    subject_mark: str = ""  # "[staging] "


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton:
    """An edition made ready for merging: what is costly has been done."""

    edition: Edition
    subject: Part
    text: Part
    html: Part
    text_encoded: Encoded
    html_encoded: Encoded
    begin: bytes  # the last header fields, and the text part's
    between: bytes  # the text part and the HTML part
    end: bytes  # with the pictures, for an edition with inline pictures


@lru_cache(maxsize=16)  # the check, the dry run and the send each ask for the same few
def make_skeleton(edition: Edition) -> Skeleton:
    """Compiles and encodes what all copies of an edition share; the costly step, done once for equal editions."""
    text = prepare(edition.text, edition.fields, Context.TEXT)
    html = prepare(edition.html, edition.fields, Context.HTML)
    text_encoded, html_encoded = encode_pieces(text.pieces), encode_pieces(html.pieces)
    # Quoted-printable and base64 never contain "=_", so no body can contain the boundary.
    boundary = b"=_" + hashlib.sha256(edition.html.encode()).hexdigest()[:24].encode("ascii")
    inner = boundary + b"r"
    pictures = b"".join(_picture_part(each, inner) for each in edition.pictures if edition.inline_pictures)
    return Skeleton(
        edition=edition,
        subject=prepare(edition.subject, edition.fields, Context.TEXT),
        text=text,
        html=html,
        text_encoded=text_encoded,
        html_encoded=html_encoded,
        begin=b"".join((
            b'MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary="', boundary, b'"\r\n\r\n',
            b"--", boundary, b"\r\n", _part_header("text/plain", text_encoded),
        )),
        between=b"".join((
            b"\r\n--", boundary, b"\r\n", _related_header(inner) if pictures else b"",
            _part_header("text/html", html_encoded),
        )),
        end=b"".join((
            b"\r\n", pictures, b"--%b--\r\n\r\n" % inner if pictures else b"", b"--", boundary, b"--\r\n",
        )),
    )  # fmt: skip


def build_message(skeleton: Skeleton, copy: Copy) -> bytes | Unfilled:
    """The whole message with CRLF line ends, or what keeps the reader's fields from filling it."""
    pieces = build_pieces(skeleton, copy)
    return pieces if isinstance(pieces, Unfilled) else b"".join(pieces)


def build_pieces(skeleton: Skeleton, copy: Copy) -> list[bytes] | Unfilled:
    """The message in pieces, most of which the copies share: to copy 94 KB would cost more than all the rest."""
    values = reader_values(copy.reader, unsubscribe_url=copy.unsubscribe_url, view_url=copy.view_url)
    subject = fill_text(skeleton.subject, values)
    if isinstance(subject, Unfilled):
        return subject
    text = fill(skeleton.text, values)
    if isinstance(text, Unfilled):
        return text
    html = fill(skeleton.html, values)
    if isinstance(html, Unfilled):
        return html
    return [
        _header(skeleton, copy, subject),
        *skeleton.text_encoded.parts(text),
        skeleton.between,
        *skeleton.html_encoded.parts(html),
        skeleton.end,
    ]


def merged_html(
    skeleton: Skeleton, reader: Subscriber, *, unsubscribe_url: str | Nowhere, view_url: str
) -> str | Unfilled:
    """The HTML part as this reader sees it."""
    return fill_text(skeleton.html, reader_values(reader, unsubscribe_url=unsubscribe_url, view_url=view_url))


def merged_text(skeleton: Skeleton, reader: Subscriber, *, unsubscribe_url: str, view_url: str) -> str | Unfilled:
    """The text part as this reader sees it."""
    return fill_text(skeleton.text, reader_values(reader, unsubscribe_url=unsubscribe_url, view_url=view_url))


def neutral_subject(skeleton: Skeleton) -> str:
    """The subject as nobody in particular reads it."""
    nobody = neutral_reader(skeleton, skeleton.edition.language)
    subject = fill_text(skeleton.subject, reader_values(nobody, unsubscribe_url="", view_url=""))
    return "" if isinstance(subject, Unfilled) else subject


def neutral_reader(skeleton: Skeleton, language: str) -> Subscriber:
    """Nobody: a reader without data, for whom a field without a default shows its own name in brackets."""
    # A link's whole address has to be one; a name in brackets would not do there.
    shown = dict.fromkeys(whole_url_attributes(skeleton.edition), "https://example.org/")
    while True:
        nobody = Subscriber(
            id=0, ref=0, email="reader@example.org", name=shown.get("name"), language=language, attributes=shown
        )
        values = reader_values(nobody, unsubscribe_url="", view_url="")
        parts = (fill(part, values) for part in (skeleton.subject, skeleton.text, skeleton.html))
        missing = next((each.field for each in parts if isinstance(each, Unfilled)), None)
        if missing is None or missing in shown:
            return nobody
        shown[missing] = f"[{missing}]"


def _header(skeleton: Skeleton, copy: Copy, subject: str) -> bytes:
    edition = skeleton.edition
    sender, list_id, about = _shared_fields(
        edition.sender, edition.reply_to, edition.newsletter, edition.number, edition.language, copy.list_name,
        copy.view_url,
    )  # fmt: skip
    return b"".join((
        headers.field("Date", headers.date(copy.date)),
        sender,
        headers.field("To", headers.mailbox(headers.courtesy(copy.reader.name), copy.to)),
        headers.field("Subject", headers.unstructured(copy.subject_mark + subject)),
        headers.field("Message-ID", f"<{copy.message_id}>"),
        list_id,
        headers.list_unsubscribe([copy.unsubscribe_url, copy.unsubscribe_mailto]),
        about,
        skeleton.begin,
    ))  # fmt: skip


@lru_cache(maxsize=64)
def _shared_fields(
    sender: str, reply_to: str | None, newsletter: str, number: int, language: str, list_name: str, view_url: str
) -> tuple[bytes, bytes, bytes]:
    """What an edition's copies to one list share: From, the fields up to List-Id, those after List-Unsubscribe."""
    name, address = parseaddr(sender)
    domain = address.rpartition("@")[2]
    list_label = "".join(c if c.isascii() and (c.isalnum() or c in "-.") else "-" for c in list_name).lower()
    return (
        headers.field("From", headers.mailbox(name, address)),
        (headers.field("Reply-To", headers.mailbox(*parseaddr(reply_to))) if reply_to else b"")
        + headers.field("List-Id", headers.mailbox(newsletter, f"{list_label}.{domain}")),
        headers.field("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
        + headers.field("List-Archive", f"<{view_url}>")
        + headers.field("Feedback-ID", f"{number}:{list_label}:{language}:{domain}"),
    )


def _part_header(media_type: str, encoded: Encoded) -> bytes:
    head = f"Content-Type: {media_type}; charset=utf-8\r\nContent-Transfer-Encoding: {encoded.name}\r\n\r\n"
    return head.encode("ascii")


def _related_header(boundary: bytes) -> bytes:
    return b'Content-Type: multipart/related; type="text/html";\r\n boundary="%b"\r\n\r\n--%b\r\n' % (
        boundary,
        boundary,
    )


def _picture_part(picture: Picture, boundary: bytes) -> bytes:
    body = encodebytes(picture.content).replace(b"\n", b"\r\n")
    head = (
        f"--{boundary.decode('ascii')}\r\nContent-Type: {picture.media_type}\r\nContent-Transfer-Encoding: base64\r\n"
        f"Content-ID: <{picture.name}>\r\nContent-Disposition: inline; filename={picture.name}\r\n\r\n"
    )
    return head.encode("ascii") + body
