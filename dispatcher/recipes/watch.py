"""The recipe of `dispatcher status --watch`: looks at all issues again and again, until somebody has seen enough."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from dispatcher.config import Settings
from dispatcher.desk.watch import IssueSeen, Look, Rates, Show
from dispatcher.recipes.accounts import Standing, standings_in
from dispatcher.storage.control import why_stopped
from dispatcher.storage.database import Database, find_database
from dispatcher.storage.lock import senders

_REST = 10.0  # times what a look took, until the next one: to look must not slow down what is looked at


def watch(
    settings: Settings,
    what: str | None,
    show: Show,
    *,
    every: float,
    ticks: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Shows how issues stand, every so many seconds, until Ctrl-C. Raises NotFound, LedgerFailed."""
    rates = Rates()
    database: Database | None = None
    try:
        while True:
            begun = ticks()
            database = database or find_database(settings.database, settings.folder)
            show(_look(settings, what, database, rates, begun))
            wait(max(every, (ticks() - begun) * _REST))
    except KeyboardInterrupt:
        return
    finally:
        if database is not None:
            database.close()


def _look(settings: Settings, what: str | None, database: Database | None, rates: Rates, ticks: float) -> Look:
    return Look(
        newsletter=settings.name or settings.folder.name,
        at=datetime.now(UTC).astimezone(ZoneInfo(settings.timezone)),
        issues=[_seen(each, database, rates, ticks) for each in standings_in(database, settings, what)],
        senders=senders(database) if database is not None else [],
    )


def _seen(standing: Standing, database: Database | None, rates: Rates, ticks: float) -> IssueSeen:
    mailing = standing.mailing
    if mailing is None or database is None:
        return IssueSeen(issue=standing.issue, sent_as=standing.sent_as, when=None, counts={})
    seen = IssueSeen(
        issue=standing.issue,
        sent_as=standing.sent_as,
        when=standing.when,
        counts=mailing.counts,
        halted=why_stopped(database, mailing.id),
    )
    return replace(seen, per_second=rates.note(mailing.id, ticks, seen.done))
