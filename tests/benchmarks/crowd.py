"""A mailing of millions on PostgreSQL: planned, dealt out, sent by two workers at its beginning and its end, reported.

What lies between is marked as sent by SQL, so that claims at that size are measured without sending for hours.
"""

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from dispatcher.models import Kind, State
from dispatcher.storage import releases
from dispatcher.storage.database import Database, now, open_database
from dispatcher.storage.jobs import open_jobs
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.mailings import Mailing, find_mailing
from dispatcher.storage.pen import BLOCK
from dispatcher.storage.queue import queue_of, release_stalled
from dispatcher.storage.reports import count_states, observed_rate, summaries
from dispatcher.storage.runs import under_way
from tests.benchmarks.claims import GROUP, claim_and_record
from tests.benchmarks.ground import Ground, prepared, start, told, wait_for
from tests.benchmarks.million import Journal
from tests.sink import Sink

_WORKERS = 2
_GROUPS = 500  # commits that are timed alone
_MARK = """
    UPDATE delivery SET state = 'sent', attempts = 1, first_attempt_at = '{at}', settled_at = '{at}', code = 250,
        reply = '2.0.0 Ok: queued as 4bXyZ0123456789AbC', relay = '127.0.0.1:25'
    WHERE state = 'queued' AND id >= {start} AND id < {end}
"""


def send_crowd(readers: int, *, first: int, last: int) -> None:
    """Prints the time of each step, and what the database makes of a ledger of that size."""
    begun = time.monotonic()
    with prepared(readers) as ground, Sink(ground.folder / "sink", lax=True) as sink:
        print(f"{readers:,} readers made by SQL in {time.monotonic() - begun:.0f} s", flush=True)
        took = told(start(ground, "freeze", relay=sink.url), ground)
        print(f"planned in {took['plan']:.1f} s, frozen with its rows in {took['freeze']:.1f} s; {_peak(took)}")
        ground.execute("ANALYZE delivery")  # as autovacuum does within a minute
        before = ground.octets("delivery")
        print(f"a row: {before[0] / readers:.0f} octets, {before[1] / readers:.0f} of these in indexes", flush=True)
        took = told(start(ground, "deal", relay=sink.url), ground)
        [(blocks,)] = ground.execute("SELECT count(*) FROM procrastinate_jobs")
        print(f"dealt out in {blocks:,} blocks in {took['seconds']:.2f} s; {_peak(took)}", flush=True)
        with closing(open_database(ground.url, ground.folder)) as database:
            mailing = find_mailing(database, 1, Kind.LIVE)
            assert mailing is not None
            _tell_statements(database, mailing, "all queued")
            _tell_block_query(database, mailing)
            claimed = _claim_alone(database, mailing)
            written, server = ground.log_position, ground.server_cpu
            journal = Journal(sink.journal)
            _work(ground, sink, journal, "worker", first)
            log = (ground.log_position - written) / journal.messages
            print(f"  write-ahead log: {log:,.0f} octets a message; ", end="")
            print(f"server {(ground.server_cpu - server) / journal.messages * 1000:.3f} CPU-s/1,000", flush=True)
            marked = _mark(ground, database, mailing, last)
            _work(ground, sink, journal, "once", journal.messages + last)
            _tell_statements(database, mailing, "all sent")
            counts = count_states(database, mailing.id)
        after = ground.octets("delivery")
        print(
            f"{dict(counts)}: {journal.messages:,} sent, {journal.twice} twice, {marked:,} marked, {claimed:,} claimed"
        )
        print(f"a row: {after[0] / readers:.0f} octets, {after[1] / readers:.0f} of these in indexes", flush=True)
        for command in (
            ("report", "1"),
            ("report", "1", "--html", str(ground.folder / "report.html")),
            ("status",),
            ("audit", "1"),
        ):
            _tell_command(ground, *command)


def _work(ground: Ground, sink: Sink, journal: Journal, way: str, messages: int) -> None:
    """Has the workers send until the sink has so many; `worker` they are told to end then."""
    so_far, cpu = journal.look(), sink.cpu_seconds
    workers = [start(ground, way, relay=sink.url) for _ in range(_WORKERS)]
    begun = wait_for(journal, so_far + 1, workers, ground)
    beginning = journal.messages
    ended = wait_for(journal, messages, workers, ground)
    seconds, sent = ended - begun, journal.messages - beginning
    for each in workers:
        if way == "worker":
            each.send_signal(signal.SIGTERM)
    found = [told(each, ground) for each in workers]
    total = journal.look() - so_far
    commits = sorted(took for each in found for took in each["commits"])
    print(f"{total:,} sent by {_WORKERS} workers: {sent / seconds:,.0f}/s; ", end="")
    print(f"senders {sum(each['cpu'] for each in found) / total * 1000:.3f}, ", end="")
    print(f"sink {(sink.cpu_seconds - cpu) / total * 1000:.3f} CPU-s/1,000; ", end="")
    print(f"{max(map(_peak, found))} each at most")
    size = sum(each["claims"] for each in found) / len(commits)
    print(f"  a commit with claims, of {size:.1f} each: {_percentiles(commits)}", flush=True)


