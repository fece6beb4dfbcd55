"""A real SMTP server on a free loopback port that answers as told and keeps every message it took.

Rules are looked up in the order in which they were told, the first that fits is used:

    relay.reply("rcpt", "452 4.2.2 mailbox full", to="cleo@example.com", times=1)
    relay.close("dot", to="eve@example.com", kept=True)     # takes the message, never says so
    release = relay.hold("dot")                             # answers nobody until release() is called
"""

import asyncio
import base64
import re
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import trustme

from dispatcher.delivery.smtp import Way

# `bdat` answers a chunk without reading it, `dot` answers a content however it came. `content for nobody` makes the
# relay say 354 when it has refused the reader, and answers that content. The last two come to pass when commands
# arrived together with the end of a content: an answer that takes the place of `dot`, and one behind it.
Stage = Literal[
    "connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "bdat", "body", "dot", "rset", "quit",
    "content for nobody", "dot in company", "company",
]  # fmt: skip

EXTENSIONS = ("PIPELINING", "SIZE 36700160", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
EXTENSIONS_FOR = {
    Way.CHUNKED: (*EXTENSIONS, "CHUNKING"),
    Way.PIPELINED: EXTENSIONS,
    Way.STEPWISE: EXTENSIONS[1:],
}
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_ADDRESS = re.compile(r"(?i)(?:FROM|TO):\s*<([^>]*)>(.*)")
_LONGEST_MESSAGE = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One content that came in whole, up to its final dot."""

    sender: str
    recipient: str
    content: bytes = field(repr=False)  # as it was on the wire, dot-stuffing undone
    mail_options: str
    rcpt_options: str
    has_bare_cr_or_lf: bool
    was_stuffed: bool  # some line began with a dot

    @property
    def parsed(self) -> EmailMessage:
        parsed = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def header_lines(self) -> list[bytes]:
        """The header as it was on the wire, folded lines apart."""
        return self.content.partition(b"\r\n\r\n")[0].split(b"\r\n")

    def wire_header(self, name: str) -> bytes:
        """One header with its folds kept, without its name."""
        found = re.findall(rb"(?im)^%s:[ ]?([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)" % name.encode(), self._head())
        assert len(found) == 1, f"{name} occurs {len(found)} times"
        value: bytes = found[0]
        return value.rstrip(b"\r\n")

    def _head(self) -> bytes:
        return self.content.partition(b"\r\n\r\n")[0] + b"\r\n"


@dataclass(slots=True, kw_only=True)
class Rule:
    stage: Stage
    to: str | None
    times: float  # how often it still fires
    skip: int  # how often it lets the stage pass before it first fires
    answer: str | None = None
    closes: bool = False
    keeps: bool = False
    seconds: float = 0
    gate: asyncio.Event | None = None


@dataclass(slots=True)
class Session:
    """What one connection knows."""

    tls: bool
    sender: str | None = None
    recipients: list[str] = field(default_factory=list)
    mail_options: str = ""
    chunks: bytearray = field(default_factory=bytearray)  # of a content that is not whole
    rcpt_options: str = ""

    def reset(self) -> None:
        self.sender, self.recipients = None, []
        self.chunks.clear()


class Closed(Exception):
    """The script closes this connection here: in good order after an answer, else by a reset."""

    def __init__(self, *, in_order: bool = False) -> None:
        super().__init__()
        self.in_order = in_order


class Relay:
    """`with Relay() as relay:` listens until the block ends; `relay.url` is what DISPATCHER_RELAY wants."""

    def __init__(
        self,
        *,
        tls: Literal["none", "starttls", "implicit"] = "none",
        user: str | None = None,
        password: str = "",
        extensions: tuple[str, ...] = EXTENSIONS,
    ) -> None:
        self.tls = tls
        self.user = user
        self.password = password
        self.extensions = extensions
        self.port = 0
        self.connections = 0
        self.most_connections_at_once = 0
        self.most_contents_at_once = 0
        self.taken_at: list[float] = []  # seconds, of each message that came in whole
        self._contents = 0  # that wait for their answer
        self.commands: Counter[str] = Counter()
        self.contents_for_nobody: list[bytes] = []
        self.has_seen_auth_in_plaintext = False
        self.has_seen_bare_cr_or_lf = False
        self._authority = trustme.CA() if tls != "none" else None
        self._offered: list[tuple[Message, bool]] = []
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    # --- what a test tells it ---------------------------------------------------------------------

    def reply(self, stage: Stage, answer: str, *, to: str | None = None, times: float = float("inf"),
              skip: int = 0) -> None:  # fmt: skip
        """Answer so; after a 421 or at `connect` with 5xx the connection is closed too."""
        self._tell(Rule(stage=stage, to=to, times=times, skip=skip, answer=answer))

    def close(self, stage: Stage, *, to: str | None = None, times: float = float("inf"), skip: int = 0,
              kept: bool = False) -> None:  # fmt: skip
        """Reset the connection without an answer; at `dot` the message may have been kept."""
        self._tell(Rule(stage=stage, to=to, times=times, skip=skip, closes=True, keeps=kept))

    def delay(self, stage: Stage, seconds: float, *, to: str | None = None, times: float = float("inf")) -> None:
        self._tell(Rule(stage=stage, to=to, times=times, skip=0, seconds=seconds))

    def hold(self, stage: Stage, *, to: str | None = None, skip: int = 0, answer: str = "") -> Callable[[], None]:
        """Answer nobody at this stage until the function that comes back is called; as usual, if not told otherwise."""
        gate = asyncio.Event()
        self._tell(Rule(stage=stage, to=to, times=float("inf"), skip=skip, gate=gate, answer=answer or None))

        def release() -> None:
            self._loop.call_soon_threadsafe(gate.set)

        return release

    def forget_rules(self) -> None:
        with self._lock:
            self._rules.clear()

    # --- what a test asks it ----------------------------------------------------------------------

    @property
    def url(self) -> str:
        user = f"{self.user}@" if self.user else ""
        match self.tls:
            case "none":
                return f"smtp://{user}127.0.0.1:{self.port}?tls=none"
            case "starttls":
                return f"smtp://{user}localhost:{self.port}"
            case "implicit":
                return f"smtps://{user}localhost:{self.port}"

    @property
    def messages(self) -> list[Message]:
        """Every message it took responsibility for, whether or not the sender heard so."""
        with self._lock:
            return [message for message, is_kept in self._offered if is_kept]

    @property
    def offered(self) -> list[Message]:
        """Every message that came in whole, also those it refused after the dot."""
        with self._lock:
            return [message for message, _ in self._offered]

    @property
    def copies(self) -> Counter[str]:
        """How many messages it took for each address."""
        return Counter(message.recipient for message in self.messages)

    def message_to(self, address: str) -> Message:
        found = [message for message in self.messages if message.recipient == address]
        assert len(found) == 1, f"{address} has {len(found)} copies"
        return found[0]

    def wait_for(self, claim: "Callable[[Relay], bool]", *, seconds: float = 60) -> None:
        """Return once the claim holds; a test that waits in vain fails here, not by a time limit elsewhere."""
        until = time.monotonic() + seconds
        while not claim(self):
            assert time.monotonic() < until, f"waited {seconds} s in vain; {len(self.messages)} messages so far"
            time.sleep(0.005)

    def write_authority(self, folder: Path) -> Path:
        """The certificate authority as a PEM file, for SSL_CERT_FILE."""
        assert self._authority
        path = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(path)
        return path

    # --- the server -------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(10), "the relay of the tests did not start"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        self._conversations: set[asyncio.Task[None]] = set()
        self._context = self._tls_context()
        server = await asyncio.start_server(
            self._accept,
            "127.0.0.1",
            0,
            limit=_LONGEST_MESSAGE,
            backlog=256,
            ssl=self._context if self.tls == "implicit" else None,
        )
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stopped.wait()
        server.close()
        for conversation in self._conversations:
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    def _tls_context(self) -> ssl.SSLContext | None:
        if not self._authority:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
        return context

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._conversations.add(task)
        self.connections += 1
        self.most_connections_at_once = max(self.most_connections_at_once, len(self._conversations))
        in_order = False
        try:
            await self._converse(reader, writer)
        except Closed as closed:
            in_order = closed.in_order
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            self._conversations.discard(task)
            writer.close() if in_order else writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(tls=self.tls == "implicit")
        await self._answer(writer, "connect", "220 relay.example.org ESMTP of the tests")
        while True:
            raw = await reader.readuntil(b"\r\n")
            self.has_seen_bare_cr_or_lf |= bool(_BARE.search(raw))
            line = raw.decode("utf-8", "surrogateescape").rstrip("\r\n")
            verb, _, rest = line.partition(" ")
            verb = verb.upper()
            self.commands[verb] += 1
            if verb in {"EHLO", "HELO"}:
                session = Session(tls=session.tls)
                await self._answer(writer, "ehlo", self._greeting(verb, session))
            elif verb == "STARTTLS" and self.tls == "starttls" and not session.tls:
                session = await self._start_tls(writer, session)
            elif verb == "AUTH" and self.user is not None:
                await self._auth(reader, writer, session, rest)
            else:
                await self._transact(reader, writer, session, verb, rest)

    async def _transact(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: Session,
                        verb: str, rest: str) -> None:  # fmt: skip
        match verb:
            case "MAIL":
                await self._mail(writer, session, rest)
            case "RCPT":
                await self._rcpt(writer, session, rest)
            case "DATA":
                await self._data(reader, writer, session)
            case "BDAT":
                await self._bdat(reader, writer, session, rest)
            case "RSET":
                session.reset()
                await self._answer(writer, "rset", "250 2.0.0 forgotten")
            case "NOOP":
                await self._say(writer, "250 2.0.0 still here")
            case "QUIT":
                await self._answer(writer, "quit", "221 2.0.0 bye")
                raise Closed(in_order=True)
            case _:
                await self._say(writer, "502 5.5.1 not known here")

    async def _start_tls(self, writer: asyncio.StreamWriter, session: Session) -> Session:
        if not (await self._answer(writer, "starttls", "220 2.0.0 go ahead")).startswith("2"):
            return session
        assert self._context
        await writer.start_tls(self._context)
        return Session(tls=True)

    async def _auth(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: Session,
                    rest: str) -> None:  # fmt: skip
        self.has_seen_auth_in_plaintext |= not session.tls
        is_right = await self._has_right_password(reader, writer, rest)
        await self._answer(writer, "auth", "235 2.7.0 welcome" if is_right else "535 5.7.8 wrong password")

    def _greeting(self, verb: str, session: Session) -> str:
        offers = list(self.extensions) if verb == "EHLO" else []
        if self.tls == "starttls" and not session.tls and offers:
            offers.append("STARTTLS")
        if self.user is not None and offers:
            offers.append("AUTH PLAIN LOGIN")
        lines = ["relay.example.org", *offers]
        return "\r\n".join(f"250{'-' if n < len(lines) else ' '}{line}" for n, line in enumerate(lines, start=1))

    async def _has_right_password(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rest: str) -> bool:
        mechanism, _, initial = rest.partition(" ")
        if mechanism.upper() == "PLAIN":
            said = initial or await self._ask(reader, writer, "334 ")
            return base64.b64decode(said).split(b"\0")[1:] == [(self.user or "").encode(), self.password.encode()]
        user = initial or await self._ask(reader, writer, "334 VXNlcm5hbWU6")
        password = await self._ask(reader, writer, "334 UGFzc3dvcmQ6")
        said_pair = (base64.b64decode(user).decode(), base64.b64decode(password).decode())
        return said_pair == (self.user, self.password)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, question: str) -> str:
        await self._say(writer, question)
        return (await reader.readuntil(b"\r\n")).decode().strip()

    async def _mail(self, writer: asyncio.StreamWriter, session: Session, rest: str) -> None:
        found = _ADDRESS.match(rest)
        if not found:
            await self._say(writer, "501 5.5.4 MAIL FROM:<address>")
        elif session.sender is not None:
            await self._say(writer, "503 5.5.1 nested MAIL")
        elif (await self._answer(writer, "mail", "250 2.1.0 ok")).startswith("2"):
            session.sender, session.mail_options = found[1], found[2].strip()

    async def _rcpt(self, writer: asyncio.StreamWriter, session: Session, rest: str) -> None:
        found = _ADDRESS.match(rest)
        if not found:
            await self._say(writer, "501 5.5.4 RCPT TO:<address>")
        elif session.sender is None:
            await self._say(writer, "503 5.5.1 MAIL first")
        elif (await self._answer(writer, "rcpt", "250 2.1.5 ok", to=found[1])).startswith("2"):
            session.recipients.append(found[1])
            session.rcpt_options = found[2].strip()

    async def _data(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: Session) -> None:
        if session.sender is None or not session.recipients:
            await self._data_for_nobody(reader, writer)
            return
        to = session.recipients[0]
        if not (await self._answer(writer, "data", "354 go on", to=to)).startswith("3"):
            return
        if self._rule("body", to):
            await reader.readexactly(500)
            raise Closed
        raw = (await reader.readuntil(b"\r\n.\r\n"))[:-3]
        await self._take(reader, writer, session, raw.replace(b"\r\n..", b"\r\n."), raw)

    async def _data_for_nobody(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not (rule := self._rule("content for nobody", None)):
            await self._say(writer, "503 5.5.1 RCPT first")
            return
        await self._say(writer, "354 go on")
        content = b""
        while not content.endswith(b".\r\n") or content.removesuffix(b".\r\n")[-2:] not in {b"", b"\r\n"}:
            content += await reader.readuntil(b"\r\n")
        self.contents_for_nobody.append(content)
        await self._obey(writer, rule, rule.answer or "250 2.0.0 fine")

    async def _bdat(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: Session,
                    rest: str) -> None:  # fmt: skip
        to = session.recipients[0] if session.recipients else None
        if unread := self._rule("bdat", to):
            await self._obey(writer, unread, unread.answer or "502 5.5.1 not known here")
            return
        size, _, last = rest.partition(" ")
        if self._rule("body", to):
            await reader.readexactly(min(500, int(size)))
            raise Closed
        session.chunks += await reader.readexactly(int(size))
        if session.sender is None or not session.recipients:
            session.reset()
            await self._say(writer, "503 5.5.1 RCPT first")
        elif last.upper() == "LAST":
            await self._take(reader, writer, session, bytes(session.chunks), bytes(session.chunks))
        else:
            await self._say(writer, f"250 2.0.0 {size} octets")

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: Session,
                    content: bytes, on_wire: bytes) -> None:  # fmt: skip
        to = session.recipients[0]
        has_bare = bool(_BARE.search(on_wire))
        self.has_seen_bare_cr_or_lf |= has_bare
        has_company = bool(reader._buffer)  # type: ignore[attr-defined]
        rule = (self._rule("dot in company", to) if has_company else None) or self._rule("dot", to)
        answer = (rule and rule.answer) or f"250 2.0.0 queued as {len(self._offered) + 1:06d}"
        is_kept = rule.keeps if rule and rule.closes else answer.startswith("2")
        with self._lock:
            self._offered += [
                (
                    Message(
                        sender=session.sender or "",
                        recipient=recipient,
                        content=content,
                        mail_options=session.mail_options,
                        rcpt_options=session.rcpt_options,
                        has_bare_cr_or_lf=has_bare,
                        was_stuffed=b"\r\n.." in on_wire,
                    ),
                    is_kept,
                )
                for recipient in session.recipients
            ]
            self.taken_at.append(time.monotonic())
        session.reset()
        self._contents += 1
        self.most_contents_at_once = max(self.most_contents_at_once, self._contents)
        try:
            await self._obey(writer, rule, answer)
        finally:
            self._contents -= 1
        if rule and rule.stage == "dot in company":
            raise Closed(in_order=True)
        if has_company and (dislike := self._rule("company", to)):
            await self._obey(writer, dislike, dislike.answer or "")
            raise Closed(in_order=True)

    # --- rules ------------------------------------------------------------------------------------

    def _tell(self, rule: Rule) -> None:
        with self._lock:
            self._rules.append(rule)

    def _rule(self, stage: Stage, to: str | None) -> Rule | None:
        with self._lock:
            for rule in self._rules:
                if rule.stage != stage or rule.times <= 0 or (rule.to is not None and rule.to != to):
                    continue
                if rule.skip > 0:
                    rule.skip -= 1
                    continue
                rule.times -= 1
                return rule
        return None

    async def _answer(self, writer: asyncio.StreamWriter, stage: Stage, usual: str, *, to: str | None = None) -> str:
        rule = self._rule(stage, to)
        answer = (rule and rule.answer) or usual
        await self._obey(writer, rule, answer)
        if stage == "connect" and not answer.startswith("2"):
            raise Closed(in_order=True)
        return answer

    async def _obey(self, writer: asyncio.StreamWriter, rule: Rule | None, answer: str) -> None:
        if rule and rule.closes:
            raise Closed
        if rule and rule.seconds:
            await asyncio.sleep(rule.seconds)
        if rule and rule.gate:
            await rule.gate.wait()
        await self._say(writer, answer)
        if answer.startswith("421"):
            raise Closed(in_order=True)

    async def _say(self, writer: asyncio.StreamWriter, answer: str) -> None:
        writer.write(answer.encode() + b"\r\n")
        await writer.drain()
