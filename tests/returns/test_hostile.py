"""Hostile mail is ordinary input: whatever arrives is read in time, and nothing raises."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.returns.parse import parse
from tests.returns import mails

HEAD = b"From: MAILER-DAEMON@example.net\nSubject: Undelivered mail\nReturn-Path: <>\n"
FAILED = HEAD + b"\nYour message could not be delivered to <dan@example.com>\n"
MIXED = HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n"

HOSTILE = {
    "deep": HEAD + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(1000)),
    "one boundary for all": MIXED + b"--b\nContent-Type: multipart/mixed; boundary=b\n\n" * 20_000,
    "many parts": MIXED + b"--b\n\nx\n" * 200_000,
    "a long header": b"X: " + b"a" * 5_000_000,
    "many headers": b"X-a: b\n" * 1_000_000,
    "at signs": FAILED + b"@" * 1_000_000,
    "addresses": FAILED + b"a@a." * 500_000,
    "a thousand recipients": FAILED + b"".join(b"<a%d@a.example>: no\n" % n for n in range(20_000)),
    "words": FAILED + b"sender user mailbox " * 100_000,
    "spaces": FAILED + b" " * 2_000_000,
    "dashes": FAILED + b"----\n" * 400_000,
    "empty lines": FAILED + b"\n" * 2_000_000,
    "open tags": HEAD + b"Content-Type: text/html\n\n" + b"<style>x" * 300_000,
    "encoded words": b"Subject: " + b"=?utf-8?q?x?= " * 700 + b"\n\n",
    "wrong encoded words": b"Subject: =?utf-8?b?a?= =?x?q?=?= =?utf-7?b?+++?=\n\n",
    "blocks": HEAD + b"\n" + b"Final-Recipient: rfc822; a@b.example\nAction: failed\n\n" * 40_000,
    "brackets": HEAD + b"\n" + b"[" * 1_000_000,
    "braces": HEAD + b"\n" + b'{"a":' * 100_000,
    "codes": FAILED + b"550 5.1." * 200_000,
    "parameters": HEAD + b"Content-Type: multipart/mixed" + b"; boundary" * 100_000 + b"\n\n",
    "mail in mail": (MIXED + b"--b\nContent-Type: message/rfc822\n\n") * 1000,
    "wrong base64": HEAD + b"Content-Transfer-Encoding: base64\n\nA=A=A===\n",
    "a charset that is none": HEAD + b"Content-Type: text/plain; charset=uft-8\n\n\xff\xfe could not be delivered\n",
    "a codec that is no charset": HEAD + b"Content-Type: text/plain; charset=rot13\n\nx\n",
    "a codec for bytes": HEAD + b"Content-Type: text/plain; charset=zlib\n\nx\n",
    "half a character in UTF-7": FAILED.replace(b"\n\n", b"\nContent-Type: text/plain; charset=utf-7\n\n+2AA- ", 1),
    "half a character as Python writes it": FAILED.replace(
        b"\n\n", b"\nContent-Type: text/plain; charset=unicode_escape\n\n\\ud800 ", 1
    ),
    "half a character in JSON": HEAD
    + b'\n{"notificationType": "Bounce", "bounce": {"bouncedRecipients": [{"emailAddress": "\\ud800@example.com", '
    b'"diagnosticCode": "550 \\udc00 \\u0000"}]}}',
    "half a character in a header": b"Subject: =?utf-7?q?+2AA-?=\nTo: <\xed\xa0\x80@example.com>\n\nx\n",
    "NUL": FAILED + b"550 \0 no such user\n",
    "a NUL in a charset": HEAD + b"Content-Type: text/plain; charset=\x00\n\nx\n",
}


@pytest.mark.parametrize("mail", HOSTILE.values(), ids=HOSTILE)
def test_hostile_mail_is_read_in_time(mail: bytes) -> None:
    began = time.process_time()
    returned = parse(mail)
    assert time.process_time() - began < 2  # a tenth of that is usual
    told = [text for each in returned.recipients for text in (each.address, each.said, *each.evidence)]
    assert "\0" not in "".join([*told, *returned.addressed_to, *returned.original.values()]).encode().decode()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_are_read(raw: bytes) -> None:
    parse(raw)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_damage_to_a_notice_is_read(data: st.DataObject) -> None:
    known = [mails.POSTFIX, mails.EXIM, mails.complaint(), mails.AMAZON_BOUNCE, mails.TENCENT]
    damaged = bytearray(data.draw(st.sampled_from(known)))
    for _ in range(data.draw(st.integers(1, 20))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    parse(bytes(damaged))
