"""The relay of the tests keeps its word: what it counts is what came in."""

import smtplib
import ssl
from pathlib import Path
from typing import Literal

import pytest

from tests.relay import Relay

LETTER = b"Subject: x\r\n\r\n.dot\r\n" + (b"y" * 70 + b"\r\n") * 850


def test_what_comes_in_is_kept_byte_for_byte(relay: Relay) -> None:
    with smtplib.SMTP("127.0.0.1", relay.port) as client:
        for n in range(50):
            client.sendmail("letter@example.org", [f"reader{n}@example.com"], LETTER)
    assert len(relay.copies) == 50
    assert all(message.content == LETTER and message.was_stuffed for message in relay.messages)
    assert not any(message.has_bare_cr_or_lf for message in relay.messages)


def test_it_answers_as_told_and_then_as_usual(relay: Relay) -> None:
    relay.reply("rcpt", "452 4.2.2 mailbox full", to="cleo@example.com", times=1)
    with smtplib.SMTP("127.0.0.1", relay.port) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused, match="452"):
            client.sendmail("letter@example.org", ["cleo@example.com"], LETTER)
        client.sendmail("letter@example.org", ["cleo@example.com"], LETTER)
    assert relay.copies == {"cleo@example.com": 1}


@pytest.mark.parametrize("kept", [True, False])
def test_it_can_go_away_after_the_dot(relay: Relay, *, kept: bool) -> None:
    relay.close("dot", kept=kept)
    with smtplib.SMTP("127.0.0.1", relay.port) as client, pytest.raises(smtplib.SMTPServerDisconnected):
        client.sendmail("letter@example.org", ["eve@example.com"], LETTER)
    assert (len(relay.messages), len(relay.offered)) == (int(kept), 1)


def test_it_can_go_away_in_the_body(relay: Relay) -> None:
    relay.close("body")
    client = smtplib.SMTP("127.0.0.1", relay.port)
    with pytest.raises(OSError, match=r"(?i)clos|reset|pipe|not connected"):
        client.sendmail("letter@example.org", ["eve@example.com"], LETTER * 50)
    client.close()
    assert relay.offered == []


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_it_speaks_tls_and_asks_for_a_password(tmp_path: Path, tls: Literal["starttls", "implicit"]) -> None:
    with Relay(tls=tls, user="letter", password="right") as relay:
        context = ssl.create_default_context(cafile=str(relay.write_authority(tmp_path)))
        if tls == "starttls":
            client = smtplib.SMTP("localhost", relay.port)
            client.starttls(context=context)
        else:
            client = smtplib.SMTP_SSL("localhost", relay.port, context=context)
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("letter", "wrong")
        client.login("letter", "right")
        client.sendmail("letter@example.org", ["ann@example.com"], LETTER)
        client.quit()
        assert relay.copies == {"ann@example.com": 1}
        assert not relay.has_seen_auth_in_plaintext
