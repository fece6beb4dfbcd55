"""One process of a benchmark on PostgreSQL: freezes issue 1, deals it out, or sends it; then it tells what that took.

    python -m tests.benchmarks.sender freeze|deal|whole|dealt|worker|once FOLDER [--core N]

`worker` and `once` are the command `dispatcher worker`, with a clock beside its commits; `whole` and `dealt` are one
run to which the whole mailing is left, or blocks of it. The last line is JSON.
"""

import argparse
import json
import os
import re
import sys
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

from dispatcher.cli.main import main as dispatcher
from dispatcher.config import load_settings
from dispatcher.delivery.dkim import signing
from dispatcher.delivery.run import run
from dispatcher.delivery.terms import Terms
from dispatcher.models import Kind, Outcome
from dispatcher.recipes.newsletter import Newsletter, open_newsletter
from dispatcher.recipes.order import Order
from dispatcher.recipes.parcels import builder
from dispatcher.recipes.plan import make_plan, store_plan
from dispatcher.recipes.sharing import dealer_of, hand_out
from dispatcher.recipes.transport import pacing_of, signatures_for
from dispatcher.storage.jobs import make_room
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.lock import run_lock
from dispatcher.storage.mailings import Mailing, find_mailing
from dispatcher.storage.pen import Claim
from dispatcher.storage.postgres_pen import PostgresPen

Told = dict[str, float | Sequence[float]]


def freeze(newsletter: Newsletter) -> Told:
    """Steps 1 to 4 of send-issue, and the tables of the queue."""
    order = Order(issue="1", is_confirmed=True)
    with run_lock(newsletter.database):
        begun = time.perf_counter()
        plan = make_plan(newsletter, order)
        planned = time.perf_counter()
        store_plan(newsletter, plan)
        stored = time.perf_counter()
    make_room(newsletter.database)
    return {"plan": planned - begun, "freeze": stored - planned}


def deal(newsletter: Newsletter) -> Told:
    with closing(Ledger(newsletter.database, _mailing(newsletter))) as ledger:
        begun = time.perf_counter()
        hand_out(newsletter, ledger)
        return {"seconds": time.perf_counter() - begun}


def send(newsletter: Newsletter, *, is_dealt: bool) -> Told:
    """Both in the same way, but for the queue: with it, dealing out is part of it."""
    settings, mailing = newsletter.settings, _mailing(newsletter)
    terms = Terms(
        patience=timedelta(), retry_for=settings.retry_for, pacing=pacing_of(settings), dead_after=settings.dead_after
    )
    sent = 0

    def hear(_outcome: Outcome) -> None:
        nonlocal sent
        sent += 1

    with (
        closing(Ledger(newsletter.database, mailing)) as ledger,
        signing(signatures_for(newsletter.relay, settings), time.time) as sign,
    ):
        if is_dealt:
            hand_out(newsletter, ledger)
        run(
            ledger, newsletter.relays, builder(newsletter, mailing), terms, sign=sign, recorders=settings.folder,
            progress=hear, say=print, deal=dealer_of(newsletter, mailing) if is_dealt else None,
        )  # fmt: skip
    return {"sent": sent}


def work(folder: Path, *options: str) -> Told:
    """The command itself, with the seconds of each commit that claims."""
    took, claims = array("d"), 0
    commit = PostgresPen.commit

    def timed(
        pen: PostgresPen, outcomes: Sequence[Outcome], wanted: Sequence[Claim], at: str, number: int | None
    ) -> list[bool]:
        nonlocal claims
        begun = time.perf_counter()
        held = commit(pen, outcomes, wanted, at, number)
        if wanted:
            took.append(time.perf_counter() - begun)
            claims += len(wanted)
        return held

    PostgresPen.commit = timed  # type: ignore[assignment,method-assign]
    sys.argv = ["dispatcher", "-C", str(folder), "worker", *options]
    with suppress(SystemExit):  # 0, or it has complained
        dispatcher()
    return {"claims": claims, "commits": sorted(took)}


def _mailing(newsletter: Newsletter) -> Mailing:
    found = find_mailing(newsletter.database, 1, Kind.LIVE)
    if found is None:
        raise SystemExit("issue 1 is not frozen")
    return found


def _with_newsletter(act: Callable[[Newsletter], Told]) -> Callable[[Path], Told]:
    def opened(folder: Path) -> Told:
        with open_newsletter(load_settings(folder)) as newsletter:
            return act(newsletter)

    return opened


WAYS: Mapping[str, Callable[[Path], Told]] = {
    "freeze": _with_newsletter(freeze),
    "deal": _with_newsletter(deal),
    "whole": _with_newsletter(lambda newsletter: send(newsletter, is_dealt=False)),
    "dealt": _with_newsletter(lambda newsletter: send(newsletter, is_dealt=True)),
    "worker": work,
    "once": lambda folder: work(folder, "--once"),
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("way", choices=WAYS)
    options.add_argument("folder", type=Path)
    options.add_argument("--core", type=int, help="the only one that it may use")
    given = options.parse_args()
    if given.core is not None:
        os.sched_setaffinity(0, {given.core})
    begun = time.process_time()
    took = WAYS[given.way](given.folder)
    print(json.dumps({**took, "cpu": time.process_time() - begun, "peak": _peak()}), flush=True)


def _peak() -> int:
    """KB of memory; what getrusage tells is of whoever started this process, too."""
    found = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text("ascii"))
    return int(found[1]) if found else 0


if __name__ == "__main__":
    main()
