"""How often a message makes sender and server wait for each other, counted between them.

`python -m tests.servers.test_round_trips` measures what that is worth: messages per second over a way of 20 ms.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from dispatcher.delivery.relay import Security, SmtpRelay
from dispatcher.delivery.smtp import Way
from dispatcher.models import State
from tests.servers.exim import start_exim
from tests.servers.postfix import Postfix, start_postfix
from tests.servers.proxy import long_way_to
from tests.servers.sending import Sender
from tests.servers.server import DOMAINS, Server

READERS = 20
BESIDES = 4  # greeting, EHLO, QUIT and the first envelope of a connection


@pytest.mark.parametrize("name", ["postfix", "exim"])
@pytest.mark.parametrize(("way", "most"), [(Way.CHUNKED, 1), (Way.PIPELINED, 1), (Way.STEPWISE, 4)])
def test_a_message_costs_one_round_trip_where_the_server_lets_it(
    name: str, way: Way, most: int, sender: Sender, domain: str, request: pytest.FixtureRequest
) -> None:
    found = request.getfixturevalue(name)
    server: Server = found.server if isinstance(found, Postfix) else found
    with long_way_to(server.ports[way]) as path:
        send(sender, server.relay(way, Security.NONE, connections=1), path.port, domain)
    assert path.turns <= most * READERS + BESIDES


def send(sender: Sender, relay: SmtpRelay, port: int, domain: str) -> None:
    sender.enlist(*(f"r{number}@{domain}" for number in range(READERS)))
    sender.send(replace(relay, port=port))
    assert set(sender.states.values()) == {State.SENT}


def measure() -> None:
    authority = trustme.CA()
    domains = iter(DOMAINS)
    with start_postfix(authority) as postfix, start_exim(authority) as exim:
        for name, server in (("Postfix", postfix.server), ("Exim", exim)):
            rates = {}
            for way in Way:
                with (
                    tempfile.TemporaryDirectory() as folder,
                    Sender.at(Path(folder)) as sender,
                    long_way_to(server.ports[way], round_trip=0.02) as path,
                ):
                    begun = time.monotonic()
                    send(sender, server.relay(way, Security.NONE, connections=1), path.port, next(domains))
                    rates[way] = READERS / (time.monotonic() - begun)
                    print(f"{name} {way}: {rates[way]:.0f}/s, {path.turns / READERS:.2f} turns a message")
            print(f"{name}: " + ", ".join(f"{way} {rate / rates[Way.STEPWISE]:.1f}" for way, rate in rates.items()))


if __name__ == "__main__":
    READERS = 100
    measure()
