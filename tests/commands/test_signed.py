"""Messages signed with DKIM, through a real Postfix: what arrives is what was signed."""

import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from tests.delivery.test_dkim import stored
from tests.delivery.verifiers import by_dkimpy, by_mailauth, by_opendkim, record_of
from tests.newsletter import CAST, PYPROJECT, Newsletter
from tests.relay import Relay
from tests.servers.postfix import Postfix

DKIM = '[tool.dispatcher.dkim]\nselector = "r1"\nkey = "keys/rsa.pem"\n'
SECOND = 'ed25519_selector = "e1"\ned25519_key = "keys/ed25519.pem"\n'


def test_what_arrives_verifies(newsletter: Newsletter, postfix: Postfix, tmp_path: Path) -> None:
    keys = newsletter.folder / "keys"
    keys.mkdir()
    rsa, ed25519 = generate_private_key(65537, 2048), Ed25519PrivateKey.generate()
    stored(rsa, keys / "rsa.pem")
    stored(ed25519, keys / "ed25519.pem")
    newsletter.write("pyproject.toml", PYPROJECT + DKIM + SECOND)
    newsletter.env["DISPATCHER_RELAY"] = postfix.url
    before = set(postfix.maildir.glob("new/*"))
    newsletter.send("--patience", "1m")
    until = time.monotonic() + 60
    while len(arrived := set(postfix.maildir.glob("new/*")) - before) < len(CAST):
        assert time.monotonic() < until, postfix.server.read_log()[-3000:]
        time.sleep(0.05)
    records = {"r1._domainkey.example.org": record_of(rsa), "e1._domainkey.example.org": record_of(ed25519)}
    for path in arrived:
        message = path.read_bytes().replace(b"\n", b"\r\n")
        assert by_dkimpy(message, records) == [True, True]
    assert by_mailauth(message, records, tmp_path) == {"rsa-sha256": "pass", "ed25519-sha256": "pass"}
    assert by_opendkim(message, records, tmp_path)


def test_nothing_is_sent_with_a_key_that_others_can_read(live: Newsletter, relay: Relay) -> None:
    (live.folder / "keys").mkdir()
    stored(generate_private_key(65537, 2048), live.folder / "keys/rsa.pem").chmod(0o644)
    live.write("pyproject.toml", PYPROJECT + DKIM)
    said = live.send(code=78)
    assert "others can read the DKIM key; run: chmod 600" in said
    assert relay.connections == 0
    live.write("pyproject.toml", PYPROJECT + DKIM + 'domain = "example.net"\n')
    assert "says nothing for mail from example.org" in live.send(code=78)
    assert not (live.folder / "issues/29/receipt.json").exists()
