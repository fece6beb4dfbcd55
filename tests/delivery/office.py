"""A ledger, a relay and the engine between them, as the tests of delivery need them."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dispatcher.delivery.engine import deliver
from dispatcher.delivery.feed import Dealer
from dispatcher.delivery.line import Parcel
from dispatcher.delivery.pace import Pacing
from dispatcher.delivery.relay import MaildirRelay, SmtpRelay, read_relay
from dispatcher.delivery.terms import Terms
from dispatcher.desk.audit import audit
from dispatcher.models import Delivery, Kind, Outcome, State
from dispatcher.storage.database import Database
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.mailings import Mailing
from dispatcher.storage.reports import DeliveryLine, delivery_lines
from tests.relay import Relay
from tests.storage.books import enlist, freeze_to

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@dataclass
class Clock:
    """Goes on by a stride whenever somebody looks at it."""

    stride: timedelta = timedelta()
    now: datetime = NOON

    def __call__(self) -> datetime:
        self.now += self.stride
        return self.now


def build(delivery: Delivery, date: datetime) -> Parcel:
    head = f"To: {delivery.subscriber.email}\r\nDate: {date.isoformat()}\r\nMessage-ID: <{delivery.message_id}>\r\n"
    return Parcel(
        sender="letter@example.org",
        recipient=delivery.subscriber.email,
        message_id=delivery.message_id,
        content=[(head + "\r\n").encode(), b"hello\r\n" * 200],
    )


@dataclass
class Office:
    """A ledger of issue 29, a relay, and what a run of the engine told."""

    folder: Path
    database: Database
    relay: Relay
    told: list[Outcome] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    build: Callable[[Delivery, datetime], Parcel | str] = build
    on_outcome: Callable[[Outcome], None] = lambda _: None
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def recorder(self) -> Path:
        """The newest run's."""
        return max(
            self.folder.glob("*-flight-*"), default=self.folder / "none", key=lambda path: path.stat().st_mtime_ns
        )

    def enlist(self, *people: str, kind: Kind = Kind.LIVE) -> None:
        enlist(self.database, *people)
        self.mailing: Mailing = freeze_to(self.database, kind=kind)
        self.ledger = Ledger(self.database, self.mailing)

    async def deliver(
        self,
        *relays: MaildirRelay | SmtpRelay,
        patience: timedelta = timedelta(),
        retry_for: timedelta = timedelta(days=1),
        clock: Clock | None = None,
        pacing: Pacing | None = None,
        ticks: Callable[[], float] = time.monotonic,
        dead_after: timedelta = timedelta(minutes=1),
        dealer: Dealer | None = None,
    ) -> None:
        terms = Terms(
            patience=patience,
            retry_for=retry_for,
            clock=clock or Clock(),
            jitter=lambda: 0.0,
            pacing=pacing or Pacing(),
            ticks=ticks,
            dead_after=dead_after,
        )
        await deliver(
            self.ledger,
            relays or [read_relay(self.relay.url, folder=self.folder)],
            self.build,
            terms,
            recorders=self.folder,
            progress=self._hear,
            say=self.said.append,
            stop=self.stop,
            dealer=dealer,
        )

    def run(self, **terms: timedelta | Clock) -> None:
        self.stop = asyncio.Event()  # of this run's own loop
        asyncio.run(self.deliver(**terms))  # type: ignore[arg-type]
        self.check()

    def check(self) -> None:
        account = audit(self.database, self.mailing)
        assert account.holds, account.sentence()
        assert max(self.relay.copies.values(), default=0) <= 1
        assert all(not message.was_stuffed for message in self.relay.offered)
        assert not self.relay.has_seen_bare_cr_or_lf

    def line(self, address: str) -> DeliveryLine:
        return next(line for line in delivery_lines(self.database, self.mailing) if line.address == address)

    @property
    def states(self) -> dict[str, State]:
        return {line.address: line.state for line in delivery_lines(self.database, self.mailing)}

    def _hear(self, outcome: Outcome) -> None:
        self.told.append(outcome)
        self.on_outcome(outcome)
