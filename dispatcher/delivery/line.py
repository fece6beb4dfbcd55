"""A line to a relay: opened, used message by message, and opened again after a loss; SMTP and Maildir alike."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dispatcher.delivery import maildir
from dispatcher.delivery.connect import Refusal, connect
from dispatcher.delivery.relay import MaildirRelay, Relay, SmtpRelay
from dispatcher.delivery.replies import Manners
from dispatcher.delivery.smtp import Conversation, Ending, Envelope
from dispatcher.delivery.verdicts import Phase
from dispatcher.models import Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A built message and its envelope."""

    sender: str
    recipient: str
    message_id: str
    content: Sequence[bytes]  # in pieces, most of them everybody's; CRLF line ends, no line begins with a dot

    @property
    def envelope(self) -> Envelope:
        return Envelope(sender=self.sender, recipient=self.recipient, octets=self.octets, message_id=self.message_id)

    @property
    def octets(self) -> int:
        return sum(map(len, self.content))


class SmtpLine:
    """A line over SMTP."""

    def __init__(self, relay: SmtpRelay, manners: Manners) -> None:
        self._relay = relay
        self._manners = manners
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
        connected = await connect(self._relay, self._manners)
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

    @property
    def has_offer(self) -> bool:
        """Whether an envelope is out, or about to go, whose answer was not read yet."""
        return self._conversation is not None and self._conversation.has_offer

    def offer(self, parcel: Parcel) -> None:
        """Says whom the next message is for."""
        self._open().offer(parcel.envelope)

    async def answer(self) -> Ending | None:
        """What the relay says to that; None: it waits for the content."""
        return await self._open().answer()

    async def hand_over(self, parcel: Parcel, following: Parcel | None, may_end: Callable[[], bool]) -> Ending:
        """The content, and the offer of the following message with its end where the relay takes both together."""
        return await self._open().hand_over(
            parcel.content, None if following is None else following.envelope, may_end=may_end
        )

    def withhold(self) -> None:
        """Gives no content though the relay waits for it."""
        self._open().withhold()

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
        self.has_offer = False
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

    def offer(self, parcel: Parcel) -> None:  # noqa: ARG002
        self.has_offer = True

    async def answer(self) -> Ending | None:
        self.has_offer = False
        return None

    def withhold(self) -> None:
        """A folder has nothing of it yet."""

    async def hand_over(self, parcel: Parcel, following: Parcel | None, may_end: Callable[[], bool]) -> Ending:  # noqa: ARG002
        if not may_end():
            return Ending(phase=Phase.BODY, reply=None)
        try:
            name = await asyncio.to_thread(maildir.store, self._folder, parcel.message_id, b"".join(parcel.content))
        except OSError as error:
            # Nothing is there under the message's name: refused before it began, and for everybody.
            return Ending(phase=Phase.MAIL, reply=Reply(code=552, text=f"{self._folder}: {error.strerror}"))
        return Ending(phase=Phase.DOT, reply=Reply(code=250, text=name))

    def drop(self) -> None:
        self.is_open = False

    async def quit(self) -> None:
        self.is_open = False


Line = SmtpLine | MaildirLine


def line_to(relay: Relay, manners: Manners | None = None) -> Line:
    """`manners`: what is known of the relay, shared by its lines."""
    return MaildirLine(relay) if isinstance(relay, MaildirRelay) else SmtpLine(relay, manners or Manners())
