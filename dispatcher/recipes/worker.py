"""`dispatcher worker`: scheduled issues at their hour, deferred readers when they are due, mail as it comes back."""

import signal
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta

from dispatcher.config import Settings
from dispatcher.desk import screen
from dispatcher.errors import DispatcherError, Unfinished
from dispatcher.expressions import parse
from dispatcher.recipes.inbox import Tally, inbox_of, read_inbox
from dispatcher.recipes.newsletter import Newsletter
from dispatcher.recipes.plan import Order
from dispatcher.recipes.send_issue import send_issue
from dispatcher.storage.control import due_mailings
from dispatcher.storage.database import now
from dispatcher.storage.mailings import Mailing

_BETWEEN_LOOKS = 5.0  # seconds
_PAUSE_AFTER_ERROR = timedelta(minutes=1)
_BETWEEN_INBOXES = 60.0  # seconds


def work(newsletter: Newsletter, *, is_once: bool) -> None:
    """Does what is due, until SIGTERM or Ctrl-C; with `is_once`, only what is due now."""
    ended = threading.Event()
    paused: dict[int, datetime] = {}  # mailings that failed, until when
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    reader = None
    if newsletter.settings.inbox is not None:
        if is_once:
            _read_returned(newsletter.settings, set(), ended)
        else:  # what comes back may pause an issue, so that it is read while one is on its way
            reader = threading.Thread(target=keep_reading, args=(newsletter.settings, ended), name="returned mail")
            reader.start()
    try:
        while True:
            for mailing, plan in due_mailings(newsletter.database, now()):
                if not ended.is_set() and paused.get(mailing.id, now()) <= now():
                    _go_on(newsletter, mailing, plan, paused, ended)
            if is_once or ended.wait(_BETWEEN_LOOKS):
                return
    except KeyboardInterrupt:
        return
    finally:
        ended.set()
        if reader is not None:
            reader.join()


def keep_reading(settings: Settings, ended: threading.Event) -> None:
    """Looks into the inbox every minute, until it is told to end."""
    left: set[str] = set()
    while True:
        _read_returned(settings, left, ended)
        if ended.wait(_BETWEEN_INBOXES):
            return


def _read_returned(settings: Settings, left: set[str], ended: threading.Event) -> None:
    """One pass over the inbox, but for what is left to the editor and known to be."""
    tally = Tally()
    try:
        for reading in read_inbox(settings, inbox_of(settings), but_not=left):
            tally.add(reading)
            if reading.is_left:
                left.add(reading.name)
            if ended.is_set():
                break
    except DispatcherError as error:
        screen.note(f"returned mail: {error}; tried again in a minute")
    if tally.kinds:
        screen.note(f"returned mail: {tally.sentence()}")


def _go_on(
    newsletter: Newsletter,
    mailing: Mailing,
    plan: Mapping[str, object] | None,
    paused: dict[int, datetime],
    ended: threading.Event,
) -> None:
    what = "its hour has come" if plan else "deferred readers are due"
    screen.note(f"issue {mailing.issue}: {what}", issue=mailing.issue, mailing=mailing.id)
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
        screen.note(str(error), issue=mailing.issue)
    except DispatcherError as error:
        screen.complain(f"issue {mailing.issue}: {error}; tried again in a minute", issue=mailing.issue)
        paused[mailing.id] = now() + _PAUSE_AFTER_ERROR
