"""Takes staged people in, remembers which file brought whom and what it overwrote, and undoes the last one."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from dispatcher.storage.columns import Id
from dispatcher.storage.database import Database, now
from dispatcher.storage.dialects import Patched
from dispatcher.storage.memberships import move
from dispatcher.storage.schema import (
    correction,
    delivery,
    event,
    intake,
    letter,
    mailing_list,
    membership,
    reader_list,
    subscriber,
    suppression,
)
from dispatcher.storage.staging import Fates, corrects, incoming, incoming_hash, joins, missing
from dispatcher.storage.standing import Cause, Channel, Standing
from dispatcher.storage.suppressions import cover


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    id: int
    list_id: int
    channel: Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """What taking an import back came to."""

    path: str
    list_name: str
    at: datetime
    removed: int  # people whom it had put on the list
    returned: int  # people whose lines were gone from it
    corrected: int  # people whose fields are as they were


def keep_intake(
    connection: Connection, list_id: int, path: str, channel: Channel, *, at: datetime, fates: Fates
) -> Intake:
    """Remembers that a file was read; what earlier ones of the list overwrote can no longer be undone."""
    earlier = select(intake.c.id).where(intake.c.list_id == list_id)
    connection.execute(delete(correction).where(correction.c.intake_id.in_(earlier)))
    made: int = connection.execute(
        insert(intake)
        .values(list_id=list_id, path=path, channel=channel.value, at=at, added=fates.joined, changed=fates.changed)
        .returning(intake.c.id)
    ).scalar_one()
    return Intake(id=made, list_id=list_id, channel=channel)


def take_in(
    connection: Connection, into: Intake, *, at: datetime, fates: Fates, has_name: bool, has_language: bool
) -> None:
    """Corrects, adds, puts on the list, and suppresses whom the file says nobody may mail; as far as there are any."""
    if fates.changed:
        _correct(connection, into, has_name=has_name, has_language=has_language)
    if fates.joined:
        _add(connection, at)
        _join(connection, into, at)
    if fates.forbidden:
        _forbid(connection, into.channel, at)


def end_missing(connection: Connection, list_id: int, at: datetime) -> None:
    """Ends the memberships that came from the list's file and whose line is gone."""
    gone = missing(list_id)
    columns = ["at", "subscriber_id", "list_id", "kind", "channel"]
    connection.execute(
        insert(event).from_select(
            columns,
            select(
                literal(at, event.c.at.type), membership.c.subscriber_id, membership.c.list_id,
                literal(Standing.REMOVED.value), literal(Channel.FILE.value),
            ).where(*gone),
        )
    )  # fmt: skip
    connection.execute(update(membership).where(*gone).values(state=Standing.REMOVED.value, changed_at=at, until=None))


def undo(database: Database, list_name: str | None) -> Undone | None:
    """Takes the newest import back, of one list or of all; None if there is none, or it has been taken back already.

    Who has left, bounced, complained or confirmed since stays as he is. Suppressions that came with the file stay.
    """
    newest = (
        select(intake, reader_list.c.name)
        .join(reader_list, reader_list.c.id == intake.c.list_id)
        .order_by(intake.c.id.desc())
        .limit(1)
    )
    with database.writing() as connection:
        found = connection.execute(
            newest if list_name is None else newest.where(reader_list.c.name == list_name)
        ).one_or_none()
        if found is None or found.undone_at is not None:
            return None
        at = now()
        corrected = _uncorrect(connection, found.id)
        brought = [
            membership.c.intake_id == found.id,
            membership.c.changed_at == found.at,
            membership.c.confirmed_at.is_(None) | (membership.c.confirmed_at < found.at),
        ]
        removed = len(move(connection, brought, Standing.REMOVED, Channel.UNDO, at=at))
        ended = (
            select(event.c.subscriber_id)
            .where(event.c.list_id == found.list_id, event.c.at == found.at, event.c.kind == Standing.REMOVED.value)
            .scalar_subquery()
        )
        lost = [
            membership.c.list_id == found.list_id,
            membership.c.changed_at == found.at,
            membership.c.subscriber_id.in_(ended),
        ]
        returned = len(move(connection, lost, Standing.ACTIVE, Channel.UNDO, at=at, kind="returned"))
        _erase_unknown(connection, found.id, found.at)
        connection.execute(update(intake).where(intake.c.id == found.id).values(undone_at=at))
    return Undone(
        path=found.path, list_name=found.name, at=found.at, removed=removed, returned=returned, corrected=corrected
    )


def _correct(connection: Connection, into: Intake, *, has_name: bool, has_language: bool) -> None:
    differs = and_(incoming.c.subscriber_id == subscriber.c.id, corrects(has_name=has_name, has_language=has_language))
    overwritten = select(
        literal(into.id), subscriber.c.id, subscriber.c.name, subscriber.c.language, subscriber.c.attributes
    ).where(differs)
    columns = ["intake_id", "subscriber_id", "name", "language", "attributes"]
    connection.execute(insert(correction).from_select(columns, overwritten))
    connection.execute(
        update(subscriber)
        .where(differs)
        .values(
            name=incoming.c.name if has_name else subscriber.c.name,
            language=incoming.c.language if has_language else subscriber.c.language,
            attributes=Patched(subscriber.c.attributes, incoming.c.attributes),
        )
    )


