"""Runs the engine on a ledger that is there already, as `send-issue` does, in a process that starts in half a second.

python -m tests.faults.sender FOLDER RELAY --connections 8 --octets 94000
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from dispatcher.delivery.line import Parcel
from dispatcher.delivery.recovery import AT_ONCE, recover
from dispatcher.delivery.relay import SmtpRelay, read_relay
from dispatcher.delivery.run import run
from dispatcher.delivery.terms import Terms
from dispatcher.errors import DispatcherError
from dispatcher.models import Delivery, Kind, State
from dispatcher.storage.database import now, open_database
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.mailings import find_mailing
from dispatcher.storage.reports import doubtful_addresses

_LINE = b'<td style=3D"padding:0 24px">A kettle boils at about one hundred degrees.=\r\n'


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.sender", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("relay")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--octets", type=int, default=2_000, help="of each message, about")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds")
    parser.add_argument("--database", default="sqlite:///dispatcher.db")
    told = parser.parse_args()

    database = open_database(told.database, told.folder)
    mailing = find_mailing(database, 29, Kind.LIVE)
    relay = read_relay(told.relay, folder=told.folder)
    assert mailing is not None
    assert isinstance(relay, SmtpRelay)
    ledger = Ledger(database, mailing)
    try:
        recover(ledger, relay, told.folder, dead_after=AT_ONCE)
        ledger.requeue_deferred(now() + timedelta(days=36_500))
        run(
            ledger,
            [replace(relay, connections=told.connections)],
            make_builder(told.octets),
            Terms(patience=timedelta(seconds=told.patience), retry_for=timedelta(days=1)),
            recorders=told.folder,
            progress=lambda _: None,
            say=lambda text: print(text, flush=True),
        )
    except DispatcherError as error:
        print(error)
        return error.exit_code
    finally:
        ledger.close()
    for address in doubtful_addresses(database, mailing.id):
        print(f"in doubt: {address}")
    counts = ledger.counts()
    if counts[State.QUEUED] or counts[State.DEFERRED] or counts[State.SENDING]:
        return 75
    return 76 if counts[State.IN_DOUBT] else 0


def make_builder(octets: int) -> Callable[[Delivery, datetime], Parcel]:
    """Builds messages of about this size."""
    body = _LINE * (octets // len(_LINE))

    def build(delivery: Delivery, date: datetime) -> Parcel:
        to = delivery.subscriber.email
        head = f"To: {to}\r\nDate: {date.isoformat()}\r\nMessage-ID: <{delivery.message_id}>\r\n\r\n"
        return Parcel(
            sender="letter@example.org", recipient=to, message_id=delivery.message_id, content=[head.encode(), body]
        )

    return build


if __name__ == "__main__":
    sys.exit(main())
