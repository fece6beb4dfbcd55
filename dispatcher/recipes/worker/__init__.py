"""`dispatcher worker`: scheduled issues at their hour, deferred readers when they are due, mail as it comes back."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from datetime import datetime

from dispatcher.config import Settings
from dispatcher.desk import screen
from dispatcher.errors import DispatcherError, LedgerFailed
from dispatcher.recipes.inbox import Tally, inbox_of, read_inbox
from dispatcher.recipes.newsletter import Newsletter
from dispatcher.recipes.worker.crew import work_with_others
from dispatcher.recipes.worker.due import PAUSE_AFTER_ERROR, begin
from dispatcher.recipes.worker.ending import End
from dispatcher.recipes.worker.presence import Presence
from dispatcher.storage.control import due_mailings
from dispatcher.storage.database import now
from dispatcher.storage.runs import end_silent_workers

_BETWEEN_LOOKS = 5.0  # seconds
_BETWEEN_INBOXES = 60.0  # seconds


def work(newsletter: Newsletter, *, is_once: bool) -> None:
    """Does what is due, until SIGTERM or Ctrl-C; with `is_once`, only what is due now."""
    end = End()
    signal.signal(signal.SIGTERM, lambda *_: end.tell())
    if not is_once:
        does = "takes its part in all that is sent" if newsletter.database.is_shared else "does what is due"
        screen.note(f"worker: {does}; Ctrl-C or SIGTERM ends it")
    with _returned_mail_read(newsletter.settings, is_once=is_once), contextlib.suppress(KeyboardInterrupt):
        if newsletter.database.is_shared:
            work_with_others(newsletter, end, is_once=is_once)
            return
        presence = Presence(newsletter.database, newsletter.settings.dead_after)
        try:
            _work_alone(newsletter, presence, end, is_once=is_once)
        finally:
            presence.end()


def _work_alone(newsletter: Newsletter, presence: Presence, end: End, *, is_once: bool) -> None:
    paused: dict[int, datetime] = {}  # mailings that failed, until when
    pause = 0.0
    while not end.comes_within(pause):
        try:
            presence.give_sign()
            end_silent_workers(newsletter.database, newsletter.settings.dead_after)
            _do_what_is_due(newsletter, paused, end)
            pause = _BETWEEN_LOOKS
        except LedgerFailed as error:  # a full disk, or a locked database, may pass
            if is_once:
                raise
            screen.complain(f"{error}; tried again in a minute")
            pause = PAUSE_AFTER_ERROR.total_seconds()
        if is_once:
            return


def _do_what_is_due(newsletter: Newsletter, paused: dict[int, datetime], end: End) -> None:
    for mailing, plan in due_mailings(newsletter.database, now()):
        if not end.is_told and paused.get(mailing.id, now()) <= now():
            begin(newsletter, mailing, plan, paused, end)


@contextlib.contextmanager
def _returned_mail_read(settings: Settings, *, is_once: bool) -> Iterator[None]:
    """Reads the inbox beside what is sent: what comes back may pause an issue that is on its way."""
    ended = threading.Event()
    if settings.inbox is None:
        yield
        return
    if is_once:
        _read_returned(settings, set(), ended)
        yield
        return
    reader = threading.Thread(target=keep_reading, args=(settings, ended), name="returned mail")
    reader.start()
    try:
        yield
    finally:
        ended.set()
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
