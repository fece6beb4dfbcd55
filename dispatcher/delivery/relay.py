"""Reads a relay's URL: where our mail goes, and how safely."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from dispatcher.delivery.warm_up import WarmUp
from dispatcher.errors import SettingsWrong


class Security(StrEnum):
    """What protects the connection to a relay; none of them falls back to another."""

    TLS = "tls"  # from the first byte
    STARTTLS = "starttls"  # required, never given up
    NONE = "none"  # asked for by its name; no password is ever sent over it


@dataclass(frozen=True, slots=True, kw_only=True)
class MaildirRelay:
    """A folder that takes mail as a Maildir; nothing leaves the machine."""

    folder: Path

    def __str__(self) -> str:
        return str(self.folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpRelay:
    """An SMTP server that takes our mail."""

    host: str
    port: int
    security: Security
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    connections: int = 16  # at most, opened as needed
    per_second: float | None = None  # messages
    per_day: int | None = None  # messages in any 24 hours
    warm_up: WarmUp | None = None  # until then; needs per_day
    domains: tuple[str, ...] = ()  # of recipients; empty: all that no other relay is there for
    weight: float = 1.0  # its share among relays that could take the same message

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


Relay = MaildirRelay | SmtpRelay


def read_relay(
    url: str, *, folder: Path, password: str | None = None, variable: str = "DISPATCHER_RELAY_PASSWORD"
) -> Relay:
    """`maildir:outbox`, `smtp://user@host:587`, `smtps://user@host:465` or `smtp://127.0.0.1:2525?tls=none`.

    `variable` is where the password comes from. Raises SettingsWrong; the text of the error never holds a password.
    """
    scheme, _, rest = url.partition(":")
    if scheme == "maildir":
        if not rest or rest.startswith("//"):
            raise SettingsWrong("relay: write a Maildir as maildir:outbox")
        return MaildirRelay(folder=folder / rest)
    if scheme not in {"smtp", "smtps"}:
        raise SettingsWrong("relay: the URL must start with maildir:, smtp:// or smtps://")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise SettingsWrong("relay: the URL cannot be read; write it as smtp://user@host:587") from error
    if parts.password is not None:
        raise SettingsWrong(f"relay: a password does not belong into the URL; put it into {variable}")
    if not parts.hostname or parts.path not in {"", "/"} or parts.fragment:
        raise SettingsWrong("relay: the URL must be like smtp://user@host:587")
    user = unquote(parts.username) if parts.username else None
    security = _security(scheme, parts.query)
    if security is Security.NONE and user:
        raise SettingsWrong("relay: no password is sent over plaintext; remove tls=none or the user")
    if user and not password:
        raise SettingsWrong(f"relay: no password for {user}; set {variable}")
    return SmtpRelay(
        host=parts.hostname,
        port=port or (465 if security is Security.TLS else 587),
        security=security,
        user=user,
        password=password if user else None,
    )


def _security(scheme: str, query: str) -> Security:
    options = dict(parse_qsl(query, keep_blank_values=True))
    if options.pop("tls", "required" if scheme == "smtp" else "") == "none" and scheme == "smtp":
        security = Security.NONE
    else:
        security = Security.TLS if scheme == "smtps" else Security.STARTTLS
    if options or (query and security is not Security.NONE):
        raise SettingsWrong("relay: the only option of a URL is tls=none, of smtp://")
    return security
