"""Speaks SMTP with a relay: aiosmtplib connects, secures and logs in; then each message is a short conversation.

The final dot is written on its own, after the content has left, so that only a loss behind it is a doubt.
"""

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import aiosmtplib

from dispatcher.delivery.relay import Security, SmtpRelay
from dispatcher.delivery.verdicts import Phase
from dispatcher.models import Reply

# Deadlines in seconds for a whole step. Every second cut off after the dot would make doubts: RFC 5321 4.5.3.2.6.
CONNECT, COMMAND, BODY, DOT = 30.0, 60.0, 300.0, 600.0
_LONGEST_REPLY = 32_768  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why there is no connection; a lasting one stops the run, another is worth a later attempt."""

    reason: str
    is_lasting: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How far one message came, and what the relay said last; None: lost, or no reply in time."""

    phase: Phase
    reply: Reply | None


async def connect(relay: SmtpRelay) -> "Conversation | Refusal":
    """Opens a connection that is ready for messages."""
    client = aiosmtplib.SMTP(
        hostname=relay.host,
        port=relay.port,
        use_tls=relay.security is Security.TLS,
        start_tls=False,
        timeout=CONNECT,
        local_hostname=_own_name(),
    )
    try:
        async with asyncio.timeout(CONNECT):
            await client.connect()
            await client.ehlo()
            if relay.security is Security.STARTTLS:
                if not client.supports_extension("starttls"):
                    client.close()
                    return Refusal(reason="the relay offers no STARTTLS; nothing is sent in plaintext", is_lasting=True)
                await client.starttls()
                await client.ehlo()
            if relay.user and relay.password:
                await client.login(relay.user, relay.password)
                await client.ehlo()
    except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
        client.close()
        return _refusal(error)
    if client.transport is None:
        return Refusal(reason="the connection closed at once", is_lasting=False)
    # STARTTLS made a new transport, and this is it.
    return Conversation(cast("asyncio.Transport", client.transport), client.esmtp_extensions)


