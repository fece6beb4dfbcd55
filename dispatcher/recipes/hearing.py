"""Has in the log what did not simply go well: by a row's number and its reader's domain, never his address."""

import logging

from dispatcher.desk.screen import Report
from dispatcher.models import Outcome, State
from dispatcher.storage.mailings import Mailing

_GOES_WELL = frozenset({State.SENT, State.QUEUED})

_log = logging.getLogger(__name__)


def logged(report: Report, mailing: Mailing) -> Report:
    def hear(outcome: Outcome) -> None:
        report(outcome)
        if outcome.state not in _GOES_WELL:
            code = outcome.reply.code if outcome.reply else None
            facts = facts_of(
                mailing, delivery=outcome.delivery_id, state=outcome.state, code=code, domain=outcome.domain,
                relay=outcome.relay,
            )  # fmt: skip
            _log.info("delivery %s", outcome.state.value.replace("_", " "), extra=facts)

    return hear


def facts_of(mailing: Mailing, **more: object) -> dict[str, object]:
    """What a line of the log says beside its sentence."""
    return {"facts": {"issue": mailing.issue, "kind": mailing.kind, "mailing": mailing.id, **more}}
