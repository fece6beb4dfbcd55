"""An OpenSMTPD of our own that keeps what it takes in its queue; it offers neither PIPELINING nor CHUNKING.

Nor TLS: that of Debian 12 (6.8.0p2 with OpenSSL 3) fails every handshake with "missing private key".
"""

import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dispatcher.delivery.smtp import Way
from tests.servers.cell import free_ports, furnish, program, running
from tests.servers.server import GONE, Arrival, Server, Words, from_first_header

_USERS = {"opensmtpd": 151, "opensmtpq": 152, "keeper": 153}  # the first two are those that Debian's insists on
_WORDS = Words(
    connected=r"smtp connected address=",
    complaint=r"(?i)failed-command|warn|fail|reason=(?!quit)",
)
_PROGRAMS = ("sbin/smtpd", "sbin/smtpctl")


@contextlib.contextmanager
def start_opensmtpd() -> Iterator[Server]:
    programs = [program("opensmtpd", f"usr/{each}") for each in _PROGRAMS]
    root = programs[0].parents[2]
    with tempfile.TemporaryDirectory(prefix="opensmtpd-of-tests-", dir="/tmp") as name:
        cell = Path(name)
        cell.chmod(0o755)
        furnish(cell, programs, root, _USERS)
        for each in ("var/lib/opensmtpd/empty", "var/spool/smtpd", "var/mail"):
            (cell / each).mkdir(parents=True)
        (cell / "var/spool/smtpd").chmod(0o711)
        os.chown(cell / "usr/sbin/smtpctl", 0, _USERS["opensmtpq"])
        (cell / "usr/sbin/smtpctl").chmod(0o2755)  # it insists
        [port] = free_ports(1)
        (cell / "etc/smtpd.conf").write_text(f"""\
table mailboxes {{ "@" = "keeper" }}
listen on 127.0.0.1 port {port} hostname relay.example.org
action "keep" maildir "/mail" virtual <mailboxes>
match from any ! for domain "{GONE}" action "keep"
""")
        (cell / "etc/smtpd.conf").chmod(0o600)
        with running(["chroot", cell, "/usr/sbin/smtpd", "-d"], cell / "log/said", port):
            _in(cell, "/usr/sbin/smtpctl", "pause", "mda")
            yield Server(
                ports={Way.STEPWISE: port},
                tls_ports={},
                log=cell / "log/said",
                words=_WORDS,
                arrived=lambda domain: list(_queue(cell / "var/spool/smtpd/queue", domain)),
            )


def _in(cell: Path, *command: str) -> str:
    run = subprocess.run(["chroot", cell, *command], capture_output=True, text=True, timeout=30, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def _queue(folder: Path, domain: str) -> Iterator[Arrival]:
    """What it has taken: in a folder for each message its content and an envelope for each recipient."""
    for message in folder.glob("*/*/message"):
        for envelope in set(message.parent.iterdir()) - {message}:
            [recipient] = re.findall(r"(?m)^rcpt: (.*)$", envelope.read_text())
            if recipient.endswith(domain):
                content = from_first_header(message.read_bytes())
                yield Arrival(recipient=recipient, content=content.replace(b"\n", b"\r\n"))
