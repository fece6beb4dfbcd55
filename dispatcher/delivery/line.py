"""A line to a relay: opened, used message by message, and opened again after a loss; SMTP and Maildir alike."""

import asyncio
from dataclasses import dataclass

from dispatcher.delivery import maildir, smtp
from dispatcher.delivery.relay import MaildirRelay, Relay, SmtpRelay
from dispatcher.delivery.smtp import Conversation, Ending, Refusal
from dispatcher.delivery.verdicts import Phase
from dispatcher.models import Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A built message and its envelope."""

    sender: str
    recipient: str
    message_id: str
    content: bytes  # CRLF line ends, no line begins with a dot


class SmtpLine:
    """A line over SMTP."""

    def __init__(self, relay: SmtpRelay) -> None:
        self._relay = relay
        self._conversation: Conversation | None = None
        self.carried = 0  # messages since it was opened
        self.failures = 0  # in a row
        self.last_refusal = "the connection was lost"

    @property
    def is_open(self) -> bool:
        return self._conversation is not None and self._conversation.is_open

    async def open(self) -> Refusal | None:
        """Connects, unless the line is open. Returns why it could not."""
        if self.is_open:
            return None
        connected = await smtp.connect(self._relay)
        if isinstance(connected, Refusal):
            return connected
        self._conversation = connected
        self.carried = 0
        return None

    def objection(self, parcel: Parcel) -> str | None:
        """Why this relay cannot take this one parcel, known before it is tried."""
        if not parcel.recipient.isascii() and not self._open().offers("smtputf8"):
            return "the address needs SMTPUTF8, which the relay does not offer"
        return None

    def most_octets(self) -> int | None:
        """The longest message the relay announces to take."""
        return self._open().most_octets

    async def offer(self, parcel: Parcel) -> Ending | None:
        """Everything before the content; None: the relay waits for it."""
        return await self._open().offer(parcel.sender, parcel.recipient, len(parcel.content))

    async def hand_over(self, parcel: Parcel) -> Ending:
        """The content; from its last byte on the relay may have the message."""
        return await self._open().hand_over(parcel.content)

    def drop(self) -> None:
        if self._conversation is not None:
            self._conversation.close()
            self._conversation = None

    async def quit(self) -> None:
        if self._conversation is not None:
            await self._conversation.quit()

    def _open(self) -> Conversation:
        if self._conversation is None:
            raise RuntimeError("the line is not open")
        return self._conversation


class MaildirLine:
    """A line into a folder."""

    def __init__(self, relay: MaildirRelay) -> None:
        self._folder = relay.folder
        self.is_open = False
        self.carried = 0
        self.failures = 0
        self.last_refusal = ""

    async def open(self) -> Refusal | None:
        try:
            maildir.open_maildir(self._folder)
        except OSError as error:
            reason = f"{self._folder}: {error.strerror}; the outbox must be a folder that can be written"
            return Refusal(reason=reason, is_lasting=True)
        self.is_open = True
        return None

    def objection(self, parcel: Parcel) -> str | None:  # noqa: ARG002  a folder takes everything
        return None

    def most_octets(self) -> int | None:
        return None

    async def offer(self, parcel: Parcel) -> Ending | None:  # noqa: ARG002
        return None

    async def hand_over(self, parcel: Parcel) -> Ending:
        try:
            name = await asyncio.to_thread(maildir.store, self._folder, parcel.message_id, parcel.content)
        except OSError as error:
            # Nothing is there under the message's name: refused before it began, and for everybody.
            return Ending(phase=Phase.MAIL, reply=Reply(code=552, text=f"{self._folder}: {error.strerror}"))
        return Ending(phase=Phase.DOT, reply=Reply(code=250, text=name))

    def drop(self) -> None:
        self.is_open = False

    async def quit(self) -> None:
        self.is_open = False


Line = SmtpLine | MaildirLine


def line_to(relay: Relay) -> Line:
    return MaildirLine(relay) if isinstance(relay, MaildirRelay) else SmtpLine(relay)
