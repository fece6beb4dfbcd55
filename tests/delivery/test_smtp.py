"""A conversation with a relay: whatever it says or leaves unsaid, we know how far a message came."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dispatcher.delivery import smtp
from dispatcher.delivery.connect import Refusal, connect
from dispatcher.delivery.relay import Security, SmtpRelay, read_relay
from dispatcher.delivery.replies import Manners
from dispatcher.delivery.smtp import Conversation, Ending, Envelope
from dispatcher.delivery.verdicts import Phase
from dispatcher.models import Reply
from tests.relay import Relay

HELLO = (b"220 hi\r\n", b"250-relay\r\n250 SIZE 1000\r\n")
OK = b"250 ok\r\n"
YES = (OK, OK, b"354 go on\r\n")
CONTENT = b"Subject: hello\r\n\r\nDear reader,\r\n"
TLS_GOODBYE = 0.05  # seconds in which asyncio itself ends TLS; a loop closed before warns of an open socket
LINE = b"x" * 74 + b"\r\n"


@asynccontextmanager
async def relay_that_says(*answers: bytes) -> AsyncIterator[SmtpRelay]:
    """Says the first on connecting, then one for each line or content that comes; after the last it closes."""
    finished = asyncio.Event()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            for number, answer in enumerate(answers):
                if number:
                    await reader.readuntil(b"\r\n.\r\n" if answers[number - 1].startswith(b"354") else b"\r\n")
                writer.write(answer)
                await writer.drain()
        writer.close()
        finished.set()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield SmtpRelay(host="127.0.0.1", port=port, security=Security.NONE)
        await asyncio.wait_for(finished.wait(), 5)
    finally:
        server.close()
        await server.wait_closed()


async def connected(relay: SmtpRelay) -> Conversation | Refusal:
    return await connect(relay, Manners())


async def refused(relay: SmtpRelay) -> Conversation | Refusal:
    refusal = await connected(relay)
    await asyncio.sleep(TLS_GOODBYE)
    return refusal


async def open_to(relay: SmtpRelay) -> Conversation:
    conversation = await connected(relay)
    assert isinstance(conversation, Conversation), conversation
    return conversation


async def attempt(conversation: Conversation, content: bytes = CONTENT, to: str = "ann@example.de") -> Ending:
    conversation.offer(Envelope(sender="letter@example.org", recipient=to, octets=len(content)))
    return await conversation.answer() or await conversation.hand_over([content[:100], content[100:]])


def ended(*answers: bytes) -> Ending:
    """How one message ends at a relay with these answers after the greeting."""

    async def run() -> Ending:
        async with relay_that_says(*HELLO, *answers) as relay:
            conversation = await open_to(relay)
            ending = await attempt(conversation)
            conversation.close()
            return ending

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (b"250 2.0.0 queued as 7\r\n", Reply(code=250, text="2.0.0 queued as 7")),
        (b"250-first\r\n250-second\r\n250 third\r\n", Reply(code=250, text="first second third")),
        (b"250\r\n", Reply(code=250, text="")),
        (b"250 ok\n", Reply(code=250, text="ok")),
        (b"554 5.7.1 \xff no\r\n", Reply(code=554, text="5.7.1 \ufffd no")),
        ("550 5.1.1 邮箱不存在\r\n".encode(), Reply(code=550, text="5.1.1 邮箱不存在")),
        (b"", None),
        (b"25", None),
        (b"250 ok", None),
        (b"250-ok\r\n", None),
        (b"250-ok\r\n250 half", None),
        (b"what?\r\n", None),
        (b"\r\n", None),
        (b"25x ok\r\n", None),
        (b"250-ok\r\nwhat?\r\n250 ok\r\n", None),
        (b"HTTP/1.1 200 OK\r\n\r\n", None),
        (b"250-" + b"x" * 40_000, None),
        (b"250-x\r\n" * 6_000, None),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_only_a_whole_reply_to_the_dot_counts(answer: bytes, reply: Reply | None) -> None:
    assert ended(*YES, answer) == Ending(phase=Phase.DOT, reply=reply)


@pytest.mark.parametrize(
    ("answers", "phase", "reply"),
    [
        ((b"",), Phase.MAIL, None),
        ((b"451 slow\r\n",), Phase.MAIL, Reply(code=451, text="slow")),
        ((b"421 bye\r\n",), Phase.MAIL, Reply(code=421, text="bye")),
        ((OK, b"550 5.1.1 no\r\n", OK), Phase.RCPT, Reply(code=550, text="5.1.1 no")),
        ((OK, b"garbage\r\n"), Phase.RCPT, None),
        ((OK, b"354 too early\r\n"), Phase.RCPT, Reply(code=354, text="too early")),
        ((OK, OK, b""), Phase.DATA, None),
        ((OK, OK, b"554 no\r\n", OK), Phase.DATA, Reply(code=554, text="no")),
        ((OK, OK, b"250 what\r\n", OK), Phase.DATA, Reply(code=250, text="what")),
    ],
)
def test_an_end_before_the_content_is_known_for_what_it_is(
    answers: tuple[bytes, ...], phase: Phase, reply: Reply | None
) -> None:
    assert ended(*answers) == Ending(phase=phase, reply=reply)


@pytest.mark.parametrize("answer", [b"garbage\r\n", b"421 4.3.2 enough\r\n"])
def test_who_talks_nonsense_or_goodbye_is_left_though_he_stays(answer: bytes) -> None:
    async def run() -> None:
        async with relay_that_says(*HELLO, *YES, answer, OK) as relay:
            conversation = await open_to(relay)
            await attempt(conversation)
            assert not conversation.is_open

    asyncio.run(run())


def test_after_a_refused_reader_the_same_connection_serves_the_next() -> None:
    async def run() -> None:
        async with relay_that_says(
            *HELLO, b"250 ok\r\n", b"550 no\r\n", b"250 reset\r\n", *YES, b"250 queued\r\n", b"221 bye\r\n"
        ) as relay:
            conversation = await open_to(relay)
            assert (await attempt(conversation)).phase is Phase.RCPT
            assert conversation.is_open
            assert await attempt(conversation) == Ending(phase=Phase.DOT, reply=Reply(code=250, text="queued"))
            await conversation.quit()
            assert not conversation.is_open

    asyncio.run(run())


def test_a_relay_that_does_not_even_reset_is_left() -> None:
    async def run() -> None:
        async with relay_that_says(*HELLO, b"250 ok\r\n", b"550 no\r\n", b"500 what\r\n") as relay:
            conversation = await open_to(relay)
            assert (await attempt(conversation)).phase is Phase.RCPT
            assert not conversation.is_open

    asyncio.run(run())


def test_a_reply_that_comes_too_late_never_answers_a_later_command(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = relay.hold("dot")

    async def run() -> None:
        conversation = await open_to(smtp_relay(relay))
        monkeypatch.setattr(smtp, "DOT", 0.02)
        assert await attempt(conversation) == Ending(phase=Phase.DOT, reply=None)
        release()
        assert not conversation.is_open
        assert await attempt(conversation) == Ending(phase=Phase.MAIL, reply=None)

    asyncio.run(run())


def test_a_relay_that_says_421_unasked_gets_no_further_message() -> None:
    async def run() -> None:
        async with relay_that_says(*HELLO, *YES, b"250 queued\r\n421 4.4.2 enough for today\r\n") as relay:
            conversation = await open_to(relay)
            assert (await attempt(conversation)).reply == Reply(code=250, text="queued")
            assert not conversation.is_open
            bye = Reply(code=421, text="4.4.2 enough for today")
            assert await attempt(conversation) == Ending(phase=Phase.MAIL, reply=bye)
            conversation.close()

    asyncio.run(run())


def test_a_stray_reply_answers_nothing() -> None:
    async def run() -> None:
        async with relay_that_says(*HELLO, *YES, b"250 queued\r\n250 stray\r\n") as relay:
            conversation = await open_to(relay)
            assert (await attempt(conversation)).reply == Reply(code=250, text="queued")
            ending = await attempt(conversation)
            conversation.close()
            assert ending == Ending(phase=Phase.MAIL, reply=None)

    asyncio.run(run())


# --- losses ------------------------------------------------------------------------------------------


def smtp_relay(relay: Relay, password: str | None = None) -> SmtpRelay:
    read = read_relay(relay.url, folder=Path("/"), password=password)
    assert isinstance(read, SmtpRelay)
    return read


def at(relay: Relay, act: Callable[[Conversation], Awaitable[Ending]]) -> Ending:
    async def run() -> Ending:
        conversation = await open_to(smtp_relay(relay))
        ending = await act(conversation)
        await conversation.quit()
        return ending

    return asyncio.run(run())


BIG = LINE * (20 * 2**20 // len(LINE))


def test_a_loss_inside_a_big_content_is_no_doubt(relay: Relay) -> None:
    relay.close("body")
    assert at(relay, lambda conversation: attempt(conversation, BIG)) == Ending(phase=Phase.BODY, reply=None)
    assert not relay.offered


@pytest.mark.parametrize("kept", [True, False])
def test_a_loss_behind_the_dot_is_a_doubt(relay: Relay, kept: bool) -> None:
    relay.close("dot", kept=kept)
    assert at(relay, attempt) == Ending(phase=Phase.DOT, reply=None)
    assert len(relay.messages) == int(kept)


def test_a_relay_that_refuses_in_mid_content_is_believed() -> None:
    async def run() -> Ending:
        finished = asyncio.Event()

        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for answer in (*HELLO, *YES):
                writer.write(answer)
                await reader.readuntil(b"\r\n")
            writer.write(b"552 5.3.4 too long\r\n")
            with contextlib.suppress(ConnectionError):
                while await reader.read(2**20):
                    pass
            writer.close()
            finished.set()

        server = await asyncio.start_server(converse, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        conversation = await open_to(SmtpRelay(host="127.0.0.1", port=port, security=Security.NONE))
        ending = await attempt(conversation, BIG)
        await asyncio.wait_for(finished.wait(), 5)
        server.close()
        await server.wait_closed()
        return ending

    assert asyncio.run(run()) == Ending(phase=Phase.BODY, reply=Reply(code=552, text="5.3.4 too long"))


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_big_content_comes_whole_through_tls(tls: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Relay(tls=tls, user="ann", password="hunter2") as relay:  # type: ignore[arg-type]
        monkeypatch.setenv("SSL_CERT_FILE", str(relay.write_authority(tmp_path)))
        content = CONTENT + LINE * 60_000

        async def run() -> Ending:
            conversation = await open_to(smtp_relay(relay, "hunter2"))
            ending = await attempt(conversation, content)
            await conversation.quit()
            await asyncio.sleep(TLS_GOODBYE)
            return ending

        assert asyncio.run(run()).reply is not None
        assert relay.messages[0].content == content
        assert not relay.has_seen_auth_in_plaintext


def test_the_size_and_smtputf8_are_announced_where_they_are_offered(relay: Relay) -> None:
    assert at(relay, lambda each: attempt(each, to="王芳@example.com")).phase is Phase.DOT
    assert relay.messages[0].mail_options == f"SIZE={len(CONTENT)} BODY=8BITMIME SMTPUTF8"
    assert relay.messages[0].recipient == "王芳@example.com"


@pytest.mark.parametrize(
    ("recipient", "options"),
    [
        ("ann@example.de", "NOTIFY=FAILURE ORCPT=rfc822;ann@example.de"),
        ("ann+a=b@example.de", "NOTIFY=FAILURE ORCPT=rfc822;ann+2Ba+3Db@example.de"),
        ("王芳@example.com", "NOTIFY=FAILURE"),
    ],
)
@pytest.mark.parametrize("pipelining", [("PIPELINING",), ()])
def test_a_relay_that_can_is_asked_to_tell_of_failures_only(
    recipient: str, options: str, pipelining: tuple[str, ...]
) -> None:
    with Relay(extensions=("DSN", "SMTPUTF8", *pipelining)) as relay:
        envelope = Envelope(
            sender="letter@example.org", recipient=recipient, octets=len(CONTENT), message_id="i29.abc+d@example.org"
        )

        async def send(conversation: Conversation) -> Ending:
            conversation.offer(envelope)
            return await conversation.answer() or await conversation.hand_over([CONTENT])

        assert at(relay, send).phase is Phase.DOT
        [message] = relay.messages
        assert message.mail_options.endswith("RET=HDRS ENVID=i29.abc+2Bd@example.org")
        assert message.rcpt_options == options


@pytest.mark.parametrize(
    ("extensions", "most"),
    [(("SIZE 1000",), 1000), (("SIZE",), None), (("SIZE 0",), None), (("SIZE many",), None), ((), None)],
)
def test_the_longest_message_is_what_the_relay_announces(extensions: tuple[str, ...], most: int | None) -> None:
    async def run() -> int | None:
        conversation = await open_to(smtp_relay(relay))
        announced = conversation.most_octets
        await conversation.quit()
        return announced

    with Relay(extensions=extensions) as relay:
        assert asyncio.run(run()) == most


# --- connecting ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "is_lasting"),
    [
        ((b"",), False),
        ((b"554 5.7.1 not you\r\n",), True),
        ((b"421 4.3.2 busy\r\n",), False),
        ((b"what?\r\n",), None),
        ((b"220 hi\r\n", b"421 busy\r\n"), False),
    ],
)
def test_a_relay_that_does_not_want_us_says_why(answers: tuple[bytes, ...], is_lasting: bool | None) -> None:
    async def run() -> None:
        async with relay_that_says(*answers) as relay:
            refusal = await connected(relay)
            assert isinstance(refusal, Refusal)
            assert refusal.reason
            assert is_lasting is None or refusal.is_lasting is is_lasting

    asyncio.run(run())


def test_nobody_listening_is_worth_a_later_attempt() -> None:
    async def run() -> None:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        refusal = await connected(SmtpRelay(host="127.0.0.1", port=port, security=Security.NONE))
        assert isinstance(refusal, Refusal)
        assert not refusal.is_lasting

    asyncio.run(run())


def test_a_relay_without_starttls_gets_nothing_in_plaintext(relay: Relay) -> None:
    url = relay.url.replace("?tls=none", "").replace("smtp://", "smtp://ann@")
    asked = read_relay(url, folder=Path("/"), password="hunter2")
    assert isinstance(asked, SmtpRelay)
    refusal = asyncio.run(connected(asked))
    assert isinstance(refusal, Refusal)
    assert refusal.is_lasting
    assert "STARTTLS" in refusal.reason
    assert not relay.has_seen_auth_in_plaintext
    assert relay.commands["AUTH"] == relay.commands["MAIL"] == 0


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_certificate_nobody_vouches_for_is_refused(tls: str) -> None:
    with Relay(tls=tls) as relay:  # type: ignore[arg-type]
        refusal = asyncio.run(refused(smtp_relay(relay)))
    assert isinstance(refusal, Refusal)
    assert refusal.is_lasting
    assert "TLS failed" in refusal.reason


def test_a_wrong_password_is_lasting_and_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Relay(tls="starttls", user="ann", password="hunter2") as relay:
        monkeypatch.setenv("SSL_CERT_FILE", str(relay.write_authority(tmp_path)))
        relay.reply("auth", "535 5.7.8 wrong: *******")
        refusal = asyncio.run(refused(smtp_relay(relay, "*******")))
    assert isinstance(refusal, Refusal)
    assert refusal.is_lasting
    assert "*******" not in refusal.reason
