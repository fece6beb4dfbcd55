"""The recipe of pausing: an issue of which too much comes back stops between two messages; a further run goes on."""

from datetime import datetime

from dispatcher.desk.screen import note
from dispatcher.returns.policy import alarm
from dispatcher.storage.came_back import rates_since
from dispatcher.storage.database import Database
from dispatcher.storage.pauses import go_on, pause_mailing, paused_because


def pause_where_too_much_came_back(database: Database, since: datetime) -> None:
    """Looks at the issues about which mail came back since then."""
    for rates in rates_since(database, since):
        reason = alarm(rates)
        if reason and pause_mailing(database, rates.mailing_id, reason):
            note(f"issue {rates.issue} is paused: {reason}; look at: dispatcher report {rates.issue}")


def resume(database: Database, mailing_id: int) -> None:
    """Whoever runs it again goes on, and is told what was."""
    if reason := paused_because(database, mailing_id):
        note(f"this issue was paused: {reason}; going on")
        go_on(database, mailing_id)
