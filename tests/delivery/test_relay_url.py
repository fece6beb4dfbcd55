"""A relay's URL: where our mail goes, and never less safely than it says."""

from pathlib import Path

import pytest

from dispatcher.delivery.relay import MaildirRelay, Security, SmtpRelay, read_relay
from dispatcher.errors import SettingsWrong

FOLDER, PASSWORD = Path("/letter"), "hunter2"


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("maildir:outbox", "/letter/outbox"),
        ("maildir:a/b", "/letter/a/b"),
        ("maildir:/srv/mail", "/srv/mail"),
    ],
)
def test_a_maildir_is_a_folder(url: str, folder: str) -> None:
    assert read_relay(url, folder=FOLDER) == MaildirRelay(folder=Path(folder))


@pytest.mark.parametrize(
    ("url", "host", "port", "security", "user"),
    [
        ("smtp://ann@mail.example.org:587", "mail.example.org", 587, Security.STARTTLS, "ann"),
        ("smtp://mail.example.org", "mail.example.org", 587, Security.STARTTLS, None),
        ("smtp://mail.example.org:25/", "mail.example.org", 25, Security.STARTTLS, None),
        ("smtps://ann%40example.org@mail.example.org", "mail.example.org", 465, Security.TLS, "ann@example.org"),
        ("smtps://mail.example.org:1465", "mail.example.org", 1465, Security.TLS, None),
        ("smtp://127.0.0.1:2525?tls=none", "127.0.0.1", 2525, Security.NONE, None),
        ("smtp://[::1]:2525?tls=none", "::1", 2525, Security.NONE, None),
    ],
)
def test_an_smtp_relay_says_how_it_is_protected(
    url: str, host: str, port: int, security: Security, user: str | None
) -> None:
    relay = read_relay(url, folder=FOLDER, password=PASSWORD)
    assert isinstance(relay, SmtpRelay)
    assert (relay.host, relay.port, relay.security, relay.user) == (host, port, security, user)
    assert relay.password == (PASSWORD if user else None)
    assert relay.connections == 16
    assert PASSWORD not in repr(relay)
    assert PASSWORD not in str(relay)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "must start with"),
        ("outbox", "must start with"),
        ("http://example.org", "must start with"),
        ("sendmail:", "must start with"),
        ("maildir:", "write a Maildir as"),
        ("maildir://outbox", "write a Maildir as"),
        ("smtp:mail.example.org", "must be like"),
        ("smtp://", "must be like"),
        ("smtp://mail.example.org/path", "must be like"),
        ("smtp://mail.example.org#fragment", "must be like"),
        ("smtp://mail.example.org:port", "cannot be read"),
        ("smtp://mail.example.org:99999", "cannot be read"),
        ("smtp://[::1", "cannot be read"),
        (f"smtp://ann:{PASSWORD}@mail.example.org", "a password does not belong"),
        (f"smtps://ann:{PASSWORD}@mail.example.org", "a password does not belong"),
        (f"smtp://:{PASSWORD}@mail.example.org", "a password does not belong"),
        ("smtp://ann:@mail.example.org", "a password does not belong"),
        ("smtp://ann@127.0.0.1?tls=none", "no password is sent over plaintext"),
        ("smtp://mail.example.org?tls=maybe", "only option"),
        ("smtp://mail.example.org?tls=", "only option"),
        ("smtp://mail.example.org?starttls=no", "only option"),
        ("smtp://mail.example.org?tls=none&verify=no", "only option"),
        ("smtps://mail.example.org?tls=none", "only option"),
    ],
)
def test_a_url_that_is_wrong_is_refused_without_its_password(url: str, said: str) -> None:
    with pytest.raises(SettingsWrong, match=said) as caught:
        read_relay(url, folder=FOLDER, password=PASSWORD)
    assert PASSWORD not in str(caught.value)


def test_a_user_without_a_password_is_named() -> None:
    with pytest.raises(SettingsWrong, match="no password for ann; set DISPATCHER_RELAY_PASSWORD"):
        read_relay("smtp://ann@mail.example.org", folder=FOLDER)
