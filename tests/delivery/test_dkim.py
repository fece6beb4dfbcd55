"""DKIM: what we sign, three strangers verify, and whoever changes what is signed is found out."""

import re
import stat
from base64 import b64decode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.content.message.build import Copy, build_pieces, make_skeleton
from dispatcher.content.message.merge import Unfilled
from dispatcher.delivery.dkim import Signature, load_signature, make_field
from dispatcher.errors import SettingsWrong
from dispatcher.models import Edition
from tests.content.test_message import copy, edition, named
from tests.delivery.verifiers import Records, by_dkimpy, by_mailauth, by_opendkim, record_of

PrivateKey = RSAPrivateKey | Ed25519PrivateKey | ec.EllipticCurvePrivateKey

MESSAGES = {
    "an ordinary one": (edition(), copy()),
    "bare line feeds": (edition(text="one\ntwo\r\nthree\rfour\n\n\n\n", html="<p>a</p>\n\n\n"), copy()),
    "a name beyond ASCII": (edition(), named("Zoë Łukasiewicz-Überschwang, MSc.")),
    "a long subject": (edition(subject="A very long subject about many things " * 9), copy()),
    "a long Chinese subject": (edition(subject="数据生活周刊第二十九期" * 12, text="正文。\n" * 50), named("王芳")),
    "dots": (edition(text=".\n..\n.\r\nFrom here\n", html="<p>.</p>\n.\n"), copy()),
    "spaces at the ends of lines": (edition(text="one \ntwo\t\n \n", subject="Two  spaces\tand a tab "), copy()),
}


@pytest.fixture(scope="module")
def rsa_key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def ed25519_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def records(rsa_key: RSAPrivateKey, ed25519_key: Ed25519PrivateKey) -> Records:
    return {"r1._domainkey.example.org": record_of(rsa_key), "e1._domainkey.example.org": record_of(ed25519_key)}


@pytest.fixture
def by_rsa(rsa_key: RSAPrivateKey, tmp_path: Path) -> Signature:
    return load_signature(stored(rsa_key, tmp_path / "rsa.pem"), domain="example.org", selector="r1")


@pytest.fixture
def by_both(by_rsa: Signature, ed25519_key: Ed25519PrivateKey, tmp_path: Path) -> list[Signature]:
    path = stored(ed25519_key, tmp_path / "ed25519.pem")
    return [by_rsa, load_signature(path, domain="example.org", selector="e1")]


def stored(key: PrivateKey, path: Path, encryption: KeySerializationEncryption | None = None) -> Path:
    path.touch(0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()))
    return path


def signed(signatures: list[Signature], made: Edition, one: Copy) -> bytes:
    pieces = build_pieces(make_skeleton(made), one)
    assert not isinstance(pieces, Unfilled)
    return make_field(pieces, signatures, at=1_795_000_000) + b"".join(pieces)


@pytest.mark.parametrize(("made", "one"), MESSAGES.values(), ids=MESSAGES)
def test_strangers_verify_what_we_sign(
    made: Edition, one: Copy, by_both: list[Signature], records: Records, tmp_path: Path
) -> None:
    message = signed(by_both, made, one)
    assert by_dkimpy(message, records) == [True, True]
    assert by_mailauth(message, records, tmp_path) == {"rsa-sha256": "pass", "ed25519-sha256": "pass"}
    assert by_opendkim(signed(by_both[:1], made, one), records, tmp_path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.lists(st.sampled_from([b"\r\n", b" \r\n", b"a", b".", b"\r\n\r\n", b"word\r\n"]), max_size=8))
def test_a_body_is_hashed_as_the_standard_says_however_it_ends(
    by_rsa: Signature, records: Records, body: list[bytes]
) -> None:
    message = [b"From: a@example.org\r\nSubject: x\r\n\r\n", *body, b"\r\n"]
    assert by_dkimpy(make_field(message, [by_rsa], at=1) + b"".join(message), records) == [True]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"List-Unsubscribe=One-Click", b"List-Unsubscribe=No-Click"),
        (b"Subject: Hello", b"Subject: Goodbye"),
        (b"https://news.example.org/u/", b"https://news.example.net/u/"),
        (b"To: Ann", b"To: Eve"),
        (b"Ann=\r\n", b"Eve=\r\n"),
        (b"From: Life", b"From: eve@example.net\r\nFrom: Life"),
        (b"Subject: Hello", b"Subject: Another\r\nSubject: Hello"),
        (b"List-Unsubscribe: ", b"List-Unsubscribe: <https://example.net/>\r\nList-Unsubscribe: "),
        (b"List-Unsubscribe-Post: ", b"List-Unsubscribe-Post: x\r\nList-Unsubscribe-Post: "),
    ],
)
def test_who_changes_or_adds_something_breaks_both(
    old: bytes, new: bytes, by_both: list[Signature], records: Records
) -> None:
    message = signed(by_both, edition(), copy())
    head, _, rest = message.partition(b"\r\nDate: ")  # the signatures stay as they are
    assert old in rest
    assert by_dkimpy(head + b"\r\nDate: " + rest.replace(old, new, 1), records) == [False, False]


def test_a_signature_says_what_it_should_and_no_more(by_both: list[Signature]) -> None:
    header = signed(by_both, edition(), copy()).partition(b"\r\nDate: ")[0].decode()
    lines = header.split("\r\n")
    assert max(map(len, lines)) <= 78
    for field in re.split(r"\r\n(?=\S)", header):
        tags = dict(each.strip().split("=", 1) for each in field.partition(":")[2].split(";"))
        assert (tags["v"], tags["c"], tags["d"], tags["t"]) == ("1", "relaxed/simple", "example.org", "1795000000")
        assert not tags.keys() & {"l", "x", "z"}
        names = re.sub(r"\s", "", tags["h"]).split(":")
        for oversigned in ("from", "subject", "list-unsubscribe", "list-unsubscribe-post"):
            assert names.count(oversigned) == 2
        assert {"to", "date", "message-id", "mime-version", "content-type", "list-id", "feedback-id"} < set(names)
        assert len(b64decode(re.sub(r"\s", "", tags["bh"]))) == 32


def test_a_key_that_others_can_read_is_refused(rsa_key: RSAPrivateKey, tmp_path: Path) -> None:
    path = stored(rsa_key, tmp_path / "rsa.pem")
    path.chmod(0o640)
    with pytest.raises(SettingsWrong, match="others can read the DKIM key; run: chmod 600"):
        load_signature(path, domain="example.org", selector="r1")
    path.chmod(0o400)
    load_signature(path, domain="example.org", selector="r1")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no private key in PEM"),
        (b"-----BEGIN PRIVATE KEY-----\nbm8=\n-----END PRIVATE KEY-----\n", "no private key in PEM"),
        (generate_private_key(65537, 2048), "is encrypted"),
        (ec.generate_private_key(ec.SECP256R1()), "another kind of key"),
        (None, "No such file"),
    ],
    ids=["empty", "nonsense", "encrypted", "elliptic", "absent"],
)
def test_a_key_that_cannot_sign_is_named_in_one_line(
    content: bytes | RSAPrivateKey | ec.EllipticCurvePrivateKey | None, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "dkim.pem"
    if isinstance(content, bytes):
        path.touch(0o600)
        path.write_bytes(content)
    elif content is not None:
        is_rsa = isinstance(content, RSAPrivateKey)
        stored(content, path, BestAvailableEncryption(b"secret") if is_rsa else None)
    with pytest.raises(SettingsWrong, match=words) as raised:
        load_signature(path, domain="example.org", selector="r1")
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not path.exists() or stat.S_IMODE(path.stat().st_mode) == 0o600
