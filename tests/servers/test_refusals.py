"""Readers that a server refuses, readers who leave at the last moment, sessions it ends: the others get their copy."""

from collections.abc import Iterator
from datetime import datetime

import pytest
import trustme

from dispatcher.delivery.line import Parcel
from dispatcher.delivery.relay import Security
from dispatcher.delivery.smtp import Way
from dispatcher.models import Delivery, State
from tests.relay import Relay
from tests.servers.exim import start_exim
from tests.servers.postfix import Postfix
from tests.servers.sending import Sender, letter
from tests.servers.server import GONE, Server
from tests.servers.test_arrival import wait_for_arrivals
from tests.storage.books import leave

CASES = [*((name, way) for name in ("postfix", "exim") for way in Way), ("opensmtpd", Way.STEPWISE)]
of_each_server = pytest.mark.parametrize(("server", "way"), CASES, indirect=["server"])


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    found = request.getfixturevalue(request.param)
    return found.server if isinstance(found, Postfix) else found


@of_each_server
def test_refused_readers_in_the_middle_cost_nobody_a_copy_nor_the_connection(
    server: Server, way: Way, sender: Sender, domain: str
) -> None:
    """The answer to DATA is then 554 of Postfix and 503 of the others."""
    people = [f"r{number}@{GONE if number % 10 == 3 else domain}" for number in range(40)]
    sender.enlist(*people)
    begun = server.log_length()
    sender.send(server.relay(way, Security.NONE, connections=1))
    assert sender.states == {each: State.REFUSED if each.endswith(GONE) else State.SENT for each in people}
    assert {sender.lines[each].code for each in people if each.endswith(GONE)} == {550}
    arrivals = wait_for_arrivals(server, domain, 36)
    assert sorted(each.recipient for each in arrivals) == sorted(each for each in people if each.endswith(domain))
    assert all(each.content == sender.contents[each.recipient] for each in arrivals)
    assert server.connections(server.read_log(begun)) == 1


@pytest.mark.parametrize("answer", ["554 5.5.1 no valid recipients", "250 2.0.0 fine"])
def test_where_a_relay_wants_content_for_nobody_it_gets_a_lone_dot(relay: Relay, sender: Sender, answer: str) -> None:
    people = [f"r{number}@example.de" for number in range(10)]
    sender.enlist(*people)
    relay.reply("rcpt", "550 5.1.1 no such user", to=people[4])
    relay.reply("content for nobody", answer)
    sender.send(sender.relay_to(relay))
    assert sender.states == {each: State.REFUSED if each == people[4] else State.SENT for each in people}
    assert relay.contents_for_nobody == [b".\r\n"]
    assert relay.copies == {each: 1 for each in people if each != people[4]}
    assert relay.connections == 1


@of_each_server
def test_who_leaves_at_the_last_moment_gets_nothing_and_the_others_get_theirs(
    server: Server, way: Way, sender: Sender, domain: str
) -> None:
    people = [f"r{number}@{domain}" for number in range(10)]
    sender.enlist(*people)

    def build(delivery: Delivery, at: datetime) -> Parcel:
        if delivery.subscriber.email == people[4]:
            leave(sender.database, people[4])
        return letter(delivery, at)

    sender.build = build
    begun = server.log_length()
    sender.send(server.relay(way, Security.NONE, connections=1))
    assert sender.states == {each: State.SKIPPED if each == people[4] else State.SENT for each in people}
    arrivals = wait_for_arrivals(server, domain, 9)
    assert {each.recipient: each.content for each in arrivals} == {
        each: content for each, content in sender.contents.items() if each != people[4]
    }
    # There is no 354 to get out of where a content comes in chunks.
    assert server.connections(server.read_log(begun)) == (1 if way is Way.CHUNKED else 2)


@pytest.fixture(scope="module")
def short_spoken(authority: trustme.CA) -> Iterator[Server]:
    """An Exim that ends a session after five messages."""
    with start_exim(authority, per_connection=5) as server:
        yield server


@pytest.mark.parametrize("way", Way)
def test_a_server_that_ends_sessions_after_five_messages_gets_all_of_them(
    way: Way, short_spoken: Server, sender: Sender, domain: str
) -> None:
    people = [f"r{number}@{domain}" for number in range(23)]
    sender.enlist(*people)
    begun = short_spoken.log_length()
    sender.send(short_spoken.relay(way, Security.NONE, connections=1))
    assert sender.states == dict.fromkeys(people, State.SENT)
    assert {line.attempts for line in sender.lines.values()} == {1}
    arrivals = wait_for_arrivals(short_spoken, domain, 23)
    assert {each.recipient: each.content for each in arrivals} == sender.contents
    assert len(arrivals) == 23
    assert short_spoken.connections(short_spoken.read_log(begun)) == 5


def test_an_opensmtpd_that_ends_sessions_after_100_messages_gets_all_of_them(
    opensmtpd: Server, sender: Sender, domain: str
) -> None:
    sender.enlist(*(f"r{number}@{domain}" for number in range(110)))
    begun = opensmtpd.log_length()
    sender.send(opensmtpd.relay(Way.STEPWISE, Security.NONE, connections=1))
    assert set(sender.states.values()) == {State.SENT}
    arrivals = wait_for_arrivals(opensmtpd, domain, 110)
    assert len(arrivals) == 110
    assert {each.recipient: each.content for each in arrivals} == sender.contents
    assert opensmtpd.connections(opensmtpd.read_log(begun)) == 2


def test_a_postfix_that_wants_three_messages_a_second_gets_all_of_them(
    postfix: Postfix, sender: Sender, domain: str
) -> None:
    people = [f"r{number}@{domain}" for number in range(7)]
    sender.enlist(*people)
    begun = postfix.server.log_length()
    sender.send(postfix.limited_relay)
    assert sender.states == dict.fromkeys(people, State.SENT)
    arrivals = wait_for_arrivals(postfix.server, domain, 7)
    assert len(arrivals) == 7
    assert {each.recipient: each.content for each in arrivals} == sender.contents
    assert "Message delivery request rate limit exceeded" in postfix.server.read_log(begun)
