"""Whatever readers are called and editors write, a message cannot become two: no bare CR or LF is ever on the wire."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.content.message.build import build_message, make_skeleton
from dispatcher.content.message.merge import Unfilled
from dispatcher.delivery.connect import connect
from dispatcher.delivery.relay import Security, SmtpRelay
from dispatcher.delivery.replies import Manners
from dispatcher.delivery.smtp import Conversation, Envelope, Way
from dispatcher.models import Edition, Subscriber
from tests.content.test_message import copy, edition
from tests.relay import EXTENSIONS_FOR, Relay

_HOSTILE = (
    "\r\n.\r\n", "\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n", "\r\n.\r", "\n..\n", "\r", "\n", ".", "\0", "\x0b", "\x85",
    "\u2028", "=2E", "=0D=0A", "MAIL FROM:<eve@example.net>\r\nRCPT TO:<dan@example.net>\r\nDATA\r\n",
    "BDAT 0 LAST\r\n", "X-Header: yes", "王芳", "x" * 997,
)  # fmt: skip
hostile = st.lists(st.one_of(st.sampled_from(_HOSTILE), st.text(max_size=20)), max_size=8).map("".join)
unusual = st.fixed_dictionaries({"name": hostile, "site": hostile, "email": st.just("") | hostile})


@pytest.fixture(params=Way)
def relay(request: pytest.FixtureRequest) -> Iterator[Relay]:
    with Relay(extensions=EXTENSIONS_FOR[request.param]) as relay:
        yield relay


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=hostile, subject=hostile, readers=st.lists(unusual, min_size=1, max_size=6))
def test_a_message_never_becomes_two(relay: Relay, text: str, subject: str, readers: list[dict[str, str]]) -> None:
    taken, given_up = len(relay.messages), relay.commands["MAIL"]
    made = edition(text=f"{text}zq0xqz{text}\n", html=f"<p>{text}</p>\nzq0xqz\n", subject=subject + "zq0xqz")
    contents = {}
    for number, each in enumerate(readers):
        address = f"r{number}{each['email']}@example.de"
        content = built(made, address, each["name"], each["site"])
        if content is not None:
            contents[address] = content
    if contents:
        asyncio.run(send(relay, contents))
    messages = relay.messages[taken:]
    assert {message.recipient: message.content for message in messages} == contents
    assert len(messages) == len(contents) == relay.commands["MAIL"] - given_up
    assert not relay.has_seen_bare_cr_or_lf
    assert not any(message.was_stuffed for message in messages)


def built(made: Edition, address: str, name: str, site: str) -> bytes | None:
    """None: the reader is skipped, because something of his cannot be in a message."""
    reader = Subscriber(id=1, ref=2, email=address, name=name, language=None, attributes={"site": site})
    try:
        content = build_message(make_skeleton(made), copy(to=address, reader=reader))
    except ValueError:
        return None
    return None if isinstance(content, Unfilled) else content


async def send(relay: Relay, contents: dict[str, bytes]) -> None:
    """All over one connection, each envelope with the end of the content before it."""
    conversation = await connect(SmtpRelay(host="127.0.0.1", port=relay.port, security=Security.NONE), Manners())
    assert isinstance(conversation, Conversation)
    envelopes = [Envelope(sender="letter@example.org", recipient=to, octets=len(contents[to])) for to in contents]
    for envelope, following in pairwise([*envelopes, None]):
        assert envelope is not None
        if not conversation.has_offer:
            conversation.offer(envelope)
        assert await conversation.answer() is None
        ending = await conversation.hand_over([contents[envelope.recipient]], following)
        assert ending.reply is not None
        assert ending.reply.code == 250
    await conversation.quit()
