"""Settles what a run that is over left unsettled: sent where that can be known, else in doubt."""

from dispatcher.delivery import maildir
from dispatcher.delivery.relay import MaildirRelay, Relay
from dispatcher.models import Outcome, Reply, State
from dispatcher.storage.ledger import Ledger


def recover(ledger: Ledger, relay: Relay) -> int:
    """Settles rows that a dead run left as `sending`. A Maildir knows what it has; else they are in doubt.

    Returns how many are in doubt.
    """
    if not isinstance(relay, MaildirRelay):
        return ledger.doubt_unsettled("the run ended before the relay's answer was recorded")
    outcomes = []
    for delivery in ledger.unsettled():
        name = maildir.find(relay.folder, delivery.message_id)
        reply = Reply(code=250, text=name) if name else None
        outcomes.append(Outcome(delivery_id=delivery.id, state=State.SENT if name else State.QUEUED, reply=reply))
    ledger.commit(outcomes, [])
    return 0
