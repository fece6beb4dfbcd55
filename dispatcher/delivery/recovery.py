"""Settles what a run that is over left unsettled: as its flight recorder or the Maildir know it, else in doubt."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from dispatcher.delivery import maildir
from dispatcher.delivery.recorder import Flight, Progress, is_being_written, read_record, recorder_of, recorders_in
from dispatcher.delivery.relay import MaildirRelay, Relay
from dispatcher.delivery.verdicts import Phase, judge
from dispatcher.models import Delivery, Kind, Outcome, Reply, State
from dispatcher.storage.database import Database
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.mailings import mailing_with
from dispatcher.storage.runs import UNRECORDED, Running, end_run, ended_here, running, unrecorded

AT_ONCE = timedelta()  # who holds the run lock of a database on this machine knows that nobody else sends
NEVER = timedelta.max


def recover(ledger: Ledger, relay: Relay, folder: Path, *, dead_after: timedelta) -> int:
    """Ends runs of the mailing that are dead, and settles what they left as `sending`. Returns how many are in doubt.

    `folder` has the recorders of runs on this machine, of which the kernel tells whether they live. Others are dead
    after so long a silence, zero where nobody else can be sending.
    """
    dead = {
        each.id
        for each in running(ledger.database, ledger.mailing.id)
        if is_dead(each, ledger.database, folder, dead_after)
    }
    for number in dead:
        end_run(ledger.database, number)
    unsettled = ledger.unsettled()  # before: a run that begins meanwhile is then among those that live
    living = {each.id for each in running(ledger.database, ledger.mailing.id)}
    left = [each for each in unsettled if each.run not in living]
    in_doubt = 0
    runs: set[int | None] = {*dead, *(each.run for each in left)}
    for run in runs:
        outcomes = list(_outcomes(ledger, relay, folder, run, [each for each in left if each.run == run]))
        ledger.settle(run, outcomes)
        in_doubt += sum(outcome.state is State.IN_DOUBT for outcome in outcomes)
        if run is not None:
            recorder_of(folder, ledger.database, run).unlink(missing_ok=True)
    return in_doubt


def read_late_recorders(database: Database, folder: Path) -> None:
    """Ends doubts of runs on this machine that another one settled, which knew of no recorder."""
    for number, path in recorders_in(folder, database):
        mailing_id = None if is_being_written(path) else ended_here(database, number)
        if mailing_id is None:
            continue
        flights = read_record(path, run=number) or {}
        known = [each for each in unrecorded(database, mailing_id, number) if each in flights]
        if known:
            with closing(Ledger(database, mailing_with(database, mailing_id))) as ledger:
                ledger.settle(number, [_as_recorded(flights, each) for each in known])
        path.unlink(missing_ok=True)


def is_dead(running: Running, database: Database, folder: Path, dead_after: timedelta) -> bool:
    """By its recorder, where it ran on this machine, else by its silence."""
    recorder = recorder_of(folder, database, running.id)
    if is_being_written(recorder):
        return False
    return running.silence >= dead_after or read_record(recorder, run=running.id) is not None


def _outcomes(
    ledger: Ledger, relay: Relay, folder: Path, run: int | None, left: Iterable[Delivery]
) -> Iterator[Outcome]:
    if isinstance(relay, MaildirRelay) and ledger.mailing.kind is not Kind.LIVE:
        return (_as_in_folder(relay.folder, each) for each in left)
    flights = None if run is None else read_record(recorder_of(folder, ledger.database, run), run=run)
    return (_as_recorded(flights, each.id) for each in left)


def _as_in_folder(folder: Path, delivery: Delivery) -> Outcome:
    name = maildir.find(folder, delivery.message_id)
    reply = Reply(code=250, text=name) if name else None
    return Outcome(delivery_id=delivery.id, state=State.SENT if name else State.QUEUED, reply=reply)


def _as_recorded(flights: Mapping[int, Flight] | None, delivery_id: int) -> Outcome:
    if flights is None:
        return _doubt(delivery_id, UNRECORDED)
    flight = flights.get(delivery_id)
    if flight is None or flight.progress is Progress.CLAIMED:
        return Outcome(delivery_id=delivery_id, state=State.QUEUED)  # the relay never had all of it
    if flight.reply is None:
        return _doubt(delivery_id, "the run ended between the message and the relay's answer")
    state = judge(Phase.DOT, flight.reply).state
    return Outcome(
        delivery_id=delivery_id,
        state=State.QUEUED if state is State.DEFERRED else state,
        reply=None if state is State.DEFERRED else flight.reply,
    )


def _doubt(delivery_id: int, reason: str) -> Outcome:
    return Outcome(delivery_id=delivery_id, state=State.IN_DOUBT, reason=reason)
