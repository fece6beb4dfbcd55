"""One connection of the sink: commands in, replies out, contents counted and dropped, faults as drawn."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from tests.sink.content import Content
from tests.sink.faults import Fault, Storm

_LONGEST_LINE = 4_096
_REFUSALS: dict[Fault | None, str] = {Fault.DEFERRAL: "451 4.3.0 try later", Fault.GOODBYE: "421 4.3.2 shutting down"}


@dataclass(slots=True, kw_only=True)
class Hold:
    """Leaves connections without an answer at a stage: from a number of messages on, or always."""

    stage: str
    after: int = 0


@dataclass(slots=True, kw_only=True)
class Rules:
    """What all connections share."""

    offers: tuple[str, ...]
    note: Callable[..., None]  # into the journal: what, connection, recipient, and more
    storm: Storm
    replies: Mapping[str, str] = field(default_factory=dict)  # stage → what everybody is told there
    hold: Hold | None = None
    delay: float = 0.0  # seconds between the end of the content and the reply
    is_strict: bool = True  # looks for bare CR and LF, and at To
    most_connections: int | None = None
    connections: int = 0  # so far
    open: set["Conversation"] = field(default_factory=set)
    taken: int = 0
    attempts: Counter[str] = field(default_factory=Counter)

    def forget_faults(self) -> None:
        """From here on everything goes well; who was held is let go without an answer."""
        self.storm, self.replies, self.hold, self.delay = Storm(), {}, None, 0.0
        for each in list(self.open):
            each.let_go()


class Conversation(asyncio.Protocol):
    """Speaks SMTP with one client."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._transport: asyncio.Transport
        self._number = 0
        self._line = b""  # the beginning of a command
        self._answers: list[str] = []  # to be written together
        self._waiting: list[bytes] = []  # what came while nothing may be answered
        self._silence: Literal["", "for a while", "for good"] = ""
        self._is_over = False
        self._sender: str | None = None
        self._recipient = ""
        self._content: Content | None = None
        self._is_chunked = False
        self._left = 0  # octets of the chunk
        self._is_last = False  # chunk of its content
        self._fate: Fault | None = None

    # --- the connection ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, rules = cast("asyncio.Transport", transport), self._rules  # uvloop has types of its own
        rules.connections += 1
        self._number = rules.connections
        rules.note("open", self._number)
        if rules.most_connections is not None and len(rules.open) >= rules.most_connections:
            self._say_last("421 4.7.0 too many connections\r\n")
            return
        rules.open.add(self)
        if (banner := rules.storm.banner(self._number)) is not None:
            rules.note("fault", self._number, "", Fault.BANNER, banner)
            self._say_last(banner)
            return
        self._answer("connect", "220 sink.example.org ESMTP")
        self._flush()

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        if self._is_silent:
            self._waiting.append(data)
            return
        position = 0
        while position < len(data) and not self._is_silent and not self._is_over:
            if self._content is not None and (self._left or not self._is_chunked):
                position = self._take_content(self._content, data, position)
            else:
                position = self._take_line(data, position)
        if position < len(data):
            self._waiting.append(data[position:])
        self._flush()

    def connection_lost(self, _error: Exception | None) -> None:
        self._is_over = True
        self._rules.open.discard(self)
        self._rules.note("shut", self._number)

    def let_go(self) -> None:
        """Ends a connection that was held."""
        if self._silence == "for good":
            self._abort()

    @property
    def _is_silent(self) -> bool:
        return self._silence != ""

    # --- commands ---------------------------------------------------------------------------------

    def _take_line(self, data: bytes, position: int) -> int:
        end = data.find(b"\n", position)
        if end < 0:
            self._line += data[position:]
            if len(self._line) > _LONGEST_LINE:
                self._say_last("500 5.5.2 line too long\r\n")
            return len(data)
        line, self._line = self._line + data[position : end + 1], b""
        if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
            self._rules.note("bare", self._number, self._recipient)
        verb, _, rest = line.decode("utf-8", "replace").rstrip("\r\n").partition(" ")
        commands = {
            "EHLO": self._ehlo,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "BDAT": self._bdat,
            "RSET": self._rset,
            "QUIT": self._quit,
        }
        if (command := commands.get(verb.upper())) is not None:
            command(rest)
        else:
            self._answers.append("502 5.5.1 not known here")
        return end + 1

    def _ehlo(self, _: str) -> None:
        lines = ["sink.example.org", *self._rules.offers]
        self._answer("ehlo", "\r\n".join([*(f"250-{each}" for each in lines[:-1]), f"250 {lines[-1]}"]))

    def _mail(self, rest: str) -> None:
        if self._sender is not None:
            self._answers.append("503 5.5.1 nested MAIL")
        elif self._answer("mail", "250 2.1.0 ok"):
            self._sender = _path(rest)

    def _rcpt(self, rest: str) -> None:
        rules, recipient = self._rules, _path(rest)
        if self._sender is None or self._recipient:
            self._answers.append("503 5.5.1 one RCPT after MAIL")
            return
        rules.attempts[recipient] += 1
        drawn = rules.storm.before_content(recipient, rules.attempts[recipient])
        if self._answer("rcpt", drawn or "250 2.1.5 ok", recipient):
            self._recipient = recipient

    def _data(self, _: str) -> None:
        if not self._recipient:
            self._answers.append("503 5.5.1 RCPT first")
        elif self._answer("data", "354 go on", wanted="3"):
            self._begin_content(is_chunked=False)

    def _bdat(self, rest: str) -> None:
        octets, *last = rest.split()
        if self._content is None:
            self._begin_content(is_chunked=True)
        self._left, self._is_last = int(octets), bool(last)
        if not self._left:
            self._end_chunk()

    def _rset(self, _: str) -> None:
        self._sender, self._recipient = None, ""
        self._answer("rset", "250 2.0.0 forgotten")

    def _quit(self, _: str) -> None:
        self._answer("quit", "221 2.0.0 bye")
        self._say_last()

    # --- contents ---------------------------------------------------------------------------------

    def _begin_content(self, *, is_chunked: bool) -> None:
        rules = self._rules
        self._content, self._is_chunked = Content(is_strict=rules.is_strict), is_chunked
        if self._recipient:
            self._fate = rules.storm.after_content(self._recipient, rules.attempts[self._recipient])

    def _take_content(self, content: Content, data: bytes, position: int) -> int:
        if self._left:
            end = min(position + self._left, len(data))
            content.take(data, position, end)
            self._left -= end - position
            if not self._fails_in_mid_content() and not self._left:
                self._end_chunk()
            return end
        end, is_whole = content.take_data(data, position)
        if not self._fails_in_mid_content() and is_whole:
            self._end_message(content)
        return end

    def _fails_in_mid_content(self) -> bool:
        if self._recipient and self._is_to_be_held("body"):
            self._transport.pause_reading()  # so that what is left stays with the client
            self._be_silent("body")
            return True
        if self._fate is not Fault.BODY:
            return False
        self._rules.note("fault", self._number, self._recipient, Fault.BODY)
        self._abort()
        return True

    def _end_chunk(self) -> None:
        if self._content is not None and self._is_last:
            self._end_message(self._content)
        else:
            self._answers.append("250 2.0.0 and the next")

    def _end_message(self, content: Content) -> None:
        recipient, fate = self._recipient, self._fate
        self._content, self._left, self._fate = None, 0, None
        self._sender, self._recipient = None, ""
        if not recipient:
            self._answers.append("554 5.5.1 nobody to take it for")
        elif fate is Fault.RESET:
            self._rules.note("fault", self._number, recipient, fate)
            self._abort()
        elif (no := _REFUSALS.get(fate) or self._rules.replies.get("dot")) is not None:
            self._rules.note("fault", self._number, recipient, fate or "dot", no)
            self._answers.append(no)
            if no.startswith("421"):
                self._say_last()
        else:
            self._take(recipient, content, is_told=fate is not Fault.KEEP)

    def _take(self, recipient: str, content: Content, *, is_told: bool) -> None:
        rules = self._rules
        rules.taken += 1
        queue_id = f"{rules.taken:08X}"
        about = (queue_id, content.message_id, str(content.octets), content.complaint(recipient))
        rules.note("take", self._number, recipient, *about)
        if not is_told:
            rules.note("fault", self._number, recipient, Fault.KEEP)
            self._say_last()
        elif self._is_to_be_held("dot"):
            self._be_silent("dot", recipient)
        elif rules.delay:
            self._flush()
            self._silence = "for a while"
            late = f"250 2.0.0 Ok: queued as {queue_id}"
            asyncio.get_running_loop().call_later(rules.delay, self._go_on, late)
        else:
            self._answers.append(f"250 2.0.0 Ok: queued as {queue_id}")

    # --- answers ----------------------------------------------------------------------------------

    def _answer(self, stage: str, usual: str, recipient: str = "", wanted: str = "2") -> bool:
        """Answers as told for this stage, else as usual; says whether the client may go on."""
        if self._is_to_be_held(stage):
            self._be_silent(stage, recipient)
            return False
        reply = self._rules.replies.get(stage) or usual
        is_good = reply.startswith(wanted)
        if not is_good:
            self._rules.note("fault", self._number, recipient, stage, reply)
        self._answers.append(reply)
        if reply.startswith("421") or (stage == "connect" and not is_good):
            self._say_last()
        return is_good

    def _is_to_be_held(self, stage: str) -> bool:
        hold = self._rules.hold
        return hold is not None and hold.stage == stage and self._rules.taken >= hold.after

    def _be_silent(self, stage: str, recipient: str = "") -> None:
        self._rules.note("held", self._number, recipient or self._recipient, stage)
        self._flush()
        self._silence = "for good"

    def _go_on(self, late: str) -> None:
        waited, self._waiting, self._silence = self._waiting, [], ""
        if not self._is_over:
            self._answers.append(late)
            self._flush()
            self.data_received(b"".join(waited))

    def _flush(self) -> None:
        if self._answers and not self._is_silent:
            self._transport.write("".join(f"{each}\r\n" for each in self._answers).encode())
            self._answers = []

    def _say_last(self, text: str = "") -> None:
        self._flush()
        self._transport.write(text.encode())
        self._is_over = True
        self._transport.close()

    def _abort(self) -> None:
        self._is_over = True
        self._transport.abort()


def _path(argument: str) -> str:
    return argument.partition("<")[2].partition(">")[0]
