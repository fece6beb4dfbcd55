"""Builds the message of one reader as bytes: headers by hand, bodies joined from pieces encoded once per edition."""

import hashlib
from base64 import encodebytes
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from functools import lru_cache

from dispatcher.content import headers
from dispatcher.content.encode import Encoded, encode_pieces
from dispatcher.content.evaluate import Context, reader_values
from dispatcher.content.merge import Part, Unfilled, fill, fill_text, prepare
from dispatcher.content.needs import whole_url_attributes
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
    boundary: str
    related: bytes  # pictures as parts, for an edition with inline pictures


@lru_cache(maxsize=16)  # the check, the dry run and the send each ask for the same few
def make_skeleton(edition: Edition) -> Skeleton:
    """Compiles and encodes what all copies of an edition share; the costly step, done once for equal editions."""
    text = prepare(edition.text, edition.fields, Context.TEXT)
    html = prepare(edition.html, edition.fields, Context.HTML)
    # Quoted-printable and base64 never contain "=_", so no body can contain the boundary.
    boundary = "=_" + hashlib.sha256(edition.html.encode()).hexdigest()[:24]
    inline = edition.pictures if edition.inline_pictures else ()
    return Skeleton(
        edition=edition,
        subject=prepare(edition.subject, edition.fields, Context.TEXT),
        text=text,
        html=html,
        text_encoded=encode_pieces(text.pieces),
        html_encoded=encode_pieces(html.pieces),
        boundary=boundary,
        related=b"".join(_picture_part(each, boundary + "r") for each in inline),
    )


def build_message(skeleton: Skeleton, copy: Copy) -> bytes | Unfilled:
    """The whole message with CRLF line ends, or what keeps the reader's fields from filling it."""
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
    boundary = skeleton.boundary.encode("ascii")
    return b"".join((
        _header(skeleton, copy, subject),
        b"--", boundary, b"\r\n", _part_header("text/plain", skeleton.text_encoded), skeleton.text_encoded.join(text),
        b"\r\n--", boundary, b"\r\n", _html_part(skeleton, skeleton.html_encoded.join(html)),
        b"\r\n--", boundary, b"--\r\n",
    ))  # fmt: skip


def merged_html(skeleton: Skeleton, reader: Subscriber, *, unsubscribe_url: str, view_url: str) -> str | Unfilled:
    """The HTML part as this reader sees it."""
    return fill_text(skeleton.html, reader_values(reader, unsubscribe_url=unsubscribe_url, view_url=view_url))


def merged_text(skeleton: Skeleton, reader: Subscriber, *, unsubscribe_url: str, view_url: str) -> str | Unfilled:
    """The text part as this reader sees it."""
    return fill_text(skeleton.text, reader_values(reader, unsubscribe_url=unsubscribe_url, view_url=view_url))


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
    sender_name, sender = parseaddr(edition.sender)
    domain = sender.rpartition("@")[2]
    list_label = "".join(c if c.isascii() and (c.isalnum() or c in "-.") else "-" for c in copy.list_name).lower()
    parts = [
        headers.field("Date", headers.date(copy.date)),
        headers.field("From", headers.mailbox(sender_name, sender)),
        headers.field("To", headers.mailbox(headers.courtesy(copy.reader.name), copy.to)),
        headers.field("Subject", headers.unstructured(copy.subject_mark + subject)),
        headers.field("Message-ID", f"<{copy.message_id}>"),
    ]
    if edition.reply_to:
        parts.append(headers.field("Reply-To", headers.mailbox(*parseaddr(edition.reply_to))))
    parts += [
        headers.field("List-Id", headers.mailbox(edition.newsletter, f"{list_label}.{domain}")),
        headers.list_unsubscribe([copy.unsubscribe_url, copy.unsubscribe_mailto]),
        headers.field("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        headers.field("List-Archive", f"<{copy.view_url}>"),
        headers.field("Feedback-ID", f"{edition.number}:{list_label}:{edition.language}:{domain}"),
        b"MIME-Version: 1.0\r\n",
        f'Content-Type: multipart/alternative;\r\n boundary="{skeleton.boundary}"\r\n\r\n'.encode("ascii"),
    ]
    return b"".join(parts)


def _html_part(skeleton: Skeleton, body: bytes) -> bytes:
    html = _part_header("text/html", skeleton.html_encoded) + body
    if not skeleton.related:
        return html
    boundary = (skeleton.boundary + "r").encode("ascii")
    return b"".join((
        b'Content-Type: multipart/related; type="text/html";\r\n boundary="', boundary, b'"\r\n\r\n',
        b"--", boundary, b"\r\n", html, b"\r\n", skeleton.related, b"--", boundary, b"--\r\n",
    ))  # fmt: skip


def _part_header(media_type: str, encoded: Encoded) -> bytes:
    return (f"Content-Type: {media_type}; charset=utf-8\r\nContent-Transfer-Encoding: {encoded.name}\r\n\r\n").encode(
        "ascii"
    )


def _picture_part(picture: Picture, boundary: str) -> bytes:
    body = encodebytes(picture.content).replace(b"\n", b"\r\n")
    head = (
        f"--{boundary}\r\nContent-Type: {picture.media_type}\r\nContent-Transfer-Encoding: base64\r\n"
        f"Content-ID: <{picture.name}>\r\nContent-Disposition: inline; filename={picture.name}\r\n\r\n"
    )
    return head.encode("ascii") + body
