"""Settles what a run that is over left unsettled: as its flight recorder or the Maildir know it, else in doubt."""

from collections.abc import Mapping
from pathlib import Path

from dispatcher.delivery import maildir
from dispatcher.delivery.recorder import Flight, Progress, is_being_written, read_record
from dispatcher.delivery.relay import MaildirRelay, Relay
from dispatcher.delivery.verdicts import Phase, judge
from dispatcher.errors import Unfinished
from dispatcher.models import Delivery, Kind, Outcome, Reply, State
from dispatcher.storage.ledger import Ledger


def recover(ledger: Ledger, relay: Relay, recorder: Path) -> int:
    """Settles rows that a dead run left as `sending`. Returns how many are in doubt."""
    if is_being_written(recorder):
        raise Unfinished("another run on this machine still has messages on their way; wait for it, or end it")
    unsettled = ledger.unsettled()
    if isinstance(relay, MaildirRelay) and ledger.mailing.kind is not Kind.LIVE:
        outcomes = [_as_in_folder(relay.folder, each) for each in unsettled]
    else:
        flights = read_record(recorder, run=ledger.last_run())
        outcomes = [_as_recorded(flights, each) for each in unsettled]
    if outcomes:
        ledger.commit(outcomes, [])
    recorder.unlink(missing_ok=True)
    return sum(outcome.state is State.IN_DOUBT for outcome in outcomes)


def _as_in_folder(folder: Path, delivery: Delivery) -> Outcome:
    name = maildir.find(folder, delivery.message_id)
    reply = Reply(code=250, text=name) if name else None
    return Outcome(delivery_id=delivery.id, state=State.SENT if name else State.QUEUED, reply=reply)


def _as_recorded(flights: Mapping[int, Flight] | None, delivery: Delivery) -> Outcome:
    if flights is None:
        return _doubt(delivery, "the run ended before the relay's answer was recorded")
    flight = flights.get(delivery.id)
    if flight is None or flight.progress is Progress.CLAIMED:
        return Outcome(delivery_id=delivery.id, state=State.QUEUED)  # the relay never had all of it
    if flight.reply is None:
        return _doubt(delivery, "the run ended between the message and the relay's answer")
    state = judge(Phase.DOT, flight.reply).state
    return Outcome(
        delivery_id=delivery.id,
        state=State.QUEUED if state is State.DEFERRED else state,
        reply=None if state is State.DEFERRED else flight.reply,
    )


def _doubt(delivery: Delivery, reason: str) -> Outcome:
    return Outcome(delivery_id=delivery.id, state=State.IN_DOUBT, reason=reason)
