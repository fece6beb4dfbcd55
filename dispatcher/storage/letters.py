"""The queue of small mails to one person each: a web request only writes a row, and a crash loses none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from dispatcher.storage.database import Database, now
from dispatcher.storage.schema import letter, reader_list, signup, subscriber

ONE_DAY = timedelta(days=1)
_GIVEN_UP_AFTER = timedelta(days=2)
_STUCK = timedelta(minutes=15)  # whoever claimed it is dead: an SMTP conversation is shorter


class LetterKind(StrEnum):
    """What a small mail is for; none holds a word that a visitor chose."""

    CONFIRM = "confirm"  # asks the owner of an address whether he wants to be on a list
    ALREADY = "already"  # somebody signed up an address that is on the list already
    INVITE = "invite"  # an operator asks somebody who left whether he wants to come back
    DATA = "data"  # the link to one's own data


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail that is to go out, with what its text and links need."""

    id: int
    kind: LetterKind
    email: str
    language: str
    attempts: int
    created_at: datetime
    signup_id: int | None
    signup_ref: int | None
    list_name: str | None
    subscriber_id: int | None
    subscriber_ref: int | None


def queue(
    connection: Connection,
    kind: LetterKind,
    *,
    email: str,
    address_key: str,
    language: str,
    signup_id: int | None = None,
    subscriber_id: int | None = None,
    is_withheld: bool = False,
) -> None:
    """Puts a mail into the queue; one that is withheld only leaves a trace, so that all answers cost the same."""
    at = now()
    connection.execute(
        insert(letter).values(
            kind=kind.value, email=email, address_key=address_key, language=language, signup_id=signup_id,
            subscriber_id=subscriber_id, state="withheld" if is_withheld else "queued", attempts=0, created_at=at,
            due_at=at,
        )
    )  # fmt: skip


def has_had_one(connection: Connection, address_key: str, kinds: Sequence[LetterKind], since: datetime) -> bool:
    """Whether such a mail went to the address, or is about to, since then."""
    query = select(letter.c.id).where(
        letter.c.address_key == address_key,
        letter.c.kind.in_([kind.value for kind in kinds]),
        letter.c.created_at > since,
        letter.c.state != "withheld",
    )
    return connection.execute(query.limit(1)).first() is not None


def queued_since(connection: Connection, since: datetime) -> int:
    """How many mails were asked for since then, whoever they are to."""
    query = select(func.count()).select_from(letter).where(letter.c.created_at > since, letter.c.state != "withheld")
    return connection.scalar(query) or 0


def claim_due(database: Database, at: datetime, *, limit: int) -> list[Letter]:
    """Takes mails that are due, for whoever sends them now; those of somebody who died are taken again."""
    is_due = or_(
        and_(letter.c.state == "queued", letter.c.due_at <= at),
        and_(letter.c.state == "sending", letter.c.due_at <= at - _STUCK),
    )
    with database.reading() as connection:
        if connection.execute(select(letter.c.id).where(is_due).limit(1)).first() is None:
            return []
    query = (
        select(
            letter, signup.c.ref.label("signup_ref"), reader_list.c.name.label("list_name"),
            subscriber.c.ref.label("subscriber_ref"),
        )
        .outerjoin(signup, signup.c.id == letter.c.signup_id)
        .outerjoin(reader_list, reader_list.c.id == signup.c.list_id)
        .outerjoin(subscriber, subscriber.c.id == letter.c.subscriber_id)
        .where(is_due)
        .order_by(letter.c.id)
        .limit(limit)
    )  # fmt: skip
    with database.writing() as connection:
        rows = connection.execute(query).all()
        claimed = update(letter).where(letter.c.id.in_([row.id for row in rows]))
        connection.execute(claimed.values(state="sending", due_at=at, attempts=letter.c.attempts + 1))
    return [
        Letter(
            id=row.id, kind=LetterKind(row.kind), email=row.email, language=row.language, attempts=row.attempts + 1,
            created_at=row.created_at, signup_id=row.signup_id, signup_ref=row.signup_ref, list_name=row.list_name,
            subscriber_id=row.subscriber_id, subscriber_ref=row.subscriber_ref,
        )
        for row in rows
    ]  # fmt: skip


def settle(database: Database, letter_id: int, state: str, *, reply: str | None) -> None:
    """`sent` or `refused`, with what the relay said."""
    with database.writing() as connection:
        connection.execute(update(letter).where(letter.c.id == letter_id).values(state=state, reply=reply))


def put_off(database: Database, sent: Letter, *, reply: str | None) -> None:
    """Tries again in 1, 2, 4 … minutes, for two days."""
    at = now()
    is_over = at - sent.created_at > _GIVEN_UP_AFTER
    due = at + timedelta(minutes=min(2 ** (sent.attempts - 1), 60))
    values = {"state": "refused" if is_over else "queued", "due_at": due, "reply": reply}
    with database.writing() as connection:
        connection.execute(update(letter).where(letter.c.id == sent.id).values(values))


def outcome_of(database: Database, signup_id: int) -> tuple[str, str | None]:
    """The state of the mail that asks for a sign-up, and what the relay said last."""
    query = select(letter.c.state, letter.c.reply).where(letter.c.signup_id == signup_id)
    with database.reading() as connection:
        row = connection.execute(query).one()
    return row.state, row.reply


def count_letters(database: Database) -> dict[str, int]:
    """Mails by state."""
    query = select(letter.c.state, func.count().label("letters")).group_by(letter.c.state)
    with database.reading() as connection:
        return {row.state: row.letters for row in connection.execute(query)}


def drop_old(database: Database, at: datetime) -> None:
    """Erases the traces of mails that are settled, once they no longer limit anything."""
    old = and_(letter.c.state.not_in(["queued", "sending"]), letter.c.created_at < at - _GIVEN_UP_AFTER)
    with database.reading() as connection:
        if connection.execute(select(letter.c.id).where(old).limit(1)).first() is None:
            return
    with database.writing() as connection:
        connection.execute(delete(letter).where(old))
