"""200 messages to each server in each way, over each kind of connection: each arrives once and byte for byte."""

import re
import time

import pytest

from dispatcher.delivery.relay import Security
from dispatcher.delivery.smtp import Way
from dispatcher.models import State
from tests.servers.postfix import Postfix
from tests.servers.sending import LOOPS, Sender
from tests.servers.server import Arrival, Server

READERS, CONNECTIONS = 200, 4
CASES = [
    *((name, way, security) for name in ("postfix", "exim") for way in Way for security in Security),
    ("opensmtpd", Way.STEPWISE, Security.NONE),
    ("sink", Way.PIPELINED, Security.NONE),
    ("plain_sink", Way.STEPWISE, Security.NONE),
]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(("name", "way", "security"), CASES)
def test_every_message_arrives_once_and_byte_for_byte(
    name: str, way: Way, security: Security, loop: str, sender: Sender, domain: str, request: pytest.FixtureRequest
) -> None:
    found = request.getfixturevalue(name)
    server = found.server if isinstance(found, Postfix) else found
    sender.enlist(*(f"r{number}@{domain}" for number in range(READERS)))
    begun = server.log_length()
    sender.send(server.relay(way, security, connections=CONNECTIONS), loop=loop)
    assert set(sender.states.values()) == {State.SENT}

    arrivals = wait_for_arrivals(server, domain, READERS)
    assert len(arrivals) == READERS
    assert {each.recipient: each.content for each in arrivals} == sender.contents

    log = server.read_log(begun)
    assert not server.complaints(log)
    assert server.connections(log) == CONNECTIONS
    assert len(re.findall(server.words.authenticated, log)) == (READERS if security is not Security.NONE else 0)
    for other, words in server.words.shows.items():
        assert bool(re.search(words, log)) == (way is other or way is Way.CHUNKED)


def wait_for_arrivals(server: Server, domain: str, number: int) -> list[Arrival]:
    until = time.monotonic() + 60
    while len(arrivals := server.arrived(domain)) < number:
        assert time.monotonic() < until, server.read_log()[-3000:]
        time.sleep(0.05)
    return arrivals
