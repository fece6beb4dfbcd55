"""Relays that dislike what they announce: a run finds out by itself, and no reader pays for it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest

from dispatcher.delivery import smtp
from dispatcher.delivery.line import Parcel
from dispatcher.delivery.smtp import Way
from dispatcher.models import Delivery, State
from tests.relay import EXTENSIONS_FOR, Relay
from tests.servers.sending import Sender, letter

PEOPLE = [f"r{number}@example.de" for number in range(12)]
in_both_ways = pytest.mark.parametrize("way", [Way.CHUNKED, Way.PIPELINED])


@pytest.fixture
def way() -> Way:
    return Way.CHUNKED


@pytest.fixture
def relay(way: Way) -> Iterator[Relay]:
    with Relay(extensions=EXTENSIONS_FOR[way]) as relay:
        yield relay


def send_to_all(sender: Sender, relay: Relay) -> None:
    sender.enlist(*PEOPLE)
    sender.send(sender.relay_to(relay))
    assert sender.states == dict.fromkeys(PEOPLE, State.SENT)
    assert relay.copies == dict.fromkeys(PEOPLE, 1)
    assert {message.recipient: message.content for message in relay.messages} == sender.contents


@in_both_ways
@pytest.mark.parametrize("answer", ["554 5.5.0 SMTP synchronization error", "503 5.5.1 bad sequence", "500 what?"])
def test_an_envelope_refused_for_its_company_goes_alone_from_then_on(relay: Relay, sender: Sender, answer: str) -> None:
    relay.reply("company", answer)
    send_to_all(sender, relay)
    assert relay.connections == 2


@in_both_ways
def test_a_content_refused_for_its_company_goes_alone_from_then_on(relay: Relay, sender: Sender) -> None:
    relay.reply("dot in company", "554 5.5.0 SMTP synchronization error: next input sent too soon")
    send_to_all(sender, relay)
    assert relay.connections == 2
    assert {line.attempts for line in sender.lines.values()} == {1, 2}


@in_both_ways
def test_a_yes_is_a_yes_whatever_it_speaks_of(relay: Relay, sender: Sender) -> None:
    relay.reply("dot", "250 2.0.0 queued for the pipeline, after synchronization")
    send_to_all(sender, relay)
    assert relay.connections == 1


@in_both_ways
def test_a_relay_that_just_goes_away_over_company_is_understood_at_the_second_time(
    relay: Relay, sender: Sender
) -> None:
    relay.close("company")
    send_to_all(sender, relay)
    assert relay.connections == 3


@in_both_ways
def test_a_relay_that_never_answers_in_company_is_understood_at_the_second_time(
    relay: Relay, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "COMMAND", 0.5)
    relay.hold("company")
    send_to_all(sender, relay)
    assert relay.connections == 3


@pytest.mark.parametrize("octets", [0, 20 * 2**20], ids=["short", "long"])
def test_a_relay_that_does_not_know_the_chunks_it_announces_gets_data(
    relay: Relay, sender: Sender, octets: int
) -> None:
    """A long content is refused while it is still leaving."""

    def build(delivery: Delivery, at: datetime) -> Parcel:
        parcel = letter(delivery, at)
        ballast = (b"x" * 74 + b"\r\n") * (octets // 76) if delivery.id == 1 else b""
        return replace(parcel, content=[*parcel.content, ballast])

    sender.build = build
    relay.reply("bdat", "502 5.5.1 command not implemented")
    send_to_all(sender, relay)
    assert relay.commands["BDAT"] == 1
    assert relay.connections == 2
