"""Erases a person: what remains is a keyed hash, and ledger rows that name nobody."""

from dataclasses import dataclass

from sqlalchemy import Connection, and_, delete, func, or_, select, update

from dispatcher.storage.database import Database
from dispatcher.storage.schema import (
    correction,
    delivery,
    event,
    intake,
    letter,
    mailing,
    membership,
    returned,
    signup,
    subscriber,
)
from dispatcher.storage.standing import Cause, Channel
from dispatcher.storage.suppressions import lay_on
from dispatcher.tokens import Keyring, new_ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    was_known: bool
    deliveries: int  # rows of the ledger that stay, without a name


def forget(database: Database, keyring: Keyring, address_key: str, by: Channel) -> Erased:
    """Erases every copy of a person in the database, its free pages included; no file brings him back."""
    with database.writing() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA secure_delete=ON")
        lay_on(connection, keyring, address_key, Cause.FORGOTTEN, by)
        person = connection.execute(
            select(subscriber.c.id, subscriber.c.email).where(subscriber.c.address_key == address_key)
        ).one_or_none()
        found = connection.scalar(select(signup.c.id).where(signup.c.address_key == address_key).limit(1))
        known = [letter.c.address_key == address_key]
        if person is not None:
            known.append(letter.c.subscriber_id == person.id)
        connection.execute(delete(letter).where(or_(*known)))
        connection.execute(delete(signup).where(signup.c.address_key == address_key))
        connection.execute(update(intake).where(func.lower(intake.c.path) == address_key).values(path="forgotten"))
        deliveries = 0 if person is None else _erase(connection, person.id, person.email)
    if database.engine.dialect.name == "sqlite":
        with database.transactions() as connection:  # the write-ahead log holds the person too
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return Erased(was_known=person is not None or found is not None, deliveries=deliveries)


def _erase(connection: Connection, subscriber_id: int, email: str) -> int:
    """Removes the person's rows; where the ledger needs one to stand on, it says nothing about him any more."""
    for table in (correction, event, membership, returned):
        connection.execute(delete(table).where(table.c.subscriber_id == subscriber_id))
    deliveries = 0
    for mailing_id in connection.scalars(select(mailing.c.id)).all():
        theirs = and_(delivery.c.mailing_id == mailing_id, delivery.c.subscriber_id == subscriber_id)
        for row in connection.execute(select(delivery.c.id, delivery.c.reply, delivery.c.reason).where(theirs)).all():
            deliveries += 1
            connection.execute(
                update(delivery)
                .where(delivery.c.id == row.id)
                .values(reply=_without(row.reply, email), reason=_without(row.reason, email))
            )
    if deliveries:
        connection.execute(
            update(subscriber)
            .where(subscriber.c.id == subscriber_id)
            .values(
                ref=new_ref(), email="", address_key=f"forgotten {subscriber_id}", domain="", name=None, language=None,
                attributes={}, agreed_to_tracking_at=None,
            )
        )  # fmt: skip
    else:
        connection.execute(delete(subscriber).where(subscriber.c.id == subscriber_id))
    return deliveries


def _without(text: str | None, email: str) -> str | None:
    """What a relay said, without the address; a local part alone may name somebody too."""
    if text is None:
        return None
    at = text.lower().find(email.lower())
    local = email.rpartition("@")[0].lower()
    return "(erased)" if at >= 0 or local in text.lower() else text
