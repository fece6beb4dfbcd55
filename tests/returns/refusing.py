"""Servers that refuse what a mail server passes on to them, each reader for a reason of his own."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.relay import Relay

ANN, LOST = "ann@here.example.net", "eve@no-such-domain.invalid"
DAN, CLEO = "dan@gone.example.net", "cleo@full.example.net"
BIG, POLICY = "bob@small.example.net", "wangfang@policy.example.net"
READERS = (ANN, CLEO, DAN, LOST, BIG, POLICY)
VERDICTS = {DAN: "dead", LOST: "dead", CLEO: "transient", BIG: "sender", POLICY: "sender"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """Where to pass mail on to, by domain."""

    ports: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bouncer:
    """A mail server that bounces at once; what it sends to our return paths lands in `maildir`."""

    port: int
    maildir: Path
    log: Path


@contextlib.contextmanager
def servers_that_refuse() -> Iterator[Next]:
    with Relay() as relay, Relay(extensions=("PIPELINING", "SIZE 1000", "ENHANCEDSTATUSCODES")) as small:
        relay.reply("rcpt", f"550 5.1.1 <{DAN}>: no such user", to=DAN)
        relay.reply("rcpt", "552 5.2.2 mailbox full", to=CLEO)
        relay.reply("dot", "550 5.7.1 message refused by our policy", to=POLICY)
        small.reply("dot", "552 5.3.4 message too large for us", to=BIG)
        domains = {each.partition("@")[2]: relay.port for each in (DAN, CLEO, POLICY)}
        yield Next(ports={**domains, BIG.partition("@")[2]: small.port})
