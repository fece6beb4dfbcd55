"""`dispatcher worker`: scheduled issues at their hour, deferred readers when they are due, mail as it comes back."""

import contextlib
import signal
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue

from dispatcher.config import Settings
from dispatcher.desk import screen
from dispatcher.errors import DispatcherError, LedgerFailed, Unfinished
from dispatcher.expressions import parse
from dispatcher.recipes.inbox import Tally, inbox_of, read_inbox
from dispatcher.recipes.newsletter import Newsletter
from dispatcher.recipes.order import Order
from dispatcher.recipes.send_issue import send_issue
from dispatcher.storage.control import due_mailings
from dispatcher.storage.database import now
from dispatcher.storage.mailings import Mailing

_BETWEEN_LOOKS = 5.0  # seconds
_PAUSE_AFTER_ERROR = timedelta(minutes=1)
_BETWEEN_INBOXES = 60.0  # seconds


class _End:
    """Whether a signal asked us to end; told from its handler, where a threading.Event might wait for itself."""

    def __init__(self) -> None:
        self._told: SimpleQueue[None] = SimpleQueue()

    def tell(self) -> None:
        self._told.put(None)

    @property
    def is_told(self) -> bool:
        return not self._told.empty()

    def comes_within(self, seconds: float) -> bool:
        try:
            self._told.get(timeout=seconds)
        except Empty:
            return False
        self.tell()  # to whoever asks next
        return True


def work(newsletter: Newsletter, *, is_once: bool) -> None:
    """Does what is due, until SIGTERM or Ctrl-C; with `is_once`, only what is due now."""
    end = _End()
    signal.signal(signal.SIGTERM, lambda *_: end.tell())
    if not is_once:
        screen.note(f"worker: looks every {_BETWEEN_LOOKS:.0f} s for what is due; Ctrl-C or SIGTERM ends it")
    with _returned_mail_read(newsletter.settings, is_once=is_once), contextlib.suppress(KeyboardInterrupt):
        paused: dict[int, datetime] = {}  # mailings that failed, until when
        pause = 0.0
        while not end.comes_within(pause):
            try:
                _do_what_is_due(newsletter, paused, end)
                pause = _BETWEEN_LOOKS
            except LedgerFailed as error:  # a server that is restarted comes back
                if is_once:
                    raise
                screen.complain(f"{error}; tried again in a minute")
                pause = _PAUSE_AFTER_ERROR.total_seconds()
            if is_once:
                return


def _do_what_is_due(newsletter: Newsletter, paused: dict[int, datetime], end: _End) -> None:
    for mailing, plan in due_mailings(newsletter.database, now()):
        if not end.is_told and paused.get(mailing.id, now()) <= now():
            _go_on(newsletter, mailing, plan, paused, end)


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


def _go_on(
    newsletter: Newsletter,
    mailing: Mailing,
    plan: Mapping[str, object] | None,
    paused: dict[int, datetime],
    end: _End,
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
        only_left=plan is None,
        is_workers=True,
        on_interrupt=end.tell,
    )
    try:
        send_issue(newsletter, order)
    except Unfinished as error:
        screen.note(str(error), issue=mailing.issue)
        paused[mailing.id] = now() + _PAUSE_AFTER_ERROR
    except DispatcherError as error:
        screen.complain(f"issue {mailing.issue}: {error}; tried again in a minute", issue=mailing.issue)
        paused[mailing.id] = now() + _PAUSE_AFTER_ERROR
