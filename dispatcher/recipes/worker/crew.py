"""A worker among workers that share a database: begins what is due, and takes its part in all that is dealt out."""

from datetime import datetime, timedelta
from threading import Thread

from dispatcher.desk import screen
from dispatcher.errors import DispatcherError, LedgerFailed, LostTouch
from dispatcher.recipes.housekeeping import keep_house
from dispatcher.recipes.newsletter import Newsletter
from dispatcher.recipes.sharing import send_share
from dispatcher.recipes.worker.due import PAUSE_AFTER_ERROR, begin
from dispatcher.recipes.worker.ending import End
from dispatcher.recipes.worker.presence import Presence
from dispatcher.storage.control import due_mailings
from dispatcher.storage.database import now, require_known_tables
from dispatcher.storage.lock import holders

_BETWEEN_LOOKS = 1.0  # seconds: for what is dealt out
_LOOKS_BETWEEN_ROUNDS = 5  # of the house
_PAUSE_AFTER_LOSS = timedelta(seconds=5)
_LONGEST_PAUSE = 30.0  # seconds, while the database cannot be reached


def work_with_others(newsletter: Newsletter, end: End, *, is_once: bool) -> None:
    """Until it is told to end; with `is_once`, until nothing is dealt out any more, and raises what went wrong."""
    crew, presence = _Crew(newsletter, end), Presence(newsletter.database, newsletter.settings.dead_after)
    try:
        _work(newsletter, crew, presence, end, is_once=is_once)
    finally:  # Ctrl-C, too, lets open conversations end
        end.tell()
        crew.wait()
        presence.end()


def _work(newsletter: Newsletter, crew: "_Crew", presence: Presence, end: End, *, is_once: bool) -> None:
    failures = looks = 0
    while not end.is_told:
        try:
            require_known_tables(newsletter.database)
            presence.give_sign()
            if looks % _LOOKS_BETWEEN_ROUNDS == 0:
                crew.begin_what_is_due()
                keep_house(newsletter)
            crew.take_part()
            looks, failures = looks + 1, 0
        except LedgerFailed as error:  # a server that is restarted comes back
            if is_once:
                raise
            screen.complain(f"{error}; tried again soon")
            looks, failures = 0, failures + 1
        if crew.bug is not None:
            raise crew.bug
        if is_once and not crew.is_busy:
            if crew.failure is not None:
                raise crew.failure
            return
        end.comes_within(min(_BETWEEN_LOOKS * 2**failures, _LONGEST_PAUSE) if failures else _BETWEEN_LOOKS)


class _Crew:
    """The threads of one process, one for each mailing that it has a part in."""

    def __init__(self, newsletter: Newsletter, end: End) -> None:
        self._newsletter = newsletter
        self._end = end
        self._threads: dict[int, Thread] = {}  # by mailing
        self._paused: dict[int, datetime] = {}  # mailings that failed, until when
        self.failure: Exception | None = None  # the first
        self.bug: Exception | None = None

    @property
    def is_busy(self) -> bool:
        return any(thread.is_alive() for thread in self._threads.values())

    def wait(self) -> None:
        for thread in self._threads.values():
            thread.join()

    def begin_what_is_due(self) -> None:
        """Plans scheduled issues, one at a time, unless somebody else is planning; deferred readers need no plan."""
        from dispatcher.storage.releases import release_what_is_due  # noqa: PLC0415  its library is an extra

        for mailing, plan in due_mailings(self._newsletter.database, now()):
            is_ours = plan is not None and not self._end.is_told and not holders(self._newsletter.database)
            if is_ours and self._may_try(mailing.id):
                begin(self._newsletter, mailing, plan, self._paused, self._end)
        release_what_is_due(self._newsletter.database)

    def take_part(self) -> None:
        """In every mailing of which something is dealt out."""
        from dispatcher.storage.releases import dealt_out  # noqa: PLC0415

        for mailing_id in dealt_out(self._newsletter.database):
            thread = self._threads.get(mailing_id)
            if (thread is None or not thread.is_alive()) and self._may_try(mailing_id):
                thread = Thread(target=self._send, args=(mailing_id,), name=f"mailing {mailing_id}")
                self._threads[mailing_id] = thread
                thread.start()

    def _may_try(self, mailing_id: int) -> bool:
        return self._paused.get(mailing_id, now()) <= now()

    def _send(self, mailing_id: int) -> None:
        try:
            send_share(self._newsletter, mailing_id, lambda: self._end.is_told)
        except (LedgerFailed, LostTouch) as error:  # the next look tells whether it is there again
            screen.complain(f"{error}; tried again soon")
            self._pause(mailing_id, error, _PAUSE_AFTER_LOSS)
        except DispatcherError as error:
            screen.complain(f"{error}; tried again in a minute")
            self._pause(mailing_id, error, PAUSE_AFTER_ERROR)
        except Exception as error:  # noqa: BLE001  the main thread raises it
            self.bug = error

    def _pause(self, mailing_id: int, error: DispatcherError, pause: timedelta) -> None:
        self._paused[mailing_id] = now() + pause
        self.failure = self.failure or error
