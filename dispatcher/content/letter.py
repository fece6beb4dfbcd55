"""Builds a small mail to one person: a few paragraphs and one link, as text and as HTML."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from html import escape

from dispatcher.content.drawing.wrap import wrap
from dispatcher.content.message import headers
from dispatcher.content.message.encode import encode_pieces


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallMail:
    """All that such a mail says; nothing in it was chosen by a visitor but the address it goes to."""

    to: str
    sender: str  # "Life with Data <weekly@example.org>"
    reply_to: str | None
    message_id: str
    date: datetime
    subject: str
    paragraphs: Sequence[str]  # before the link
    label: str  # of the link
    url: str
    closing: Sequence[str]  # behind it, in small
    postal_address: str
    language: str
    direction: str  # "ltr" or "rtl"
    font_stack: str
    accent: str


def build_letter(mail: SmallMail) -> bytes:
    """The whole message with CRLF line ends. No reply to it can start a loop: it says that a program wrote it."""
    boundary = "=_" + hashlib.sha256(mail.message_id.encode()).hexdigest()[:24]
    parts = [
        headers.field("Date", headers.date(mail.date)),
        headers.field("From", headers.mailbox(*parseaddr(mail.sender))),
        headers.field("To", headers.mailbox(None, mail.to)),
        headers.field("Subject", headers.unstructured(mail.subject)),
        headers.field("Message-ID", f"<{mail.message_id}>"),
        headers.field("Auto-Submitted", "auto-generated"),  # RFC 3834
        headers.field("X-Auto-Response-Suppress", "All"),  # Exchange listens to nothing else
    ]
    if mail.reply_to:
        parts.append(headers.field("Reply-To", headers.mailbox(*parseaddr(mail.reply_to))))
    parts += [
        b"MIME-Version: 1.0\r\n",
        f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n'.encode(),
        *(_part(boundary, kind, content) for kind, content in (("plain", _text(mail)), ("html", _html(mail)))),
        f"\r\n--{boundary}--\r\n".encode(),
    ]
    return b"".join(parts)


def _part(boundary: str, kind: str, content: str) -> bytes:
    encoded = encode_pieces((content,))
    head = (
        f"\r\n--{boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: {encoded.name}\r\n\r\n"
    )
    return head.encode() + encoded.join((0,))


def _text(mail: SmallMail) -> str:
    blocks = [*map(_wrapped, mail.paragraphs), f"{mail.label}:\n{mail.url}", *map(_wrapped, mail.closing)]
    if mail.postal_address:
        blocks.append(f"-- \n{mail.postal_address}")
    return "\n\n".join(blocks) + "\n"


def _wrapped(paragraph: str) -> str:
    return "\n".join(wrap(paragraph))


def _html(mail: SmallMail) -> str:
    said = "".join(f'<p style="margin:0 0 16px">{escape(each)}</p>' for each in mail.paragraphs)
    small = "margin:0 0 8px;font-size:13px;color:#6b7180"
    closing = "".join(f'<p style="{small}">{escape(each)}</p>' for each in (*mail.closing, mail.postal_address) if each)
    button = (
        f"display:inline-block;padding:13px 26px;border-radius:8px;background:{escape(mail.accent)};color:#ffffff;"
        "font-weight:700;text-decoration:none"
    )
    return (
        f'<!doctype html>\n<html lang="{escape(mail.language)}" dir="{mail.direction}"><head><meta charset="utf-8">'
        f'<meta name="color-scheme" content="light dark"><title>{escape(mail.subject)}</title></head>\n'
        f'<body style="margin:0;padding:24px 16px;font:16px/1.6 {escape(mail.font_stack)}">'
        f'<div style="max-width:520px;margin:0 auto">\n{said}\n'
        f'<p style="margin:0 0 28px"><a href="{escape(mail.url)}" style="{button}">{escape(mail.label)}</a></p>\n'
        f"{closing}\n</div></body></html>\n"
    )
