"""The real engine with a real ledger, sending messages that are hard to carry."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

import uvloop

from dispatcher.delivery.engine import deliver
from dispatcher.delivery.line import Parcel
from dispatcher.delivery.relay import SmtpRelay, read_relay
from dispatcher.delivery.terms import Terms
from dispatcher.desk.audit import audit
from dispatcher.models import Delivery, Outcome, State
from dispatcher.storage.database import Database
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.mailings import Mailing
from dispatcher.storage.reports import DeliveryLine, delivery_lines
from tests.relay import Relay
from tests.storage.books import enlist, freeze_to, open_at

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop] | None] = {"asyncio": None, "uvloop": uvloop.new_event_loop}
TLS_GOODBYE = 0.05  # seconds in which asyncio itself ends TLS; a loop closed before warns of an open socket

# No line begins with a dot, since our messages never have one; everything else that is hard to carry is here.
_BODY = "\r\n".join([
    "A line that ends with a dot.", " .", "a.b", "", "x" * 998, "雪" * 332, "=2E", "\x7f\t \x0b\x0c", "MAIL FROM:<x>",
    "RSET", "DATA", "QUIT", "BDAT 0 LAST", "From here on", "é" * 499, "",
])  # fmt: skip


def letter(delivery: Delivery, _: datetime) -> Parcel:
    """A message of 4 KB, every twentieth of 94 KB, in 8 bits; it ends in a line, an empty line, or a dot."""
    end = ("the end\r\n", "\r\n", "x.\r\n")[delivery.id % 3]
    head = (
        "From: Life with Data <weekly@example.org>\r\n"
        f"To: <{delivery.subscriber.email}>\r\n"
        "Date: Wed, 25 Nov 2026 12:00:00 +0000\r\n"
        f"Message-ID: <{delivery.message_id}>\r\n"
        "Subject: A long subject that is folded somewhere\r\n in the middle, and once more\r\n\there\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    )
    times = 23 if delivery.id % 20 == 0 else 1
    return Parcel(
        sender="bounces@example.org",
        recipient=delivery.subscriber.email,
        message_id=delivery.message_id,
        content=[head.encode(), *[_BODY.encode()] * times, end.encode()],
    )


@dataclass(slots=True, kw_only=True)
class Sender:
    folder: Path
    database: Database
    mailing: Mailing | None = None
    ledger: Ledger | None = None
    build: Callable[[Delivery, datetime], Parcel | str] = letter
    on_outcome: Callable[[Outcome], None] = lambda _: None
    contents: dict[str, bytes] = field(default_factory=dict)  # that were built, by recipient

    @classmethod
    @contextlib.contextmanager
    def at(cls, folder: Path) -> Iterator[Self]:
        sender = cls(folder=folder, database=open_at(folder))
        yield sender
        if sender.ledger is not None:
            sender.ledger.close()
        sender.database.close()

    def relay_to(self, relay: Relay) -> SmtpRelay:
        """One connection to a relay of the tests."""
        read = read_relay(relay.url, folder=self.folder)
        assert isinstance(read, SmtpRelay)
        return replace(read, connections=1)

    def enlist(self, *people: str) -> None:
        enlist(self.database, *people)
        self.mailing = freeze_to(self.database)
        self.ledger = Ledger(self.database, self.mailing)

    def send(self, relay: SmtpRelay, *, loop: str = "uvloop", patience: timedelta = timedelta(hours=1)) -> None:
        """Sends to all; the ledger holds afterwards."""
        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            runner.run(self._send(relay, patience))
        assert self.mailing is not None
        account = audit(self.database, self.mailing)
        assert account.holds, account.sentence()

    async def _send(self, relay: SmtpRelay, patience: timedelta) -> None:
        assert self.ledger is not None
        await deliver(
            self.ledger,
            [relay],
            self._build,
            Terms(patience=patience, retry_for=timedelta(days=1)),
            recorders=self.folder,
            progress=self.on_outcome,
            say=print,
            stop=asyncio.Event(),
        )
        await asyncio.sleep(TLS_GOODBYE if relay.user else 0)

    def _build(self, delivery: Delivery, at: datetime) -> Parcel | str:
        parcel = self.build(delivery, at)
        if isinstance(parcel, Parcel):
            self.contents[parcel.recipient] = b"".join(parcel.content)
        return parcel

    @property
    def lines(self) -> dict[str, DeliveryLine]:
        assert self.mailing is not None
        return {line.address: line for line in delivery_lines(self.database, self.mailing)}

    @property
    def states(self) -> dict[str, State]:
        return {address: line.state for address, line in self.lines.items()}
