"""The table into which a file is read before anything is changed, and what becomes of each of its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.sql import ColumnElement

from dispatcher.errors import Fault
from dispatcher.storage.columns import Id, Json, Moment, words
from dispatcher.storage.dialects import Patched
from dispatcher.storage.schema import membership, subscriber, suppression
from dispatcher.storage.standing import Cause, Channel, Standing, origins

Row = tuple[object, ...]
"""Of `incoming`, up to `confirmed_at`; times and attributes as the database keeps them."""

_staged = MetaData()

incoming = Table(
    "incoming",
    _staged,
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("address_key", words(320), nullable=False),
    Column("email", words(320), nullable=False),
    Column("domain", words(255), nullable=False),
    Column("name", words()),
    Column("language", words(35)),
    Column("attributes", Json, nullable=False),
    Column("ref", BigInteger, nullable=False),
    Column("cause", words(16)),  # the file itself says that nobody may mail this address
    Column("consented_at", Moment),
    Column("confirmed_at", Moment),
    # What `classify` finds out:
    Column("subscriber_id", Id),
    Column("standing", words(16)),  # to the list
    Column("away", words(16)),  # why he is not brought in
    Column("is_barred", Integer),  # 1: the address is suppressed
    prefixes=["TEMPORARY"],
)
incoming_hash = Table(
    "incoming_hash",
    _staged,
    Column("line", Integer, nullable=False),
    Column("rank", Integer, nullable=False),  # of the secret that made it; the first is today's
    Column("hash", words(32), nullable=False),
    prefixes=["TEMPORARY"],
)
_FILLED = [column.name for column in incoming.c][:11]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fates:
    """How many rows of a file end how."""

    joined: int
    changed: int
    unchanged: int
    forbidden: int  # the file itself says that nobody may mail them
    away: Mapping[str, int]  # who is not brought in, by the reason


def make_tables(connection: Connection) -> None:
    drop_tables(connection)
    _staged.create_all(connection, checkfirst=False)


def drop_tables(connection: Connection) -> None:
    for table in (incoming, incoming_hash):
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table.name}")


def fill(connection: Connection, rows: Sequence[Row], hashes: Sequence[tuple[int, int, str]]) -> None:
    """Adds rows as the driver takes them, which is several times faster."""
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(_FILLED))
        connection.exec_driver_sql(
            f"INSERT INTO incoming ({', '.join(_FILLED)}) VALUES ({marks})",  # noqa: S608  constants
            list(rows),
        )
        connection.exec_driver_sql("INSERT INTO incoming_hash VALUES (?, ?, ?)", list(hashes))
        return
    cursor: Any = connection.connection.cursor()
    for columns, each in ((f"incoming ({', '.join(_FILLED)})", rows), ("incoming_hash", hashes)):
        with cursor.copy(f"COPY {columns} FROM STDIN") as copy:
            for row in each:
                copy.write_row(row)
    cursor.close()


def index(connection: Connection) -> None:
    connection.exec_driver_sql("CREATE INDEX incoming_key ON incoming (address_key)")
    if connection.dialect.name == "postgresql":  # which counts nothing in temporary tables by itself
        connection.exec_driver_sql("ANALYZE incoming")
        connection.exec_driver_sql("ANALYZE incoming_hash")


def drop_duplicates(connection: Connection, path: str, faults: list[Fault]) -> list[Fault]:
    """Keeps the first line of each address; equal later ones are returned, unequal ones are faults.

    That nobody may mail an address holds whichever of its lines says so.
    """
    later, first = incoming.alias("later"), incoming.alias("first")
    firsts = (
        select(incoming.c.address_key, func.min(incoming.c.line).label("line"))
        .group_by(incoming.c.address_key)
        .having(func.count() > 1)
        .subquery()
    )
    is_equal = and_(
        *(later.c[name].is_not_distinct_from(first.c[name]) for name in ("name", "language", "cause")),
        later.c.attributes == first.c.attributes,
    )
    rows = connection.execute(
        select(later.c.line, first.c.line.label("first"), is_equal.label("is_equal"))
        .join(firsts, firsts.c.address_key == later.c.address_key)
        .join(first, first.c.line == firsts.c.line)
        .where(later.c.line > firsts.c.line)
        .order_by(later.c.line)
    ).all()
    equal: list[Fault] = []
    for row in rows:
        if row.is_equal:
            message, remedy, where = f"the same address as in line {row.first}", "it counts once", equal
        else:
            message, remedy, where = f"the address of line {row.first} with other values", "remove one of them", faults
        where.append(Fault(path=path, line=row.line, message=message, remedy=remedy))
    forbidden = select(later.c.cause).where(later.c.address_key == incoming.c.address_key, later.c.cause.is_not(None))
    repeated = incoming.c.line.in_(select(firsts.c.line))
    connection.execute(
        update(incoming)
        .where(repeated, incoming.c.cause.is_(None))
        .values(cause=forbidden.order_by(later.c.line).limit(1).scalar_subquery())
    )
    for start in range(0, len(rows), 500):
        lines = [row.line for row in rows[start : start + 500]]
        connection.execute(delete(incoming).where(incoming.c.line.in_(lines)))
    return equal


def classify(connection: Connection, list_id: int | None, by: Channel) -> None:
    """Finds out who each row is, how he stands to the list, and what keeps him away."""
    person = select(subscriber.c.id).where(subscriber.c.address_key == incoming.c.address_key).scalar_subquery()
    connection.execute(update(incoming).values(subscriber_id=person))
    standing = (
        select(membership.c.state)
        .where(membership.c.list_id == list_id, membership.c.subscriber_id == incoming.c.subscriber_id)
        .scalar_subquery()
    )
    has_left = exists().where(subscriber.c.id == incoming.c.subscriber_id, subscriber.c.left_at.is_not(None))
    if list_id is not None:
        connection.execute(update(incoming).where(incoming.c.subscriber_id.is_not(None)).values(standing=standing))
    stays = [Standing.ACTIVE.value, Standing.PAUSED.value, *origins(Standing.ACTIVE, by)]
    connection.execute(update(incoming).where(incoming.c.standing.not_in(stays)).values(away=incoming.c.standing))
    connection.execute(
        update(incoming)
        .where(incoming.c.subscriber_id.is_not(None), incoming.c.away.is_(None), has_left)
        .values(away=Cause.LEFT.value)
    )
    barred = connection.execute(
        select(incoming_hash.c.line, suppression.c.cause).join(suppression, suppression.c.hash == incoming_hash.c.hash)
    ).all()
    if barred:
        connection.execute(
            update(incoming).where(incoming.c.line == bindparam("at_line")).values(away=bindparam("why"), is_barred=1),
            [{"at_line": row.line, "why": row.cause} for row in barred],
        )


def count_fates(connection: Connection, *, has_name: bool, has_language: bool) -> Fates:
    """Counts rows by how they end."""
    forbids, stays_away = incoming.c.cause.is_not(None), incoming.c.away.is_not(None)
    kind = case((forbids, "forbidden"), (stays_away, "away"), (joins(), "joined"), else_="there")
    rows = connection.execute(
        select(kind.label("kind"), incoming.c.away, func.count().label("people")).group_by(kind, incoming.c.away)
    ).all()
    is_joining = joins()
    changed = connection.execute(
        select(is_joining.label("is_joining"), incoming.c.away.is_(None).label("is_in"), func.count().label("people"))
        .join(subscriber, subscriber.c.id == incoming.c.subscriber_id)
        .where(corrects(has_name=has_name, has_language=has_language))
        .group_by(is_joining, incoming.c.away.is_(None))
    ).all()
    there = sum(row.people for row in rows if row.kind == "there")
    return Fates(
        joined=sum(row.people for row in rows if row.kind == "joined"),
        changed=sum(row.people for row in changed),
        unchanged=there - sum(row.people for row in changed if row.is_in and not row.is_joining),
        forbidden=sum(row.people for row in rows if row.kind == "forbidden"),
        away={row.away: row.people for row in rows if row.kind == "away"},
    )


def joins() -> ColumnElement[bool]:
    """Rows that put somebody on the list who is not on it."""
    on_it = [Standing.ACTIVE.value, Standing.PAUSED.value]
    return and_(
        incoming.c.cause.is_(None),
        incoming.c.away.is_(None),
        or_(incoming.c.standing.is_(None), incoming.c.standing.not_in(on_it)),
    )


def corrects(*, has_name: bool, has_language: bool) -> ColumnElement[bool]:
    """Rows that say otherwise of a person than we know; joined with `subscriber`. Nobody corrects the suppressed."""
    differs = [Patched(subscriber.c.attributes, incoming.c.attributes) != subscriber.c.attributes]
    if has_name:
        differs.append(incoming.c.name.is_distinct_from(subscriber.c.name))
    if has_language:
        differs.append(incoming.c.language.is_distinct_from(subscriber.c.language))
    is_open = or_(incoming.c.away.is_(None), incoming.c.away == Standing.UNSUBSCRIBED.value)
    return and_(incoming.c.cause.is_(None), is_open, or_(*differs))


def missing(list_id: int) -> tuple[ColumnElement[bool], ...]:
    """Memberships that came from the list's file and whose line is gone."""
    there = select(incoming.c.subscriber_id).where(incoming.c.subscriber_id.is_not(None))
    return (
        membership.c.list_id == list_id,
        membership.c.source == Channel.FILE.value,
        membership.c.state.in_(origins(Standing.REMOVED, Channel.FILE)),
        membership.c.subscriber_id.not_in(there),
    )
