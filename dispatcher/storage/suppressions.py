"""Keeps addresses from all lists, above whatever the lists and later files say: by a keyed hash that names nobody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, case, delete, func, insert, select, update
from sqlalchemy.sql import ColumnElement

from dispatcher.storage.database import Database, now
from dispatcher.storage.memberships import move, remember
from dispatcher.storage.schema import membership, subscriber, suppression
from dispatcher.storage.standing import MAY_LIFT, STANDING_OF, Cause, Channel, Standing
from dispatcher.tokens import Keyring, address_hashes

_MAILED_AGAIN = (Standing.ACTIVE.value, Standing.PAUSED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    cause: Cause
    at: datetime
    channel: str
    note: str | None


def suppress(
    database: Database, keyring: Keyring, address_key: str, cause: Cause, by: Channel, *, note: str | None = None
) -> bool:
    """Nobody mails this address any more; a stronger cause replaces another. Returns whether that is news."""
    with database.writing() as connection:
        return lay_on(connection, keyring, address_key, cause, by, note=note)


def lay_on(
    connection: Connection, keyring: Keyring, address_key: str, cause: Cause, by: Channel, *, note: str | None = None
) -> bool:
    """As `suppress`, in the caller's transaction."""
    at = now()
    found = suppression_of(connection, keyring, address_key)
    if found is not None and not _binds_stronger(cause, found.cause):
        return False
    connection.execute(delete(suppression).where(_of(keyring, address_key)))
    connection.execute(
        insert(suppression).values(
            hash=address_hashes(keyring, address_key)[0], cause=cause.value, at=at, channel=by.value, note=note
        )
    )
    cover(connection, subscriber.c.address_key == address_key, cause, by, at=at, note=note)
    return True


def cover(
    connection: Connection,
    who: ColumnElement[bool],
    cause: Cause,
    by: Channel,
    *,
    at: datetime,
    note: str | None = None,
) -> None:
    """Brings the memberships of suppressed people in line; what they were before is kept for when it is lifted."""
    standing = STANDING_OF[cause]
    ids = select(subscriber.c.id).where(who).scalar_subquery()
    which = [membership.c.subscriber_id.in_(ids)]
    # Who has just left can no longer take it back: he would be mailed though his address is suppressed.
    has_gone = [*which, membership.c.state == Standing.UNSUBSCRIBED]
    connection.execute(update(membership).where(*has_gone).values(resumes=None))
    if standing is Standing.UNSUBSCRIBED:  # there is nothing to go back to: who left comes back by himself
        move(connection, which, standing, by, at=at, note=note)
        return
    has_left = membership.c.state == Standing.UNSUBSCRIBED
    earlier = case((has_left, membership.c.state), else_=func.coalesce(membership.c.resumes, membership.c.state))
    moved = move(connection, which, standing, by, at=at, note=note, resumes=earlier, until=membership.c.until)
    if not moved:
        people = connection.scalars(select(subscriber.c.id).where(who)).all()
        remember(connection, [(each, None) for each in people], kind=standing, by=by, at=at, note=note)


def lift(
    database: Database, keyring: Keyring, address_key: str, by: Channel, *, note: str | None = None
) -> Suppression | None:
    """Lifts what keeps an address from all lists, if this channel may. Returns what it was, None if nothing was."""
    with database.writing() as connection:
        return lift_off(connection, keyring, address_key, by, note=note)


def lift_off(
    connection: Connection, keyring: Keyring, address_key: str, by: Channel, *, note: str | None = None
) -> Suppression | None:
    """As `lift`, in the caller's transaction."""
    found = suppression_of(connection, keyring, address_key)
    if found is None or by not in MAY_LIFT[found.cause]:
        return None
    connection.execute(delete(suppression).where(_of(keyring, address_key)))
    person: int | None = connection.scalar(select(subscriber.c.id).where(subscriber.c.address_key == address_key))
    if person is not None:
        at = now()
        covered = [
            membership.c.subscriber_id == person,
            membership.c.resumes.is_not(None),
            membership.c.state != Standing.UNSUBSCRIBED,
        ]
        back = select(membership.c.list_id).where(*covered, membership.c.resumes.in_(_MAILED_AGAIN))
        returning = [(person, list_id) for list_id in connection.scalars(back)]
        connection.execute(
            update(membership).where(*covered).values(state=membership.c.resumes, resumes=None, changed_at=at)
        )
        remember(connection, [(person, None)], kind="lifted", by=by, at=at, note=note)
        remember(connection, returning, kind="returned", by=by, at=at)
    return found


def find_suppression(database: Database, keyring: Keyring, address_key: str) -> Suppression | None:
    with database.reading() as connection:
        return suppression_of(connection, keyring, address_key)


def suppression_of(connection: Connection, keyring: Keyring, address_key: str) -> Suppression | None:
    row = connection.execute(select(suppression).where(_of(keyring, address_key))).first()
    if row is None:
        return None
    return Suppression(cause=Cause(row.cause), at=row.at, channel=row.channel, note=row.note)


def count_suppressions(database: Database) -> dict[str, int]:
    """How many addresses are kept from all lists, by cause."""
    query = select(suppression.c.cause, func.count().label("addresses")).group_by(suppression.c.cause)
    with database.reading() as connection:
        return {row.cause: row.addresses for row in connection.execute(query)}


def _of(keyring: Keyring, address_key: str) -> ColumnElement[bool]:
    hashes: Sequence[str] = address_hashes(keyring, address_key)
    return suppression.c.hash.in_(hashes)


def _binds_stronger(new: Cause, old: Cause) -> bool:
    return len(MAY_LIFT[new]) < len(MAY_LIFT[old])
