"""Keeps what operators ask of a mailing: to stop, to be given up, to try the refused again, to change its editions."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, String, and_, case, cast, func, insert, null, select, update

from dispatcher.models import Kind, State
from dispatcher.storage.columns import as_text
from dispatcher.storage.database import Database, now
from dispatcher.storage.mailings import Freeze, Mailing, find_mailing
from dispatcher.storage.queue import has_room, withdraw_jobs
from dispatcher.storage.readers import speaks
from dispatcher.storage.schema import delivery, edition, mailing, picture, subscriber

CANCELLED = "cancelled"
_KNOWN = ""  # somebody went on all the same


def ask_to_stop(database: Database, mailing_id: int) -> None:
    _set(database, mailing_id, stopped_at=now())


def ask_to_cancel(database: Database, mailing_id: int) -> None:
    """Stops it, and has whoever sends it know that nobody is to go on."""
    _set(database, mailing_id, stopped_at=now(), paused_because=CANCELLED)


def was_cancelled(database: Database, mailing_id: int) -> bool:
    """Whether its rest was given up, or is about to be, and nobody went on since."""
    with database.reading() as connection:
        return connection.scalar(select(mailing.c.paused_because).where(mailing.c.id == mailing_id)) == CANCELLED


def stop_because(database: Database, mailing_id: int, reason: str) -> bool:
    """Stops it of ourselves, once: who went on knows why. Returns whether this stopped it."""
    fresh = update(mailing).where(mailing.c.id == mailing_id, mailing.c.paused_because.is_(None))
    with database.writing() as connection:
        return connection.execute(fresh.values(stopped_at=now(), paused_because=reason)).rowcount == 1


def is_stopped(database: Database, mailing_id: int) -> bool:
    return why_stopped(database, mailing_id) is not None


def why_stopped(database: Database, mailing_id: int) -> str | None:
    """In words; None if it is not stopped."""
    query = select(mailing.c.stopped_at, mailing.c.paused_because).where(mailing.c.id == mailing_id)
    with database.reading() as connection:
        row = connection.execute(query).one_or_none()
    if row is None or row.stopped_at is None:
        return None
    if row.paused_because == CANCELLED:
        return CANCELLED
    return f"paused: {row.paused_because}" if row.paused_because else "stopped from outside"


def forget_stop(database: Database, mailing_id: int) -> str | None:
    """Whoever sends it goes on. Returns why it was stopped, if it was."""
    why = why_stopped(database, mailing_id)
    is_pause = (mailing.c.paused_because.is_not(None)) & (mailing.c.paused_because != CANCELLED)
    known = case((is_pause, _KNOWN), else_=None)
    _set(database, mailing_id, stopped_at=None, paused_because=known)
    return why


def cancel(database: Database, mailing_id: int) -> int:
    """Skips all that is queued or deferred, and what was scheduled. Returns how many rows; nobody may be sending."""
    done = {
        "scheduled_at": None, "scheduled": null(), "stopped_at": None, "paused_because": CANCELLED, "released_at": None,
    }  # fmt: skip
    with database.writing() as connection:
        connection.execute(update(mailing).where(mailing.c.id == mailing_id).values(done))
        if has_room(connection):
            withdraw_jobs(connection, mailing_id)
        return connection.execute(
            update(delivery)
            .where(delivery.c.mailing_id == mailing_id, delivery.c.state.in_([State.QUEUED, State.DEFERRED]))
            .values(state=State.SKIPPED, reason=CANCELLED, due_at=None, settled_at=now())
        ).rowcount


def queue_refused(database: Database, mailing_id: int) -> int:
    """Queues again whom a relay refused. Returns how many."""
    with database.writing() as connection:
        return connection.execute(
            update(delivery)
            .where(delivery.c.mailing_id == mailing_id, delivery.c.state == State.REFUSED)
            .values(
                state=State.QUEUED, code=None, reply=None, reason=None, settled_at=None, due_at=None,
                first_attempt_at=None, attempts=0,
            )
        ).rowcount  # fmt: skip


def settle_doubts(database: Database, mailing_id: int, sent: Mapping[int, str], not_sent: Sequence[int]) -> None:
    """Ends doubts: `sent` maps a delivery to why it is known to be sent; those `not_sent` are queued again."""
    with database.writing() as connection:
        for number, reason in sent.items():
            connection.execute(
                update(delivery)
                .where(_in_doubt(mailing_id), delivery.c.id == number)
                .values(state=State.SENT, reason=reason, settled_at=now())
            )
        for number in not_sent:
            connection.execute(
                update(delivery)
                .where(_in_doubt(mailing_id), delivery.c.id == number)
                .values(state=State.QUEUED, reason=None, code=None, reply=None, settled_at=None)
            )


def staged_hashes(database: Database, issue: int) -> set[str]:
    """The content hashes of editions that a relay took for a staging reader; a Maildir is none."""
    query = (
        select(edition.c.content_hash)
        .distinct()
        .join(delivery, delivery.c.edition_id == edition.c.id)
        .join(mailing, mailing.c.id == edition.c.mailing_id)
        .where(
            mailing.c.issue == issue,
            mailing.c.kind == Kind.STAGING,
            delivery.c.state == State.SENT,
            ~delivery.c.relay.startswith("/"),  # the path of a folder
        )
    )
    with database.reading() as connection:
        return set(connection.scalars(query))


def note_force(database: Database, mailing_id: int, reason: str) -> None:
    """Beside what was noted before."""
    _set(database, mailing_id, forced=func.coalesce(mailing.c.forced + "; ", "") + reason)


def force_of(database: Database, mailing_id: int) -> str | None:
    """Why the gate was passed without staging, if it was."""
    with database.reading() as connection:
        return connection.scalar(select(mailing.c.forced).where(mailing.c.id == mailing_id))


def schedule(
    database: Database, mailing_id: int, at: datetime, *, list_name: str, where: str | None, skip_bad_rows: bool
) -> None:
    """Leaves a frozen mailing to a worker, which chooses its readers at that hour."""
    plan = {"list": list_name, "where": where, "skip_bad_rows": skip_bad_rows}
    _set(database, mailing_id, scheduled_at=at, scheduled=plan, stopped_at=None)


def scheduled_at(database: Database, mailing_id: int) -> datetime | None:
    with database.reading() as connection:
        return connection.scalar(select(mailing.c.scheduled_at).where(mailing.c.id == mailing_id))


def forget_schedule(database: Database, mailing_id: int) -> None:
    _set(database, mailing_id, scheduled_at=None, scheduled=null())


def leave_to_workers(database: Database, mailing_id: int) -> None:
    """Until nobody is queued any more: so that a worker that fails, ends or dies leaves it to the next look."""
    _set(database, mailing_id, scheduled_at=func.coalesce(mailing.c.scheduled_at, as_text(now())))


def move_to_present_editions(database: Database, mailing_id: int) -> None:
    """Who is queued again after a refreeze gets the edition that took the place of his."""
    known = select(edition.c.id, edition.c.language).where(edition.c.mailing_id == mailing_id).order_by(edition.c.id)
    with database.reading() as connection:
        editions = connection.execute(known).all()
    present = {row.language: row.id for row in editions if "@" not in row.language}
    replaced = [(row.id, row.language.partition("@")[0]) for row in editions if "@" in row.language]
    if not replaced:
        return
    waits = delivery.c.state.in_([State.QUEUED, State.DEFERRED])
    with database.writing() as connection:
        for number, language in replaced:
            his = update(delivery).where(delivery.c.mailing_id == mailing_id, delivery.c.edition_id == number, waits)
            connection.execute(his.values(edition_id=present.get(language, min(present.values()))))


def due_mailings(database: Database, at: datetime) -> list[tuple[Mailing, Mapping[str, object] | None]]:
    """What a worker has to do by then: mailings whose hour has come, with their plan, and those with readers to try."""
    has_due = (
        select(delivery.c.id)
        .where(delivery.c.mailing_id == mailing.c.id, delivery.c.state == State.DEFERRED, delivery.c.due_at <= at)
        .exists()
    )
    query = (
        select(mailing.c.issue, mailing.c.kind, mailing.c.scheduled, mailing.c.scheduled_at)
        .where(
            mailing.c.kind == Kind.LIVE,
            mailing.c.stopped_at.is_(None),
            (mailing.c.scheduled_at <= at) | (and_(mailing.c.scheduled_at.is_(None), has_due)),
        )
        .order_by(mailing.c.id)
    )
    with database.reading() as connection:
        rows = connection.execute(query).all()
    found = [(find_mailing(database, row.issue, Kind(row.kind)), row) for row in rows]
    return [(each, row.scheduled if row.scheduled_at else None) for each, row in found if each is not None]


def refreeze(database: Database, mailing_id: int, frozen: Freeze, spoken: Mapping[str, Sequence[str | None]]) -> int:
    """Gives all who are still to be mailed the new editions; who was mailed keeps his. Returns how many.

    `spoken` maps each edition to the languages of the readers who get it.
    """
    with database.writing() as connection:
        connection.execute(
            update(mailing)
            .where(mailing.c.id == mailing_id)
            .values(content_hash=frozen.content_hash, sources=dict(frozen.sources), frozen_at=now())
        )
        for image in frozen.pictures:
            if connection.scalar(select(picture.c.name).where(picture.c.name == image.name)) is None:
                connection.execute(
                    insert(picture).values(name=image.name, media_type=image.media_type, content=image.content)
                )
        connection.execute(
            update(edition)
            .where(edition.c.mailing_id == mailing_id, ~edition.c.language.contains("@"))
            .values(language=edition.c.language + "@" + cast(edition.c.id, String))
        )
        moved = 0
        for each in frozen.editions:
            edition_id = connection.execute(
                insert(edition)
                .values(
                    mailing_id=mailing_id,
                    language=each.language,
                    content_hash=each.content_hash,
                    frozen=each.frozen,
                )
                .returning(edition.c.id)
            ).scalar_one()
            languages = spoken.get(each.language, ())
            moved += connection.execute(
                update(delivery)
                .where(
                    delivery.c.mailing_id == mailing_id,
                    delivery.c.state.in_([State.QUEUED, State.DEFERRED]),
                    delivery.c.subscriber_id.in_(select(subscriber.c.id).where(speaks(languages))),
                )
                .values(edition_id=edition_id)
            ).rowcount
    return moved


def languages_left(database: Database, mailing_id: int) -> dict[str | None, int]:
    """How many of those who are still to be mailed want which language."""
    query = (
        select(subscriber.c.language, func.count())
        .join(delivery, delivery.c.subscriber_id == subscriber.c.id)
        .where(delivery.c.mailing_id == mailing_id, delivery.c.state.in_([State.QUEUED, State.DEFERRED]))
        .group_by(subscriber.c.language)
    )
    with database.reading() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}


def _in_doubt(mailing_id: int) -> ColumnElement[bool]:
    return and_(delivery.c.mailing_id == mailing_id, delivery.c.state == State.IN_DOUBT)


def _set(database: Database, mailing_id: int, **values: object) -> None:
    with database.writing() as connection:
        connection.execute(update(mailing).where(mailing.c.id == mailing_id).values(values))