class Conversation(asyncio.Protocol):
    """An open connection to a relay; one message at a time."""

    def __init__(self, transport: asyncio.Transport, extensions: Mapping[str, str]) -> None:
        self._extensions = {name.lower(): value for name, value in extensions.items()}
        self._transport = transport
        self._received = bytearray()
        self._arrived = asyncio.Event()  # something came, or the connection went
        self._drained = asyncio.Event()
        self._drained.set()
        self._is_lost = False
        self._awaits_content = False
        self._gone = asyncio.Event()
        # Drained means that the kernel has every byte; with high=0, TLS transports would pause while empty.
        transport.set_write_buffer_limits(high=1, low=0)
        transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        """Whether another message may be tried; a relay that spoke unasked said goodbye."""
        return not self._is_lost and not self._transport.is_closing() and not self._received

    @property
    def most_octets(self) -> int | None:
        """The longest message the relay says it takes (RFC 1870), None if it does not say."""
        announced = self._extensions.get("size", "").strip()
        return int(announced) or None if announced.isdecimal() else None

    def offers(self, extension: str) -> bool:
        return extension in self._extensions

    async def offer(self, sender: str, recipient: str, octets: int) -> Ending | None:
        """MAIL, RCPT and DATA. None: the relay waits for the content; nothing is delivered until its final dot."""
        options = f" SIZE={octets}" if self.offers("size") else ""
        if not recipient.isascii():
            options += " BODY=8BITMIME SMTPUTF8"
        reply = await self._command(f"MAIL FROM:<{sender}>{options}")
        if not _is_positive(reply):
            return Ending(phase=Phase.MAIL, reply=reply)
        reply = await self._command(f"RCPT TO:<{recipient}>")
        if not _is_positive(reply):
            await self._reset(reply)
            return Ending(phase=Phase.RCPT, reply=reply)
        reply = await self._command("DATA")
        if reply is None or reply.code != 354:
            await self._reset(reply)
            return Ending(phase=Phase.DATA, reply=reply)
        self._awaits_content = True
        return None

    async def hand_over(self, content: bytes) -> Ending:
        """The content and its final dot. `content` has CRLF line ends and no line that begins with a dot."""
        self._awaits_content = False
        try:
            if self.is_open:
                self._transport.write(content)
            if not await self._drain():
                self.close()
                return Ending(phase=Phase.BODY, reply=self._goodbye())
            self._transport.write(b".\r\n")
            return Ending(phase=Phase.DOT, reply=await self._reply(DOT))
        except asyncio.CancelledError:
            self.close()  # in mid-content, whatever is written next would be content too
            raise

    async def quit(self) -> None:
        """Says goodbye; what the relay answers no longer matters."""
        if self.is_open and not self._awaits_content:  # or it would be content
            await self._command("QUIT", deadline=5)
        self.close()
        with contextlib.suppress(TimeoutError):  # TLS has goodbyes of its own
            async with asyncio.timeout(1):
                await self._gone.wait()

    def close(self) -> None:
        self._is_lost = True
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._arrived.set()

    def connection_lost(self, _error: Exception | None) -> None:
        self._is_lost = True
        self._gone.set()
        self._arrived.set()
        self._drained.set()

    def pause_writing(self) -> None:
        self._drained.clear()

    def resume_writing(self) -> None:
        self._drained.set()

    async def _command(self, line: str, *, deadline: float = COMMAND) -> Reply | None:
        if not self.is_open:
            return self._goodbye()
        self._transport.write(line.encode() + b"\r\n")
        return await self._reply(deadline)

    async def _reset(self, reply: Reply | None) -> None:
        """After a refused transaction; a relay that does not even answer this is left."""
        if reply is not None and reply.code != 421 and not _is_positive(await self._command("RSET")):
            self.close()

    async def _drain(self) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BODY):
                await self._drained.wait()
        return self._drained.is_set() and self.is_open

    async def _reply(self, deadline: float) -> Reply | None:
        """The next whole reply. After None the connection is closed: a late reply must not answer a later command."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline):
                while True:
                    reply, length = _parse(self._received)
                    if length:
                        del self._received[:length]
                        if reply is None or reply.code == 421:
                            self.close()
                        return reply
                    if self._is_lost or len(self._received) > _LONGEST_REPLY:
                        break
                    self._arrived.clear()
                    await self._arrived.wait()
        self.close()
        return None

    def _goodbye(self) -> Reply | None:
        """What the relay said unasked before it closed, such as 421; a stray yes answers nothing."""
        reply = _parse(self._received)[0]
        return reply if reply is not None and reply.code >= 400 else None


_REPLY_LINE = re.compile(rb"(\d{3})([ -]?)([^\r\n]*)\r?\n")


def _parse(received: bytearray) -> tuple[Reply | None, int]:
    """The first whole reply and its length in bytes; (None, n) for n bytes that are none, (None, 0) for too few."""
    position, lines = 0, []
    while line := _REPLY_LINE.match(received, position):
        position = line.end()
        lines.append(line[3].decode("utf-8", "replace").strip())
        if line[2] != b"-":
            return Reply(code=int(line[1]), text=" ".join(lines)), position
    return None, len(received) if b"\n" in received[position:] else 0


def _is_positive(reply: Reply | None) -> bool:
    return reply is not None and 200 <= reply.code < 300


def _refusal(error: Exception) -> Refusal:
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        # The reply is not shown: some servers echo what they were given.
        return Refusal(reason=f"the relay does not accept the login ({error.code})", is_lasting=error.code >= 500)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        text = " ".join(str(error.message).split())
        return Refusal(reason=f"the relay says {error.code} {text}", is_lasting=error.code >= 500)
    if certificate := _cause(error, ssl.SSLError):
        return Refusal(reason=f"TLS failed: {certificate}", is_lasting=True)
    lasting = isinstance(error, aiosmtplib.SMTPException | ValueError) and not isinstance(error, OSError)
    return Refusal(reason=" ".join(str(error).split()) or "no answer in time", is_lasting=lasting)


def _cause(error: BaseException | None, kind: type[Exception]) -> BaseException | None:
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error


def _own_name() -> str:
    name = socket.gethostname()
    return name if re.fullmatch(r"[A-Za-z0-9.-]+", name) else "localhost"
