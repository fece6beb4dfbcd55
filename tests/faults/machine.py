"""Sends one issue as a machine of several does, within limits that hold over all of them.

python -m tests.faults.machine FOLDER DATABASE ISSUE --connections 8 --rates all=100 --relay smtp://… --per-second 40
"""

import argparse
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dispatcher.delivery.pace import Limit, Pacing
from dispatcher.delivery.relay import SmtpRelay, read_relay
from dispatcher.delivery.run import run
from dispatcher.delivery.terms import Terms
from dispatcher.errors import DispatcherError
from dispatcher.models import Kind
from dispatcher.storage.database import open_database
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.mailings import find_mailing
from tests.faults.sender import make_builder


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.machine", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("database")
    parser.add_argument("issue", type=int)
    parser.add_argument("relay", help="for all readers")
    parser.add_argument("--connections", type=int, default=8, help="to each relay")
    parser.add_argument("--per-second", type=float, help="over all relays")
    parser.add_argument("--own", nargs=3, default=(), metavar=("DOMAIN", "RELAY", "PER_SECOND"))
    parser.add_argument("--slow", nargs=2, default=(), metavar=("DOMAIN", "PER_SECOND"))
    told = parser.parse_args()

    database = open_database(told.database, told.folder)
    mailing = find_mailing(database, told.issue, Kind.LIVE)
    assert mailing is not None
    relays = [_relay(told.relay, told.connections)]
    if told.own:
        domain, url, rate = told.own
        relays.append(replace(_relay(url, told.connections), domains=(domain,), per_second=float(rate)))
    slow = {told.slow[0]: Limit(per_second=float(told.slow[1]))} if told.slow else {}
    ledger = Ledger(database, mailing)
    try:
        run(
            ledger,
            relays,
            make_builder(2_000),
            Terms(
                patience=timedelta(seconds=60),
                retry_for=timedelta(days=1),
                pacing=Pacing(per_second=told.per_second, domains=slow),
                clock=lambda: datetime.now(UTC),
            ),
            recorders=told.folder,
            progress=lambda _: None,
            say=lambda text: print(text, flush=True),
        )
    except DispatcherError as error:
        print(error)
        return error.exit_code
    finally:
        ledger.close()
    return 0


def _relay(url: str, connections: int) -> SmtpRelay:
    relay = read_relay(url, folder=Path())
    assert isinstance(relay, SmtpRelay)
    return replace(relay, connections=connections)


if __name__ == "__main__":
    sys.exit(main())