def _mark(ground: Ground, database: Database, mailing: Mailing, last: int) -> int:
    """Marks all as sent but for the last, and takes their jobs away. Returns how many."""
    [(start_of, end)] = ground.execute("SELECT min(id), max(id) + 1 FROM delivery WHERE state = 'queued'")
    cut = max(end - last, start_of)
    begun, marked = time.monotonic(), int(ground.execute("SELECT count(*) FROM delivery WHERE state = 'queued'")[0][0])
    at = now().isoformat(timespec="microseconds")
    ground.execute(_MARK.format(at=at, start=start_of, end=cut))
    ground.execute(
        f"DELETE FROM procrastinate_jobs WHERE queue_name = '{queue_of(mailing.id)}'"  # noqa: S608  ours
        f" AND status = 'todo' AND (args ->> 'block')::bigint < {cut // BLOCK}"
    )
    marked -= count_states(database, mailing.id)[State.QUEUED]
    print(f"{marked:,} marked as sent by SQL in {time.monotonic() - begun:.0f} s", flush=True)
    return marked


def _claim_alone(database: Database, mailing: Mailing) -> int:
    """While nobody else works; how many rows."""
    with closing(Ledger(database, mailing)) as ledger:
        rows = [each.id for each in ledger.queued(after=0, limit=GROUP * _GROUPS)]
        cpu = time.process_time()
        took = claim_and_record(ledger, rows)
        cpu = time.process_time() - cpu
    print(f"commits of {GROUP} claims and their outcomes, nobody else at work: {_percentiles(sorted(took))}; ", end="")
    print(f"{cpu / len(rows) * 1e6:.0f} µs of the client's processor a message", flush=True)
    return len(rows)


def _tell_statements(database: Database, mailing: Mailing, when: str) -> None:
    """How long what a run, the house and the editor ask takes, in ms."""
    with closing(Ledger(database, mailing)) as ledger:
        first = next(iter(ledger.queued(after=0, limit=1)), None)
        block = (first.id // BLOCK + 2) if first else 1
        asked: dict[str, Callable[[], object]] = {
            "under_way": lambda: under_way(database),
            "release_stalled": lambda: release_stalled(database, timedelta(minutes=1)),
            "deal_out_again": lambda: releases.deal_out_again(database),
            "release_what_is_due": lambda: releases.release_what_is_due(database),
            "dealt_out": lambda: releases.dealt_out(database),
            "take a job": lambda: asyncio.run(_take(database, mailing.id)),
            "read a page": lambda: ledger.queued(after=block * BLOCK, limit=500, blocks=[block, block + 5]),
            "queued_by_block": lambda: ledger.queued_by_block([block, block + 5, block + 9]),
            "has queued": lambda: ledger.has(State.QUEUED),
            "next_due": ledger.next_due,
            "requeue": lambda: ledger.requeue_deferred(now(), [block]),
            "counts": ledger.counts,
            "summaries": lambda: summaries(database),
            "observed_rate": lambda: observed_rate(database),
        }
        for name, ask in asked.items():
            print(f"  {when}: {name} {statistics.median([_milliseconds(ask) for _ in range(3)]):,.1f} ms", flush=True)


async def _take(database: Database, mailing_id: int) -> None:
    async with open_jobs(database, mailing_id) as jobs:
        await jobs.take()


def _tell_block_query(database: Database, mailing: Mailing) -> None:
    """Its plan when every block has its job, and when none has."""
    values = {"mailing": mailing.id, "size": BLOCK, "queue": queue_of(mailing.id), "now": now().isoformat()}
    asked = text("EXPLAIN (ANALYZE) " + releases._WITHOUT_JOB.text)
    with database.transactions() as connection:
        for what, first in (("every block has a job", "SELECT 1"), ("none has", "DELETE FROM procrastinate_jobs")):
            with connection.begin() as undone:
                connection.execute(text(first))
                steps = list(connection.scalars(asked, values))
                undone.rollback()
            print(f"  the block query, when {what}:")
            print(*(f"    {step}" for step in steps), sep="\n", flush=True)


def _tell_command(ground: Ground, *command: str) -> None:
    begun = time.monotonic()
    done = subprocess.Popen(
        [sys.executable, "-c", "from dispatcher.cli.main import main; main()", "-C", str(ground.folder), *command],
        env=ground.environment(ground.url), stdout=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, usage = os.wait4(done.pid, 0)
    print(f"dispatcher {' '.join(command[:3])}: {time.monotonic() - begun:.1f} s, ", end="")
    print(f"{usage.ru_maxrss / 1024:.0f} MB at most, exit code {os.waitstatus_to_exitcode(status)}", flush=True)


def _milliseconds(ask: Callable[[], object]) -> float:
    begun = time.perf_counter()
    ask()
    return (time.perf_counter() - begun) * 1000


def _percentiles(sorted_seconds: Sequence[float]) -> str:
    half, most = (sorted_seconds[int(len(sorted_seconds) * share)] * 1000 for share in (0.5, 0.99))
    return f"p50 {half:.1f} ms, p99 {most:.1f} ms"


def _peak(took: Mapping[str, Any]) -> str:
    return f"{took['peak'] / 1024:.0f} MB"
