"""A server of somebody else as the tests see it: how to reach it, what it took, what its log tells."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from dispatcher.delivery.relay import Security, SmtpRelay
from dispatcher.delivery.smtp import Way

USER, PASSWORD = "letter", "right"
DOMAINS = tuple(f"d{number}.example.org" for number in range(200))  # one for each test that wants to see what arrived
GONE = "gone.example.net"  # the domain in which every server refuses every recipient


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One message as a server keeps it, from its first header on, with the line ends it came with."""

    recipient: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a server's log says; one match for each."""

    connected: str
    complaint: str  # a lost connection, a protocol error, commands that came too early
    authenticated: str = "(?!)"
    shows: Mapping[Way, str] = field(default_factory=dict)  # that a message came CHUNKED, that it came pipelined


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server with ports of its own for each way a message can travel."""

    ports: Mapping[Way, int]  # plaintext and STARTTLS
    tls_ports: Mapping[Way, int]
    log: Path
    words: Words
    arrived: Callable[[str], list[Arrival]]  # for one domain, as far as they have arrived

    def relay(self, way: Way, security: Security, *, connections: int = 4) -> SmtpRelay:
        has_password = security is not Security.NONE
        return SmtpRelay(
            host="127.0.0.1",
            port=(self.tls_ports if security is Security.TLS else self.ports)[way],
            security=security,
            user=USER if has_password else None,
            password=PASSWORD if has_password else None,
            connections=connections,
        )

    def read_log(self, since: int = 0) -> str:
        return self.log.read_bytes()[since:].decode("utf-8", "replace")

    def log_length(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def connections(self, log: str) -> int:
        return len(re.findall(self.words.connected, log))

    def complaints(self, log: str) -> list[str]:
        return [line for line in log.splitlines() if re.search(self.words.complaint, line)]


def write_certificate(authority: trustme.CA, certificate: Path, key: Path, owner: int = 0) -> None:
    """A certificate for the loopback address, its key for one user's eyes only."""
    issued = authority.issue_cert("127.0.0.1", "localhost")
    certificate.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
    key.touch(mode=0o600)
    key.write_bytes(issued.private_key_pem.bytes())
    os.chown(key, owner, owner)


def from_first_header(content: bytes) -> bytes:
    """A message without what servers put before it."""
    return content[content.index(b"From: ") :]
