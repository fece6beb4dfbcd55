"""Signed names: in the link that leaves, in the return path, in the link to an issue's page.

A token is version, payload and a MAC of 128 bits in lower-case base32: one spelling, no address, one purpose.
The MAC's key depends on the database's instance, so that a token never names somebody in another database.
Long, because all purposes stand side by side, where one can see that none is taken for another.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
import tempfile
from base64 import b32decode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from dispatcher.errors import SettingsWrong

_VERSION = b"\x01"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAC_BYTES = 16
_BLOCK = 64  # bytes, of SHA-256
_DIGITS = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]

SAMPLE = "sample"
"""Stands where a token would be in copies that belong to no reader."""


class Purpose(StrEnum):
    """What a token allows; none allows anything else."""

    LEAVE = "leave"  # leave a list; never expires
    RETURN = "return"  # the return path of one delivery; never expires
    VIEW = "view"  # see an issue's page; names no reader
    CONFIRM = "confirm"  # confirm that one asked to be on a list; expires
    DATA = "data"  # see, change, take along and erase one's own data; only ever mailed to its owner; expires
    UNDO = "undo"  # take back that one has just left; expires in minutes
    FORM = "form"  # post a form that was drawn here; names nobody; expires


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmToken:
    signup_id: int
    ref: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DataToken:
    subscriber_id: int
    ref: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoToken:
    subscriber_id: int
    ref: int
    left_at: datetime  # names what is taken back, and nothing that happened before or after
    expires_at: datetime


def sign_leave(keyring: Keyring, token: LeaveToken) -> str:
    """47 characters."""
    payload = token.list_id.to_bytes(3) + token.subscriber_id.to_bytes(5) + token.ref.to_bytes(4)
    return _sign(keyring, Purpose.LEAVE, payload)


def sign_return(keyring: Keyring, token: ReturnToken) -> str:
    """44 characters."""
    return _sign(keyring, Purpose.RETURN, token.delivery_id.to_bytes(6) + token.ref.to_bytes(4))


@lru_cache(maxsize=64)
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


def read_return(keyring: Keyring, text: str) -> ReturnToken | None:
    """What a return path says, whatever case mail servers gave it."""
    payload = _verified(keyring, Purpose.RETURN, text.lower())
    if payload is None or len(payload) != 10:
        return None
    return ReturnToken(delivery_id=int.from_bytes(payload[:6]), ref=int.from_bytes(payload[6:]))


def read_view(keyring: Keyring, text: str) -> ViewToken | None:
    payload = _verified(keyring, Purpose.VIEW, text)
    if payload is None or len(payload) < 5:
        return None
    return ViewToken(number=int.from_bytes(payload[:4]), language=payload[4:].decode("ascii"))


def sign_confirm(keyring: Keyring, token: ConfirmToken) -> str:
    payload = token.signup_id.to_bytes(5) + token.ref.to_bytes(4) + _seconds(token.expires_at)
    return _sign(keyring, Purpose.CONFIRM, payload)


def read_confirm(keyring: Keyring, text: str) -> ConfirmToken | None:
    """What it says, or None; whoever reads it looks at `expires_at`, and so for the others that expire."""
    payload = _verified(keyring, Purpose.CONFIRM, text)
    if payload is None or len(payload) != 13:
        return None
    return ConfirmToken(
        signup_id=int.from_bytes(payload[:5]), ref=int.from_bytes(payload[5:9]), expires_at=_time(payload[9:])
    )


def sign_data(keyring: Keyring, token: DataToken) -> str:
    payload = token.subscriber_id.to_bytes(5) + token.ref.to_bytes(4) + _seconds(token.expires_at)
    return _sign(keyring, Purpose.DATA, payload)


def read_data(keyring: Keyring, text: str) -> DataToken | None:
    payload = _verified(keyring, Purpose.DATA, text)
    if payload is None or len(payload) != 13:
        return None
    return DataToken(
        subscriber_id=int.from_bytes(payload[:5]), ref=int.from_bytes(payload[5:9]), expires_at=_time(payload[9:])
    )


def sign_undo(keyring: Keyring, token: UndoToken) -> str:
    moment = (token.left_at - _EPOCH) // timedelta(microseconds=1)
    payload = token.subscriber_id.to_bytes(5) + token.ref.to_bytes(4) + moment.to_bytes(8)
    return _sign(keyring, Purpose.UNDO, payload + _seconds(token.expires_at))


def read_undo(keyring: Keyring, text: str) -> UndoToken | None:
    payload = _verified(keyring, Purpose.UNDO, text)
    if payload is None or len(payload) != 21:
        return None
    return UndoToken(
        subscriber_id=int.from_bytes(payload[:5]),
        ref=int.from_bytes(payload[5:9]),
        left_at=_EPOCH + timedelta(microseconds=int.from_bytes(payload[9:17])),
        expires_at=_time(payload[17:]),
    )


def sign_form(keyring: Keyring, drawn_at: datetime) -> str:
    """Says when a form was drawn."""
    return _sign(keyring, Purpose.FORM, _seconds(drawn_at) + secrets.token_bytes(4))


def read_form(keyring: Keyring, text: str) -> datetime | None:
    payload = _verified(keyring, Purpose.FORM, text)
    return None if payload is None or len(payload) != 8 else _time(payload[:4])


def address_hashes(keyring: Keyring, address_key: str) -> tuple[str, ...]:
    """The names of an address in the list of suppressions, one for each secret; today's come first."""
    return tuple(_address_hash(secret, keyring.instance, address_key) for secret in keyring.secrets)