def _add(connection: Connection, at: datetime) -> None:
    """People whom nobody knew."""
    new = and_(incoming.c.subscriber_id.is_(None), joins())
    columns = ["ref", "email", "address_key", "domain", "name", "language", "attributes", "created_at"]
    connection.execute(
        insert(subscriber).from_select(
            columns,
            select(
                incoming.c.ref, incoming.c.email, incoming.c.address_key, incoming.c.domain, incoming.c.name,
                incoming.c.language, Patched(literal({}, incoming.c.attributes.type), incoming.c.attributes),
                literal(at, subscriber.c.created_at.type),
            )
            .where(new)
            .order_by(incoming.c.line),
        )
    )  # fmt: skip
    person = select(subscriber.c.id).where(subscriber.c.address_key == incoming.c.address_key).scalar_subquery()
    connection.execute(update(incoming).where(new).values(subscriber_id=person))


def _join(connection: Connection, into: Intake, at: datetime) -> None:
    moment, channel = literal(at, membership.c.changed_at.type), literal(into.channel.value)
    is_new = and_(joins(), incoming.c.standing.is_(None))
    comes_back = and_(joins(), incoming.c.standing.is_not(None))
    for which, kind in ((is_new, "joined"), (comes_back, "returned")):
        connection.execute(
            insert(event).from_select(
                ["at", "subscriber_id", "list_id", "kind", "channel"],
                select(moment, incoming.c.subscriber_id, literal(into.list_id), literal(kind), channel).where(which),
            )
        )
    columns = [
        "list_id", "subscriber_id", "state", "source", "changed_at", "intake_id", "consented_at", "confirmed_at",
    ]  # fmt: skip
    connection.execute(
        insert(membership).from_select(
            columns,
            select(
                literal(into.list_id), incoming.c.subscriber_id, literal(Standing.ACTIVE.value), channel, moment,
                literal(into.id), incoming.c.consented_at, incoming.c.confirmed_at,
            )
            .where(is_new)
            .order_by(incoming.c.subscriber_id),
        )
    )  # fmt: skip
    connection.execute(
        update(membership)
        .where(
            membership.c.list_id == into.list_id, membership.c.subscriber_id == incoming.c.subscriber_id, comes_back
        )
        .values(
            state=Standing.ACTIVE.value, source=into.channel.value, changed_at=at, intake_id=into.id,
            consented_at=func.coalesce(incoming.c.consented_at, membership.c.consented_at),
        )
    )  # fmt: skip


def _forbid(connection: Connection, by: Channel, at: datetime) -> None:
    """Suppresses by the file's own word; an address that is suppressed already stays as it is."""
    news = and_(incoming.c.cause.is_not(None), incoming.c.is_barred.is_(None))
    connection.execute(
        insert(suppression).from_select(
            ["hash", "cause", "at", "channel"],
            select(incoming_hash.c.hash, incoming.c.cause, literal(at, suppression.c.at.type), literal(by.value))
            .join(incoming, incoming.c.line == incoming_hash.c.line)
            .where(news, incoming_hash.c.rank == 0),
        )
    )
    for cause in Cause:
        named = select(incoming.c.subscriber_id).where(news, incoming.c.cause == cause.value)
        cover(connection, subscriber.c.id.in_(named.scalar_subquery()), cause, by, at=at)


def _uncorrect(connection: Connection, intake_id: int) -> int:
    """Puts fields back."""
    ours = and_(correction.c.intake_id == intake_id, correction.c.subscriber_id == subscriber.c.id)
    corrected = connection.execute(
        update(subscriber)
        .where(ours)
        .values(name=correction.c.name, language=correction.c.language, attributes=correction.c.attributes)
    ).rowcount
    connection.execute(delete(correction).where(correction.c.intake_id == intake_id))
    return corrected


def _erase_unknown(connection: Connection, intake_id: int, at: datetime) -> None:
    """Forgets people whom only this import knew, unless they were mailed meanwhile: their links must go on working."""
    mailed = (
        select(delivery.c.subscriber_id)
        .join(mailing_list, mailing_list.c.mailing_id == delivery.c.mailing_id)
        .where(mailing_list.c.enqueued_at >= at)
    )
    is_on_a_list = exists().where(
        membership.c.subscriber_id == subscriber.c.id,
        or_(membership.c.state != Standing.REMOVED.value, membership.c.intake_id.is_distinct_from(intake_id)),
    )
    unknown = Table(
        "unknown", MetaData(), Column("id", Id, primary_key=True, autoincrement=False), prefixes=["TEMPORARY"]
    )
    unknown.create(connection)
    connection.execute(
        insert(unknown).from_select(
            ["id"],
            select(subscriber.c.id).where(
                subscriber.c.created_at == at,
                subscriber.c.id.not_in(mailed),
                subscriber.c.id.not_in(select(letter.c.subscriber_id).where(letter.c.subscriber_id.is_not(None))),
                ~is_on_a_list,
            ),
        )
    )
    for column in (event.c.subscriber_id, membership.c.subscriber_id, subscriber.c.id):
        connection.execute(delete(column.table).where(column.in_(select(unknown.c.id))))
    unknown.drop(connection)
