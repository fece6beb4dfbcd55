"""Remembers who asked for an address to be put on a list, and puts it there once its owner has said so."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, delete, insert, select, update

from dispatcher.storage.database import Database, now
from dispatcher.storage.memberships import list_for, remember
from dispatcher.storage.schema import letter, membership, reader_list, signup, subscriber
from dispatcher.storage.standing import MAY_LIFT, Channel, Standing, may_move
from dispatcher.storage.suppressions import lift_off, suppression_of
from dispatcher.tokens import Keyring, new_ref

KEPT = timedelta(days=7)
"""How long a sign-up waits for its confirmation; then nothing of it is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """An address that somebody wants on a list, and how he came to say so."""

    email: str
    address_key: str
    domain: str
    list_name: str
    language: str | None
    channel: Channel
    wording: str  # names the words that he was shown
    network: str | None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A sign-up as the page that confirms it needs it."""

    id: int
    email: str
    lists: tuple[str, ...]  # that were asked for together
    language: str | None
    is_confirmed: bool


class Welcome(StrEnum):
    """What confirming came to."""

    JOINED = "joined"  # active on the list now
    ALREADY = "already"  # the link was used before; not a promise that the reader is still on the list
    BARRED = "barred"  # kept from all lists by an operator or a complaint; only an operator lifts that


def ask(connection: Connection, wish: Wish, *, at: datetime) -> int:
    """Remembers a sign-up, in place of an older one that nobody confirmed; those of one time are confirmed together.

    Returns its id.
    """
    list_id = list_for(connection, wish.list_name)
    older = select(signup.c.id).where(
        signup.c.address_key == wish.address_key, signup.c.list_id == list_id, signup.c.confirmed_at.is_(None)
    )
    unsent = connection.scalars(older).all()
    connection.execute(update(letter).where(letter.c.signup_id.in_(unsent)).values(signup_id=None, state="withheld"))
    connection.execute(delete(signup).where(signup.c.id.in_(unsent)))
    made: int = connection.execute(
        insert(signup)
        .values(
            ref=new_ref(), address_key=wish.address_key, email=wish.email, domain=wish.domain, list_id=list_id,
            name=wish.name, language=wish.language, channel=wish.channel.value, wording=wish.wording,
            network=wish.network, asked_at=at,
        )
        .returning(signup.c.id)
    ).scalar_one()  # fmt: skip
    return made


def find_signup(database: Database, signup_id: int, ref: int) -> Pending | None:
    """Whom a confirmation link names."""
    query = select(signup).where(signup.c.id == signup_id, signup.c.ref == ref)
    with database.reading() as connection:
        row = connection.execute(query).one_or_none()
        if row is None:
            return None
        names = connection.scalars(
            select(reader_list.c.name)
            .join(signup, signup.c.list_id == reader_list.c.id)
            .where(signup.c.address_key == row.address_key, signup.c.asked_at == row.asked_at)
            .order_by(reader_list.c.name)
        ).all()
    return Pending(
        id=row.id,
        email=row.email,
        lists=tuple(names),
        language=row.language,
        is_confirmed=row.confirmed_at is not None,
    )


def confirm(database: Database, keyring: Keyring, signup_id: int) -> Welcome:
    """Puts the address on the list, as its owner wishes who followed the link; later calls change nothing."""
    with database.writing() as connection:
        wish = connection.execute(select(signup).where(signup.c.id == signup_id)).one()
        if wish.confirmed_at is not None:
            return Welcome.ALREADY
        if not _let_in(connection, keyring, wish.address_key):
            return Welcome.BARRED
        at = now()
        person = _person(connection, wish, at)
        together = [signup.c.address_key == wish.address_key, signup.c.asked_at == wish.asked_at]
        for each in connection.execute(select(signup).where(*together)).all():
            welcome(
                connection, person, each.list_id, at=at, asked_at=each.asked_at, wording=each.wording,
                network=each.network,
            )  # fmt: skip
        connection.execute(update(signup).where(*together).values(confirmed_at=at, name=None))
    return Welcome.JOINED


def welcome(
    connection: Connection,
    subscriber_id: int,
    list_id: int,
    *,
    at: datetime,
    asked_at: datetime,
    wording: str | None,
    network: str | None,
) -> None:
    """Makes somebody active on a list by his own word, and keeps what he agreed to."""
    one = (membership.c.list_id == list_id, membership.c.subscriber_id == subscriber_id)
    state = connection.scalar(select(membership.c.state).where(*one))
    values = {
        "source": Channel.CONFIRMED.value, "consented_at": asked_at, "confirmed_at": at, "wording": wording,
        "network": network,
    }  # fmt: skip
    if state is None:
        connection.execute(
            insert(membership).values(
                list_id=list_id, subscriber_id=subscriber_id, state=Standing.ACTIVE.value, changed_at=at, **values
            )
        )
        remember(connection, [(subscriber_id, list_id)], kind="joined", by=Channel.CONFIRMED, at=at)
    elif state == Standing.ACTIVE:
        connection.execute(update(membership).where(*one).values(values))
        remember(connection, [(subscriber_id, list_id)], kind="confirmed", by=Channel.CONFIRMED, at=at)
    elif may_move(Standing(state), Standing.ACTIVE, Channel.CONFIRMED):
        back = {"state": Standing.ACTIVE.value, "changed_at": at, "until": None, "resumes": None, **values}
        connection.execute(update(membership).where(*one).values(back))
        remember(connection, [(subscriber_id, list_id)], kind="returned", by=Channel.CONFIRMED, at=at)
    connection.execute(update(subscriber).where(subscriber.c.id == subscriber_id).values(left_at=None))


def join_by_own_word(
    database: Database,
    keyring: Keyring,
    subscriber_id: int,
    list_id: int,
    *,
    wording: str,
    network: str | None,
) -> bool:
    """The reader, on the page that was mailed to him, puts himself on a further list; False if an operator must."""
    at = now()
    with database.writing() as connection:
        key = connection.execute(select(subscriber.c.address_key).where(subscriber.c.id == subscriber_id)).scalar_one()
        if not _let_in(connection, keyring, key):
            return False
        welcome(connection, subscriber_id, list_id, at=at, asked_at=at, wording=wording, network=network)
    return True


def drop_stale(database: Database, at: datetime) -> int:
    """Erases sign-ups that nobody confirmed in time, and those that were and are over. Returns how many."""
    old = select(signup.c.id).where(signup.c.asked_at < at - KEPT)
    with database.reading() as connection:
        if connection.execute(old.limit(1)).first() is None:
            return 0
    with database.writing() as connection:
        connection.execute(delete(letter).where(letter.c.signup_id.in_(old)))
        return connection.execute(delete(signup).where(signup.c.asked_at < at - KEPT)).rowcount


def _let_in(connection: Connection, keyring: Keyring, address_key: str) -> bool:
    """Lifts what its owner may lift of what keeps an address from all lists; False if something stays."""
    found = suppression_of(connection, keyring, address_key)
    if found is None:
        return True
    if Channel.CONFIRMED not in MAY_LIFT[found.cause]:
        return False
    lift_off(connection, keyring, address_key, Channel.CONFIRMED)
    return True


def _person(connection: Connection, wish: object, at: datetime) -> int:
    key: str = wish.address_key  # type: ignore[attr-defined]
    known: int | None = connection.scalar(select(subscriber.c.id).where(subscriber.c.address_key == key))
    if known is not None:
        return known
    made: int = connection.execute(
        insert(subscriber)
        .values(
            ref=new_ref(), email=wish.email, address_key=key, domain=wish.domain, name=wish.name,  # type: ignore[attr-defined]
            language=wish.language, attributes={}, created_at=at,  # type: ignore[attr-defined]
        )
        .returning(subscriber.c.id)
    ).scalar_one()  # fmt: skip
    return made