def message_id(salt: str, *, issue: int, subscriber_id: int, copy: int, domain: str) -> str:
    """A Message-ID without brackets: the same on every attempt, different for every copy and every mailing."""
    digest = _digest(_keyed(bytes.fromhex(salt)), f"{subscriber_id}/{copy}".encode())
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


@lru_cache(maxsize=64)
def _address_key(secret: str, instance: str) -> bytes:
    return hmac.digest(secret.encode(), f"dispatcher\0suppression\0{instance}".encode(), "sha256")


def _address_hash(secret: str, instance: str, address_key: str) -> str:
    return hmac.digest(_address_key(secret, instance), address_key.encode(), "sha256")[:_MAC_BYTES].hex()


def _seconds(moment: datetime) -> bytes:
    return int((moment - _EPOCH).total_seconds()).to_bytes(4)


def _time(seconds: bytes) -> datetime:
    return _EPOCH + timedelta(seconds=int.from_bytes(seconds))


def _mac(secret: str, instance: str, purpose: Purpose, body: bytes) -> bytes:
    return _digest(_keyed(_key(secret, instance, purpose)), body)[:_MAC_BYTES]


@lru_cache(maxsize=64)
def _key(secret: str, instance: str, purpose: Purpose) -> bytes:
    return hmac.digest(secret.encode(), f"dispatcher\0{purpose}\0{instance}".encode(), "sha256")


@lru_cache(maxsize=64)
def _keyed(key: bytes) -> tuple["hashlib._Hash", "hashlib._Hash"]:
    """HMAC-SHA-256's inner and outer hash (RFC 2104) with the key taken in: a message needs four MACs."""
    padded = key.ljust(_BLOCK, b"\0")
    return (
        hashlib.sha256(bytes(byte ^ 0x36 for byte in padded)),
        hashlib.sha256(bytes(byte ^ 0x5C for byte in padded)),
    )


def _digest(keyed: tuple["hashlib._Hash", "hashlib._Hash"], body: bytes) -> bytes:
    """As hmac.digest, whose every call looks the algorithm up and takes in the key: four times as dear."""
    inner, outer = keyed[0].copy(), keyed[1].copy()
    inner.update(body)
    outer.update(inner.digest())
    return outer.digest()


def _encode(raw: bytes) -> str:
    """Base32 (RFC 4648) in lower case without padding, ten bits at a time."""
    spare = -len(raw) * 8 % 10
    number = int.from_bytes(raw) << spare
    shifts = range(len(raw) * 8 + spare - 10, -1, -10)
    return "".join([_PAIRS[number >> shift & 1023] for shift in shifts])[: (len(raw) * 8 + 4) // 5]


def _decode(text: str) -> bytes | None:
    if not text.isascii() or len(text) > 128:
        return None
    try:
        raw = b32decode(text.upper() + "=" * (-len(text) % 8))
    except ValueError:
        return None
    return raw if _encode(raw) == text else None
