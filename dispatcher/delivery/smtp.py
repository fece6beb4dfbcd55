"""Speaks SMTP on an open connection: one round trip a message where the relay allows, and never two in doubt.

The envelope of the next message travels with the last bytes of the content before it (RFC 2920 3.1). Those last bytes
are written on their own, after all that comes before them has left, so that only a loss behind them is a doubt.

Long, because the order of one conversation is what makes that true, and has to be seen whole.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, auto

from dispatcher.delivery import dsn
from dispatcher.delivery.replies import LONGEST_REPLY, Manners, is_positive, parse_reply
from dispatcher.delivery.verdicts import Phase
from dispatcher.models import Reply

# Deadlines in seconds for a whole step. Every second cut off after the dot would make doubts: RFC 5321 4.5.3.2.6.
COMMAND, BODY, DOT = 60.0, 300.0, 600.0
_HELD_BACK = 2  # bytes of a chunk that are written when the rest has left
_QUIET_LOSSES = 2  # on connections that carried one message, until the envelope behind it is suspected


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How far one message came, and what the relay said last; None: lost, or no reply in time."""

    phase: Phase
    reply: Reply | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What MAIL and RCPT say of a message."""

    sender: str
    recipient: str
    octets: int  # of its content
    message_id: str = ""


class Way(StrEnum):
    """How a message travels; a connection takes the first that the relay announces and has not shown to dislike."""

    CHUNKED = auto()  # PIPELINING and CHUNKING: MAIL and RCPT together, then BDAT (RFC 3030); no 354 is held open
    PIPELINED = auto()  # PIPELINING: MAIL, RCPT and DATA together (RFC 2920)
    STEPWISE = auto()  # one command at a time


class Conversation(asyncio.Protocol):
    """An open connection to a relay; message by message: offer, answer, hand over."""

    def __init__(self, transport: asyncio.Transport, extensions: Mapping[str, str], manners: Manners) -> None:
        self._extensions = {name.lower(): value for name, value in extensions.items()}
        self._manners = manners
        self.way = self._find_way()
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._received = bytearray()
        self._waiting: asyncio.Future[None] | None = None  # for whatever happens next
        self._is_full = False  # the kernel has not taken every byte yet
        self._is_gone = False
        self._is_lost = False
        self._offered: Envelope | None = None  # not answered yet
        self._is_written = False  # the offered envelope is
        self._travelled = False  # it went out with the content before it
        self._awaits_content = False
        self._owes_reset = False
        self._contents = 0
        # Drained means that the kernel has every byte; with high=0, TLS transports would pause while empty.
        transport.set_write_buffer_limits(high=1, low=0)
        transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        """Whether another message may be tried; a relay that spoke unasked said goodbye."""
        return not self._is_lost and not self._transport.is_closing() and not self._received

    @property
    def has_offer(self) -> bool:
        """Whether an envelope was offered and its answer not read."""
        return self._offered is not None

    @property
    def most_octets(self) -> int | None:
        """The longest message the relay says it takes (RFC 1870), None if it does not say."""
        announced = self._extensions.get("size", "").strip()
        return int(announced) or None if announced.isdecimal() else None

    def offers(self, extension: str) -> bool:
        return extension in self._extensions

    def offer(self, envelope: Envelope) -> None:
        """Says whom the next message is for; nothing is delivered before the end of its content."""
        self._offered, self._travelled = envelope, False
        self._is_written = self.is_open and self.way is not Way.STEPWISE
        if self._is_written:
            self._transport.write(self._opening(envelope))

    async def answer(self) -> Ending | None:
        """What the relay says to the envelope. None: it waits for the content."""
        envelope, self._offered = self._offered, None
        if envelope is None:
            raise RuntimeError("no envelope was offered")
        if self.way is Way.STEPWISE:
            return await self._stepwise(envelope)
        if not self._is_written:
            return Ending(phase=Phase.MAIL, reply=self._goodbye())
        ending = await self._answers()
        if self._travelled and ending is not None and ending.phase is Phase.MAIL and self._blames_company(ending.reply):
            self.close()
            return Ending(phase=Phase.MAIL, reply=None)  # nothing was said of the reader
        return ending

    async def hand_over(
        self, content: Sequence[bytes], following: Envelope | None = None, *, may_end: Callable[[], bool] | None = None
    ) -> Ending:
        """The content, and with its end the `following` envelope, if the relay takes both together: see `has_offer`.

        `content` is in pieces, which the kernel gathers; it has CRLF line ends and no line that begins with a dot.
        `may_end` is asked immediately before the bytes are written with which the relay may have the message.
        """
        self._awaits_content = self._travelled = False
        self._contents += 1
        try:
            end = b".\r\n"
            if self.is_open:
                if self.way is Way.CHUNKED:
                    *most, last = content
                    end = last[-_HELD_BACK:]
                    command = b"BDAT %d LAST\r\n" % sum(map(len, content))
                    self._transport.writelines([command, *most, last[:-_HELD_BACK]])
                else:
                    self._transport.writelines(content)
            if not await self._drain():
                reply = self._goodbye()
                self.close()
                return Ending(phase=Phase.BODY, reply=None if self._blames_the_way(reply) else reply)
            if may_end is not None and not may_end():
                self.close()
                return Ending(phase=Phase.BODY, reply=None)
            if following is not None and self.way is not Way.STEPWISE and not self._manners.dislikes_company:
                end += self._opening(following)
                self._offered, self._is_written, self._travelled = following, True, True
            self._transport.write(end)
            reply = await self._reply(DOT)
        except asyncio.CancelledError:
            self.close()  # in mid-content, whatever is written next would be content too
            raise
        if self._blames_the_way(reply):
            self.close()
            return Ending(phase=Phase.BODY, reply=None)  # what it did not want so, it has not delivered
        if reply is None or reply.code == 421:
            self._travelled = False  # what becomes of the envelope behind it says nothing about company
        return Ending(phase=Phase.DOT, reply=reply)

    def withhold(self) -> None:
        """Gives no content though the relay waits for it, so that it takes nothing."""
        if self._awaits_content:
            self.close()  # after a 354 there is no other way to say so
        else:
            self._owes_reset = True

    async def quit(self) -> None:
        """Says goodbye; what the relay answers no longer matters."""
        if self.is_open and not self._awaits_content and not self.has_offer:  # or it would be content
            self._transport.write(b"QUIT\r\n")
            await self._reply(5)
        self.close()
        await self._until(lambda: self._is_gone, within=1)  # TLS has goodbyes of its own

    def close(self) -> None:
        """Ends the connection; what was received and not read answers nothing any more."""
        self._is_lost = True
        self._received.clear()
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._received += data
            self._happened()

    def connection_lost(self, _error: Exception | None) -> None:
        self._is_lost = self._is_gone = True
        self._is_full = False
        self._happened()

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        self._happened()

    def _happened(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def _until(self, is_so: Callable[[], bool], *, within: float) -> None:
        """Waits until it is so, at most so many seconds; a timer of its own costs a tenth of asyncio.timeout."""
        end = self._loop.time() + within
        while not is_so() and (left := end - self._loop.time()) > 0:
            self._waiting = self._loop.create_future()
            timer = self._loop.call_later(left, self._happened)
            try:
                await self._waiting
            finally:
                timer.cancel()

    def _find_way(self) -> Way:
        if not self.offers("pipelining"):
            return Way.STEPWISE
        return Way.CHUNKED if self.offers("chunking") and not self._manners.dislikes_chunks else Way.PIPELINED

    def _opening(self, envelope: Envelope) -> bytes:
        """All commands before the content in one go."""
        reset = b"RSET\r\n" if self._owes_reset else b""
        data = b"" if self.way is Way.CHUNKED else b"DATA\r\n"
        return reset + self._mail(envelope) + self._rcpt(envelope) + data

    def _mail(self, envelope: Envelope) -> bytes:
        options = f" SIZE={envelope.octets}" if self.offers("size") else ""
        if not envelope.recipient.isascii():
            options += " BODY=8BITMIME SMTPUTF8"
        options += dsn.mail_options(envelope.message_id) if self.offers("dsn") else ""
        return f"MAIL FROM:<{envelope.sender}>{options}\r\n".encode()

    def _rcpt(self, envelope: Envelope) -> bytes:
        options = dsn.rcpt_options(envelope.recipient) if self.offers("dsn") else ""
        return f"RCPT TO:<{envelope.recipient}>{options}\r\n".encode()

    async def _answers(self) -> Ending | None:
        """Reads the replies to an opening, one for each of its commands whatever became of those before."""
        if self._owes_reset:
            self._owes_reset = False
            if not is_positive(reply := await self._reply(COMMAND)):
                self.close()  # a relay that does not even reset is left
                return Ending(phase=Phase.MAIL, reply=reply if reply is not None and reply.code == 421 else None)
        refused: Ending | None = None
        for phase in (Phase.MAIL, Phase.RCPT):
            reply = await self._reply(COMMAND)
            if refused is None and not is_positive(reply):
                refused = Ending(phase=phase, reply=reply)
            if reply is None or reply.code == 421:
                return refused or Ending(phase=phase, reply=reply)
        self._owes_reset = refused is not None
        return refused if self.way is Way.CHUNKED else await self._data_answer(refused)

    async def _data_answer(self, refused: Ending | None) -> Ending | None:
        reply = await self._reply(COMMAND)
        if reply is None or reply.code != 354:
            self._owes_reset = True
            return refused or Ending(phase=Phase.DATA, reply=reply)
        if refused is not None:  # RFC 2920 3.1: a lone dot ends a content that is for nobody
            self._transport.write(b".\r\n")
            await self._reply(COMMAND)
            return refused
        self._awaits_content = True
        return None

    async def _stepwise(self, envelope: Envelope) -> Ending | None:
        for phase, command, wanted in (
            (Phase.MAIL, self._mail(envelope), range(200, 300)),
            (Phase.RCPT, self._rcpt(envelope), range(200, 300)),
            (Phase.DATA, b"DATA\r\n", range(354, 355)),
        ):
            reply = await self._command(command)
            if reply is None or reply.code not in wanted:
                if phase is not Phase.MAIL:
                    await self._reset(reply)
                return Ending(phase=phase, reply=reply)
        self._awaits_content = True
        return None

    async def _command(self, line: bytes) -> Reply | None:
        if not self.is_open:
            return self._goodbye()
        self._transport.write(line)
        return await self._reply(COMMAND)

    async def _reset(self, reply: Reply | None) -> None:
        """After a refused transaction; a relay that does not even answer this is left."""
        if reply is not None and reply.code != 421 and not is_positive(await self._command(b"RSET\r\n")):
            self.close()

    async def _drain(self) -> bool:
        if self._is_full:
            await self._until(lambda: not self._is_full, within=BODY)
        return not self._is_full and self.is_open

    async def _reply(self, deadline: float) -> Reply | None:
        """The next whole reply. After None the connection is closed: a late reply must not answer a later command."""
        reply, length = parse_reply(self._received)

        def is_over() -> bool:
            nonlocal reply, length
            reply, length = parse_reply(self._received)
            return bool(length) or self._is_lost or len(self._received) > LONGEST_REPLY

        if not length:
            await self._until(is_over, within=deadline)
        del self._received[:length]
        if reply is None or reply.code == 421:
            self.close()
        return reply

    def _goodbye(self) -> Reply | None:
        """What the relay said unasked before it closed, such as 421; a stray yes answers nothing."""
        reply = parse_reply(self._received)[0]
        return reply if reply is not None and reply.code >= 400 else None

    def _blames_the_way(self, reply: Reply | None) -> bool:
        """Whether a content seems to be refused for how it came, and not for what it is."""
        if reply is None or reply.code < 400:
            return False
        if self.way is Way.CHUNKED and reply.code in {500, 502}:
            self._manners.dislikes_chunks = True
            return True
        return self._travelled and self._blames_company(reply)

    def _blames_company(self, reply: Reply | None) -> bool:
        """Whether it seems to be the company that an envelope or a content was refused for."""
        if reply is None:
            self._manners.quiet_losses += self._contents == 1  # a relay that ends longer sessions so just ends them
            self._manners.dislikes_company |= self._manners.quiet_losses >= _QUIET_LOSSES
            return False
        is_blamed = reply.code in {500, 503} or bool(_ABOUT_COMPANY.search(reply.text))
        self._manners.dislikes_company |= is_blamed
        return is_blamed


_ABOUT_COMPANY = re.compile(r"(?i)pipelin|synchroni[sz]ation")
