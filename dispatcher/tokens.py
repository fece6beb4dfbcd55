"""Signed names: in the link that leaves, in the return path, in the link to an issue's page.

A token is version, payload and a MAC of 128 bits in lower-case base32: one spelling, no address, one purpose.
The MAC's key depends on the database's instance, so that a token never names somebody in another database.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
import tempfile
from base64 import b32decode, b32encode
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from dispatcher.errors import SettingsWrong

_VERSION = b"\x01"
_MAC_BYTES = 16

SAMPLE = "sample"
"""Stands where a token would be in copies that belong to no reader."""


class Purpose(StrEnum):
    """What a token allows; none allows anything else."""

    LEAVE = "leave"  # leave a list; never expires
    RETURN = "return"  # the return path of one delivery; never expires
    VIEW = "view"  # see an issue's page; names no reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """The signing secrets, the first of which signs, and the database they sign for."""

    secrets: tuple[str, ...] = field(repr=False)
    instance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveToken:
    subscriber_id: int
    ref: int
    list_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnToken:
    delivery_id: int
    ref: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewToken:
    number: int
    language: str


def sign_leave(keyring: Keyring, token: LeaveToken) -> str:
    """47 characters."""
    payload = token.list_id.to_bytes(3) + token.subscriber_id.to_bytes(5) + token.ref.to_bytes(4)
    return _sign(keyring, Purpose.LEAVE, payload)


def sign_return(keyring: Keyring, token: ReturnToken) -> str:
    """44 characters."""
    return _sign(keyring, Purpose.RETURN, token.delivery_id.to_bytes(6) + token.ref.to_bytes(4))


def sign_view(keyring: Keyring, token: ViewToken) -> str:
    return _sign(keyring, Purpose.VIEW, token.number.to_bytes(4) + token.language.encode("ascii"))


def read_leave(keyring: Keyring, text: str) -> LeaveToken | None:
    """What a token says, or None for one that is forged, damaged, or for another purpose or database."""
    payload = _verified(keyring, Purpose.LEAVE, text)
    if payload is None or len(payload) != 12:
        return None
    return LeaveToken(
        list_id=int.from_bytes(payload[:3]),
        subscriber_id=int.from_bytes(payload[3:8]),
        ref=int.from_bytes(payload[8:]),
    )


def read_view(keyring: Keyring, text: str) -> ViewToken | None:
    payload = _verified(keyring, Purpose.VIEW, text)
    if payload is None or len(payload) < 5:
        return None
    return ViewToken(number=int.from_bytes(payload[:4]), language=payload[4:].decode("ascii"))


def message_id(salt: str, *, issue: int, subscriber_id: int, copy: int, domain: str) -> str:
    """A Message-ID without brackets: the same on every attempt, different for every copy and every mailing."""
    digest = hmac.digest(bytes.fromhex(salt), f"{subscriber_id}/{copy}".encode(), "sha256")
    return f"i{issue}.{_encode(digest)[:20]}@{domain}"


def new_ref() -> int:
    """A random number for a new subscriber."""
    return secrets.randbits(32)


def fingerprint(secret: str) -> str:
    """Names a secret without telling it."""
    return hashlib.sha256(b"dispatcher fingerprint\0" + secret.encode()).hexdigest()[:16]


def load_secrets(from_environment: tuple[str, ...], key_file: Path) -> tuple[str, ...]:
    """The secrets to sign with: the environment's, else the folder's key, which is made at first use (0600).

    Raises SettingsWrong when the key can be read by others or is too short.
    """
    if from_environment:
        return from_environment
    try:
        if not key_file.exists():
            _make_key(key_file)
        if not key_file.is_dir() and key_file.stat().st_mode & 0o077:
            raise SettingsWrong(f"{key_file}: others can read the signing key; run: chmod 600 {key_file}")
        found = tuple(key_file.read_text(encoding="ascii").split())
    except OSError as error:
        raise SettingsWrong(f"{key_file}: {error.strerror}; the signing key is kept there") from error
    except UnicodeDecodeError as error:
        raise SettingsWrong(f"{key_file}: this is no signing key; restore it from your backup") from error
    if not found or any(len(secret) < 32 for secret in found):
        raise SettingsWrong(f"{key_file}: a signing secret has fewer than 32 characters; restore it from your backup")
    return found


def _make_key(key_file: Path) -> None:
    """Writes a whole key or none; when two runs make one at once, the first stays."""
    descriptor, name = tempfile.mkstemp(dir=key_file.parent, prefix=".dispatcher.key-")  # 0600
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            key_file.hardlink_to(name)
    finally:
        Path(name).unlink()


def _sign(keyring: Keyring, purpose: Purpose, payload: bytes) -> str:
    body = _VERSION + payload
    return _encode(body + _mac(keyring.secrets[0], keyring.instance, purpose, body))


def _verified(keyring: Keyring, purpose: Purpose, text: str) -> bytes | None:
    raw = _decode(text)
    if raw is None or len(raw) <= _MAC_BYTES + 1 or raw[:1] != _VERSION:
        return None
    body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    for secret in keyring.secrets:
        if hmac.compare_digest(_mac(secret, keyring.instance, purpose, body), mac):
            return body[1:]
    return None


def _mac(secret: str, instance: str, purpose: Purpose, body: bytes) -> bytes:
    key = hmac.digest(secret.encode(), f"dispatcher\0{purpose}\0{instance}".encode(), "sha256")
    return hmac.digest(key, body, "sha256")[:_MAC_BYTES]


def _encode(raw: bytes) -> str:
    return b32encode(raw).decode("ascii").rstrip("=").lower()


def _decode(text: str) -> bytes | None:
    if not text.isascii() or len(text) > 128:
        return None
    try:
        raw = b32decode(text.upper() + "=" * (-len(text) % 8))
    except ValueError:
        return None
    return raw if _encode(raw) == text else None
