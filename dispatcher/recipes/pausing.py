"""The recipe of pausing: an issue of which too much comes back stops between two messages, till `send-issue` is run."""

from datetime import datetime

from dispatcher.desk.screen import note
from dispatcher.returns.policy import alarm
from dispatcher.storage.came_back import rates_since
from dispatcher.storage.control import stop_because
from dispatcher.storage.database import Database


def pause_where_too_much_came_back(database: Database, since: datetime) -> None:
    """Looks at the issues about which mail came back since then."""
    for rates in rates_since(database, since):
        reason = alarm(rates)
        if reason and stop_because(database, rates.mailing_id, reason):
            note(f"issue {rates.issue} is paused: {reason}; look at: dispatcher report {rates.issue}")
