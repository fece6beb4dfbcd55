"""Signs messages with DKIM (RFC 6376), by RSA and, where there is a key for it, by Ed25519 as well (RFC 8463).

Headers relaxed, body simple: a body of ours is what is on the wire already, and its hash needs no rewriting of 94 KB.
"""

import asyncio
import hashlib
import os
import re
import stat
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from dispatcher.delivery.terms import Sign
from dispatcher.errors import SettingsWrong

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_LEAST_BITS = 1024  # RFC 8301
# What RFC 6376 5.4.1 recommends and receivers of bulk mail insist on, as far as a message has it.
_SIGNED = (
    "from", "to", "subject", "date", "message-id", "reply-to", "mime-version", "content-type", "list-id",
    "list-unsubscribe", "list-unsubscribe-post", "list-archive", "feedback-id",
)  # fmt: skip
# Named once more than they occur, so that nobody can add another one (RFC 6376 8.15).
_OVERSIGNED = ("from", "subject", "list-unsubscribe", "list-unsubscribe-post")
_FOLDED = re.compile(rb"[ \t\r\n]+")
_NEXT_FIELD = re.compile(rb"\r\n(?![ \t])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """How one signature is made: under which name its public key is published, and by which key."""

    algorithm: str  # "rsa-sha256" or "ed25519-sha256"
    domain: str
    selector: str
    public_key: str  # in base64, as it is published
    sign: Callable[[bytes], bytes] = field(repr=False)


def load_signature(path: Path, *, domain: str, selector: str) -> Signature:
    """The signature by the private key in a PEM file; the kind of key decides the algorithm. Raises SettingsWrong."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415  30 ms
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415

    key = _read_key(path)
    if isinstance(key, RSAPrivateKey):
        if key.key_size < _LEAST_BITS:
            raise SettingsWrong(f"{path}: an RSA key of {key.key_size} bits is too short; make one of 2048")
        return Signature(
            algorithm="rsa-sha256", domain=domain, selector=selector, public_key=_published(key), sign=_by_rsa(key)
        )
    if isinstance(key, Ed25519PrivateKey):
        return Signature(
            algorithm="ed25519-sha256",
            domain=domain,
            selector=selector,
            public_key=_published(key),
            sign=_by_ed25519(key),
        )
    raise SettingsWrong(f"{path}: DKIM signs by RSA or Ed25519, this is another kind of key; make one of those")


def make_field(message: Sequence[bytes], signatures: Sequence[Signature], *, at: int) -> bytes:
    """The DKIM-Signature fields for a message in pieces, with CRLF line ends; `at` in seconds since 1970.

    Each signature stands for itself: it does not sign the other.
    """
    return b"".join(unsigned.signed(each.sign(unsigned.data)) for each, unsigned in _prepared(message, signatures, at))


@contextmanager
def signing(signatures: Sequence[Signature], clock: Callable[[], float]) -> Iterator[Sign | None]:
    """What signs messages for the engine, on all processors; None without signatures.

    Threads do it, for OpenSSL works without the interpreter's lock.
    """
    if not signatures:
        yield None
        return
    jobs: SimpleQueue[_Job | None] = SimpleQueue()
    threads = [Thread(target=_work, args=(jobs,), name="dkim", daemon=True) for _ in range(os.cpu_count() or 1)]
    for thread in threads:
        thread.start()

    async def sign(message: Sequence[bytes]) -> bytes:
        loop = asyncio.get_running_loop()
        fields = []
        for each, unsigned in _prepared(message, signatures, int(clock())):
            job = _Job(sign=each.sign, data=unsigned.data, loop=loop, done=loop.create_future())
            jobs.put(job)
            fields.append(unsigned.signed(await job.done))
        return b"".join(fields)

    try:
        yield sign
    finally:
        for _ in threads:
            jobs.put(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    sign: Callable[[bytes], bytes]
    data: bytes
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[bytes]"

    def end(self, signed: bytes | Exception) -> None:
        if self.done.done():  # its connection may have been cancelled meanwhile
            return
        if isinstance(signed, bytes):
            self.done.set_result(signed)
        else:
            self.done.set_exception(signed)


def _work(jobs: "SimpleQueue[_Job | None]") -> None:
    while (job := jobs.get()) is not None:
        signed: bytes | Exception
        try:
            signed = job.sign(job.data)
        except Exception as error:  # noqa: BLE001  whatever it is, the connection must hear of it
            signed = error
        with suppress(RuntimeError):  # the loop may be over
            job.loop.call_soon_threadsafe(job.end, signed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unsigned:
    """A field up to `b=`, and the data that it signs."""

    field: bytes
    data: bytes

    def signed(self, signature: bytes) -> bytes:
        text = b64encode(signature)
        return self.field + b"\r\n ".join(text[at : at + 72] for at in range(0, len(text), 72)) + b"\r\n"


def _prepared(
    message: Sequence[bytes], signatures: Sequence[Signature], at: int
) -> Iterator[tuple[Signature, _Unsigned]]:
    head, body = _divided(message)
    body_hash = b64encode(_body_hash(body)).decode("ascii")
    names, canonical = _signed_headers(head)
    for each in signatures:
        lines = (
            f"DKIM-Signature: v=1; a={each.algorithm}; c=relaxed/simple; d={each.domain};",
            f" s={each.selector}; t={at}; bh={body_hash};",
            *names,
            " b=",
        )
        field = "\r\n".join(lines).encode("ascii")
        yield each, _Unsigned(field=field, data=canonical + _relaxed(field)[1].removesuffix(b"\r\n"))


@lru_cache(maxsize=16)
def _names_tag(present: tuple[str, ...]) -> tuple[str, ...]:
    """The lines of h= for the fields that are there."""
    counts = Counter(present)
    names = [name for name in _SIGNED for _ in range(counts[name] + (name in _OVERSIGNED))]
    return tuple(_wrapped(f"h={':'.join(names)};"))


def _wrapped(text: str, width: int = 76) -> Iterator[str]:
    """Lines that are folded behind colons, where a signature may be."""
    line = " "
    for part in re.findall(r"[^:]+:?", text):
        if len(line) + len(part) > width:
            yield line
            line = " "
        line += part
    yield line


def _divided(message: Sequence[bytes]) -> tuple[bytes, list[bytes]]:
    """The header without the empty line that ends it, and the body in pieces."""
    head = b""
    for number, piece in enumerate(message):
        head += piece
        if (end := head.find(b"\r\n\r\n")) >= 0:
            return head[: end + 2], [head[end + 4 :], *message[number + 1 :]]
    return head, []


def _body_hash(body: Sequence[bytes]) -> bytes:
    """SHA-256 of the body in simple canonical form: its empty lines at the end are one line end (RFC 6376 3.4.3)."""
    rest = list(body)
    end = b""
    while rest and not (end := (rest.pop() + end)).rstrip(b"\r\n"):
        pass
    digest = hashlib.sha256()
    for piece in rest:
        digest.update(piece)
    while end.endswith(b"\r\n"):
        end = end[:-2]
    digest.update(end + b"\r\n")
    return digest.digest()


def _signed_headers(head: bytes) -> tuple[tuple[str, ...], bytes]:
    """The lines of h=, and the fields in relaxed canonical form, in that order."""
    fields = sorted(
        (_SIGNED.index(name), -number, name, canonical)
        for number, (name, canonical) in enumerate(map(_relaxed, _NEXT_FIELD.split(head.removesuffix(b"\r\n"))))
        if name in _SIGNED
    )  # of a field that occurs several times, the last is signed first
    return _names_tag(tuple(name for _, _, name, _ in fields)), b"".join(canonical for _, _, _, canonical in fields)


@lru_cache(maxsize=256)  # most fields are everybody's
def _relaxed(field: bytes) -> tuple[str, bytes]:
    """A field's name, and the field in relaxed canonical form (RFC 6376 3.4.2)."""
    name, _, value = field.partition(b":")
    name = name.strip().lower()
    return name.decode("ascii", "replace"), name + b":" + _FOLDED.sub(b" ", value).strip() + b"\r\n"


def _published(key: "RSAPrivateKey | Ed25519PrivateKey") -> str:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

    is_rsa = isinstance(key, RSAPrivateKey)
    encoding, form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo) if is_rsa else (Encoding.Raw, PublicFormat.Raw)
    return b64encode(key.public_key().public_bytes(encoding, form)).decode("ascii")


def _by_rsa(key: "RSAPrivateKey") -> Callable[[bytes], bytes]:
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    padding, algorithm = PKCS1v15(), SHA256()
    return lambda data: key.sign(data, padding, algorithm)


def _by_ed25519(key: "Ed25519PrivateKey") -> Callable[[bytes], bytes]:
    return lambda data: key.sign(hashlib.sha256(data).digest())  # RFC 8463 3: it signs the hash


def _read_key(path: Path) -> object:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise SettingsWrong(f"{path}: others can read the DKIM key; run: chmod 600 {path}")
        content = path.read_bytes()
    except OSError as error:
        raise SettingsWrong(f"{path}: {error.strerror}; the DKIM key is to be there") from error
    try:
        return load_pem_private_key(content, password=None)
    except TypeError as error:
        raise SettingsWrong(f"{path}: the DKIM key is encrypted; keep it without a password, with mode 600") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SettingsWrong(f"{path}: this is no private key in PEM; make one with: openssl genrsa 2048") from error
