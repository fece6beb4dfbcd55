"""The recipes that account for what was sent: where issues stand, and which mailing a report speaks of."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from dispatcher.audience.people import find_person
from dispatcher.config import Settings
from dispatcher.content.source.issue import find_issue, issue_folders, issue_number
from dispatcher.desk.asked import spoken_standing
from dispatcher.desk.screen import spoken_counts
from dispatcher.desk.why import explanation
from dispatcher.errors import NotFound
from dispatcher.models import Kind, State
from dispatcher.storage.asked import Asked, asked_of
from dispatcher.storage.database import Database, find_database
from dispatcher.storage.history import story_of
from dispatcher.storage.mailings import Mailing, reported_mailing
from dispatcher.storage.reports import MailingSummary, abandoned_addresses, summaries

_RECEIPT = "receipt.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where one issue stands, in one kind of mailing; without one it has not been sent."""

    issue: int
    mailing: MailingSummary | None
    timezone: str
    is_sent_elsewhere: bool = False  # there is a receipt, and no live mailing here
    abandoned: tuple[str, ...] = ()  # whose copies were on their way when the sender died

    @property
    def sent_as(self) -> str:
        return self.standing or "not yet" if self.mailing is None else _label(self.mailing.kind)

    @property
    def when(self) -> datetime | None:
        if self.mailing is None:
            return None
        if self.mailing.asked.scheduled_at is not None:
            return None  # it has not begun
        return _local(self.mailing.handed_over_at or self.mailing.frozen_at, self.timezone)

    @property
    def standing(self) -> str | None:
        """What was asked of it, in words."""
        if self.mailing is None:
            return f"sent from another database ({_RECEIPT})" if self.is_sent_elsewhere else None
        return spoken_standing(self.mailing.asked, self.mailing.counts, self.timezone)

    def cells(self) -> list[str]:
        if self.mailing is None:
            return [str(self.issue), self.sent_as, "", ""]
        counts = spoken_counts(self.mailing.counts) if self.mailing.counts or not self.standing else None
        outcome = "; ".join(each for each in (counts, self.standing) if each)
        return [str(self.issue), self.sent_as, f"{self.when:%Y-%m-%d %H:%M}" if self.when else "", outcome]

    def plain(self) -> dict[str, object]:
        if self.mailing is None:
            return {
                "issue": self.issue,
                "kind": None,
                "handed_over_at": None,
                "standing": self.standing,
                "abandoned": [],
                "counts": {},
            }
        handed_over = self.mailing.handed_over_at
        return {
            "issue": self.issue,
            "kind": self.mailing.kind.value,
            "handed_over_at": handed_over.isoformat(timespec="seconds") if handed_over else None,
            "standing": self.standing,
            "abandoned": list(self.abandoned),
            "counts": {state.value: rows for state, rows in sorted(self.mailing.counts.items())},
        }


def issue_standings(settings: Settings, what: str | None) -> list[Standing]:
    """The newest mailing of each kind for every issue, or for one. Raises NotFound."""
    database = find_database(settings.database, settings.folder)
    with nullcontext() if database is None else closing(database):
        return standings_in(database, settings, what)


def standings_in(database: Database | None, settings: Settings, what: str | None) -> list[Standing]:
    """The same, of a database that is open, or of none. Raises NotFound."""
    folders = issue_folders(settings.folder) if what is None else [find_issue(settings.folder, what)]
    newest = {(each.issue, each.kind): each for each in summaries(database)} if database is not None else {}
    standings: list[Standing] = []
    for number, folder in sorted((issue_number(folder), folder) for folder in folders):
        found: list[MailingSummary | None] = [newest[number, kind] for kind in Kind if (number, kind) in newest]
        is_elsewhere = (number, Kind.LIVE) not in newest and (folder / _RECEIPT).exists()
        standings += [
            Standing(issue=number, mailing=each, timezone=settings.timezone, abandoned=_abandoned(database, each))
            for each in found or ([] if is_elsewhere else [None])
        ]
        if is_elsewhere:
            standings.append(Standing(issue=number, mailing=None, timezone=settings.timezone, is_sent_elsewhere=True))
    return standings


def _abandoned(database: Database | None, mailing: MailingSummary | None) -> tuple[str, ...]:
    if database is None or mailing is None or not mailing.counts.get(State.SENDING):
        return ()
    return tuple(abandoned_addresses(database, mailing.id))


@contextmanager
def reported(settings: Settings, what: str) -> Iterator[tuple[Database, Mailing]]:
    """The mailing a report on an issue speaks of: the live one, or while there is none the newest into a Maildir.

    Raises NotFound.
    """
    folder = find_issue(settings.folder, what)
    number = issue_number(folder)
    database = find_database(settings.database, settings.folder)
    if database is None:
        raise NotFound(f"issue {number} has not been sent from here")
    with closing(database):
        mailing = reported_mailing(database, number)
        if mailing is None:
            raise NotFound(f"issue {number} has not been sent to readers from here; try: send-issue {number}")
        yield database, mailing


def why(settings: Settings, address: str, what: str) -> list[str]:
    """Why a reader did or did not get an issue, a sentence a line. Raises NotFound."""
    number = issue_number(find_issue(settings.folder, what))
    database = find_database(settings.database, settings.folder)
    if database is None:
        raise NotFound(f"issue {number} has not been sent from here")
    with closing(database):
        person = find_person(database, address)
        mailing = reported_mailing(database, number)
        row = story_of(database, mailing, person.id) if mailing else None
        asked = asked_of(database, mailing.id) if mailing else Asked()
        return list(explanation(person, mailing, row, asked, issue=number, timezone=settings.timezone))


def _label(kind: Kind) -> str:
    return {Kind.LIVE: "live", Kind.MAILDIR: "trial (maildir)", Kind.STAGING: "staging"}[kind]


def _local(moment: datetime, timezone: str) -> datetime:
    return moment.astimezone(ZoneInfo(timezone))
