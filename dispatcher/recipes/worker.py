"""`dispatcher worker`: sends scheduled issues when their hour comes, and tries deferred readers when they are due."""

import signal
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta

from dispatcher.desk import screen
from dispatcher.errors import DispatcherError, LedgerFailed, Unfinished
from dispatcher.expressions import parse
from dispatcher.recipes.newsletter import Newsletter
from dispatcher.recipes.plan import Order
from dispatcher.recipes.send_issue import send_issue
from dispatcher.storage.control import due_mailings
from dispatcher.storage.database import now
from dispatcher.storage.mailings import Mailing

_BETWEEN_LOOKS = 5.0  # seconds
_PAUSE_AFTER_ERROR = timedelta(minutes=1)


def work(newsletter: Newsletter, *, is_once: bool) -> None:
    """Does what is due, until SIGTERM or Ctrl-C; with `is_once`, only what is due now."""
    ended = threading.Event()
    paused: dict[int, datetime] = {}  # mailings that failed, until when
    try:
        while True:
            signal.signal(signal.SIGTERM, lambda *_: ended.set())  # a send has handlers of its own
            try:
                due = due_mailings(newsletter.database, now())
            except LedgerFailed as error:  # a server that is restarted comes back
                if is_once:
                    raise
                screen.note(f"{error}; tried again in a minute")
                if ended.wait(_PAUSE_AFTER_ERROR.total_seconds()):
                    return
                continue
            for mailing, plan in due:
                if not ended.is_set() and paused.get(mailing.id, now()) <= now():
                    _go_on(newsletter, mailing, plan, paused, ended)
            if is_once or ended.wait(_BETWEEN_LOOKS):
                return
    except KeyboardInterrupt:
        return


def _go_on(
    newsletter: Newsletter,
    mailing: Mailing,
    plan: Mapping[str, object] | None,
    paused: dict[int, datetime],
    ended: threading.Event,
) -> None:
    screen.note(f"issue {mailing.issue}: {'its hour has come' if plan else 'deferred readers are due'}")
    where = plan.get("where") if plan else None
    order = Order(
        issue=str(mailing.issue),
        list_name=str(plan["list"]) if plan else None,
        where=parse(str(where)) if where else None,
        is_confirmed=True,
        patience=timedelta(),
        skip_bad_rows=bool(plan and plan.get("skip_bad_rows")),
        is_workers=True,
        on_interrupt=ended.set,
    )
    try:
        send_issue(newsletter, order)
    except Unfinished as error:
        screen.note(str(error))
    except DispatcherError as error:
        screen.note(f"issue {mailing.issue}: {error}; tried again in a minute")
        paused[mailing.id] = now() + _PAUSE_AFTER_ERROR
