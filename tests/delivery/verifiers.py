"""Three strangers that verify DKIM signatures: dkimpy, opendkim and mailauth; none of them asks the network."""

import json
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

import dkim
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.servers.cell import absent

MAILAUTH = Path("/var/cache/dispatcher-tests/node/node_modules/mailauth/bin/mailauth.js")  # by .ci/run

Records = Mapping[str, str]
"""What DNS would say: TXT records by name."""


def record_of(key: RSAPrivateKey | Ed25519PrivateKey) -> str:
    public = key.public_key()
    if isinstance(key, Ed25519PrivateKey):
        raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"v=DKIM1; k=ed25519; p={b64encode(raw).decode()}"
    raw = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={b64encode(raw).decode()}"


def by_dkimpy(message: bytes, records: Records) -> list[bool]:
    """Of each signature, from the top, whether it holds."""

    def ask(name: bytes, timeout: int = 5) -> bytes | None:  # noqa: ARG001  its signature
        found = records.get(name.decode().rstrip("."))
        return None if found is None else found.encode()

    def holds(number: int) -> bool:
        try:
            return bool(dkim.DKIM(message).verify(idx=number, dnsfunc=ask))
        except dkim.ValidationError:
            return False

    signatures = message.lower().partition(b"\r\n\r\n")[0].count(b"dkim-signature:")
    return [holds(number) for number in range(signatures)]


def by_mailauth(message: bytes, records: Records, folder: Path) -> dict[str, str]:
    """The result of each signature, by its algorithm."""
    node = shutil.which("node") or absent("node")
    if not MAILAUTH.exists():
        absent("mailauth (.ci/run installs it)")
    (folder / "dns.json").write_text(json.dumps({name: {"TXT": [[text]]} for name, text in records.items()}))
    (folder / "mail.eml").write_bytes(message)
    command = [node, str(MAILAUTH), "report", "-n", str(folder / "dns.json"), "-i", "192.0.2.1",
               "-e", "mx.example.com", "-f", "bounces@example.org", str(folder / "mail.eml")]  # fmt: skip
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    results = json.loads(told)["dkim"]["results"]
    return {each["algo"]: each["status"]["result"] for each in results}


def by_opendkim(message: bytes, records: Records, folder: Path) -> bool:
    """Whether the signature that it looks at holds; it knows RSA only."""
    opendkim = shutil.which("opendkim", path="/usr/sbin:/sbin:/usr/bin") or absent("opendkim")
    (folder / "records").write_text("".join(f"{name} {text}\n" for name, text in records.items()))
    (folder / "opendkim.conf").write_text(f"Mode v\nTestPublicKeys {folder / 'records'}\n")
    (folder / "mail").write_bytes(message.replace(b"\r\n", b"\n"))
    command = [opendkim, "-x", str(folder / "opendkim.conf"), "-t", str(folder / "mail")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    told = done.stdout + done.stderr  # its exit code says nothing
    assert "verification" in told, told
    return "succeeded" in told
