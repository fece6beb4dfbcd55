"""Brings a list in line with the people read from a file, in one transaction, reviving nobody who left."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Connection, update

from dispatcher.errors import Fault, InputWrong
from dispatcher.storage.database import Database, begin, now
from dispatcher.storage.schema import as_text, reader_list
from dispatcher.storage.subscribers import list_for
from dispatcher.tokens import new_ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One row of a file. An attribute that is None had a blank cell: it is removed."""

    line: int
    email: str
    address_key: str
    domain: str
    name: str | None
    language: str | None
    attributes: Mapping[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """What a file says about a list."""

    list_name: str
    path: str
    people: Iterable[Person]
    has_name: bool  # the file has such a column; without it, names stay as they are
    has_language: bool
    source: str  # "file", "import" or "added"
    file_hash: str | None = None  # of the list's own file, whose memberships end when their lines go


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What an import did; `vanished` counts people whose lines are gone."""

    read: int
    joined: int
    changed: int
    vanished: int
    stayed_away: int  # in the file, but they left: nobody revives them
    duplicates: tuple[Fault, ...]  # equal lines, counted once


class TooManyVanished(Exception):
    """Rolls the import back: more lines are gone than a slip of the hand should be able to remove."""

    def __init__(self, vanished: int, before: int) -> None:
        super().__init__(vanished, before)
        self.vanished, self.before = vanished, before


def apply_import(
    database: Database, incoming: Incoming, faults: list[Fault], *, keep_good_rows: bool, guard: bool
) -> Changes:
    """Adds and corrects people; where nothing is wrong, ends the file memberships whose lines are gone.

    `faults` fills while `incoming.people` is read; unless `keep_good_rows`, any of them raises InputWrong and changes
    nothing. With `guard`, raises TooManyVanished, and changes nothing, when more than 10 % and more than 10 vanish.
    """
    with database.transactions() as connection:
        with begin(connection):  # reading a long file must not keep others from writing
            read = _load(connection, incoming.people)
            duplicates = _drop_duplicates(connection, incoming.path, faults)
        if faults and not keep_good_rows:
            raise InputWrong(faults)
        with begin(connection, writes=True):
            list_id = list_for(connection, incoming.list_name)
            vanished = 0
            if incoming.file_hash is not None and not faults:
                vanished = _end_missing(connection, list_id, guard=guard)  # of those who were on the list before
            joined, changed, stayed_away = _upsert(connection, incoming, list_id)
            if incoming.file_hash is not None and not faults:
                connection.execute(
                    update(reader_list).where(reader_list.c.id == list_id).values(file_hash=incoming.file_hash)
                )
            connection.exec_driver_sql("DROP TABLE incoming")
    return Changes(
        read=read,
        joined=joined,
        changed=changed,
        vanished=vanished,
        stayed_away=stayed_away,
        duplicates=tuple(duplicates),
    )


def _load(connection: Connection, people: Iterable[Person]) -> int:
    connection.exec_driver_sql("DROP TABLE IF EXISTS temp.incoming")
    connection.exec_driver_sql(
        "CREATE TEMP TABLE incoming (line INTEGER PRIMARY KEY, address_key TEXT, email TEXT, domain TEXT,"
        " name TEXT, language TEXT, attributes TEXT, ref INTEGER)"
    )
    read = 0
    for rows in _in_thousands(_row(person) for person in people):
        connection.exec_driver_sql("INSERT INTO incoming VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        read += len(rows)
    connection.exec_driver_sql("CREATE INDEX temp.incoming_key ON incoming (address_key)")
    return read


def _row(person: Person) -> tuple[object, ...]:
    attributes = json.dumps(person.attributes, ensure_ascii=False, sort_keys=True)
    return (
        person.line, person.address_key, person.email, person.domain,
        person.name, person.language, attributes, new_ref(),
    )  # fmt: skip


def _in_thousands(rows: Iterable[tuple[object, ...]]) -> Iterator[list[tuple[object, ...]]]:
    iterator = iter(rows)
    while chunk := list(islice(iterator, 1000)):
        yield chunk


def _drop_duplicates(connection: Connection, path: str, faults: list[Fault]) -> list[Fault]:
    """Keeps the first line of each address; equal later ones are returned, unequal ones are faults."""
    equal: list[Fault] = []
    later = connection.exec_driver_sql(
        "SELECT later.line, first.line, later.name IS first.name AND later.language IS first.language"
        " AND later.attributes = first.attributes"
        " FROM incoming AS later JOIN incoming AS first ON first.line ="
        " (SELECT min(line) FROM incoming WHERE address_key = later.address_key)"
        " WHERE later.address_key IN (SELECT address_key FROM incoming GROUP BY address_key HAVING count(*) > 1)"
        " AND later.line > first.line ORDER BY later.line"
    ).all()
    for line, first, is_equal in later:
        if is_equal:
            message, remedy, where = f"the same address as in line {first}", "it counts once", equal
        else:
            message, remedy, where = f"the address of line {first} with other values", "remove one of them", faults
        where.append(Fault(path=path, line=line, message=message, remedy=remedy))
    if later:
        connection.exec_driver_sql("DELETE FROM incoming WHERE line = ?", [(row[0],) for row in later])
    return equal


def _upsert(connection: Connection, incoming: Incoming, list_id: int) -> tuple[int, int, int]:
    """Joined, changed, stayed away."""
    at = as_text(now())
    # json_patch follows RFC 7396: a null removes the attribute, an attribute the file does not have stays.
    changed = connection.exec_driver_sql(
        "UPDATE subscriber SET name = CASE WHEN ? THEN i.name ELSE subscriber.name END,"
        " language = CASE WHEN ? THEN i.language ELSE subscriber.language END,"
        " attributes = json_patch(subscriber.attributes, i.attributes)"
        " FROM incoming AS i WHERE i.address_key = subscriber.address_key AND ("
        " (? AND i.name IS NOT subscriber.name) OR (? AND i.language IS NOT subscriber.language)"
        " OR json_patch(subscriber.attributes, i.attributes) <> subscriber.attributes)",
        (incoming.has_name, incoming.has_language, incoming.has_name, incoming.has_language),
    ).rowcount
    connection.exec_driver_sql(
        "INSERT INTO subscriber (ref, email, address_key, domain, name, language, attributes, created_at)"
        " SELECT ref, email, address_key, domain, name, language, json_patch('{}', attributes), ? FROM incoming"
        " WHERE true ORDER BY line ON CONFLICT (address_key) DO NOTHING",
        (at,),
    )
    stayed_away = connection.exec_driver_sql(
        "SELECT count(*) FROM incoming AS i JOIN subscriber AS s ON s.address_key = i.address_key"
        " LEFT JOIN membership AS m ON m.subscriber_id = s.id AND m.list_id = ?"
        " WHERE m.state = 'unsubscribed' OR s.left_at IS NOT NULL",
        (list_id,),
    ).scalar_one()
    joining = (
        " FROM incoming AS i JOIN subscriber AS s ON s.address_key = i.address_key AND s.left_at IS NULL"
        " LEFT JOIN membership AS m ON m.subscriber_id = s.id AND m.list_id = ?"
        " WHERE m.state IS NULL OR m.state = 'removed'"
    )
    connection.exec_driver_sql(
        "INSERT INTO event (at, subscriber_id, list_id, kind, channel)"
        " SELECT ?, s.id, ?, CASE WHEN m.state IS NULL THEN 'joined' ELSE 'returned' END, ?" + joining,
        (at, list_id, incoming.source, list_id),
    )
    joined = connection.exec_driver_sql(
        "INSERT INTO membership (list_id, subscriber_id, state, source, changed_at)"
        " SELECT ?, s.id, 'active', ?, ?" + joining + " ORDER BY s.id"
        " ON CONFLICT (list_id, subscriber_id) DO UPDATE SET state = 'active', source = excluded.source,"
        " changed_at = excluded.changed_at",
        (list_id, incoming.source, at, list_id),
    ).rowcount
    return joined, changed, stayed_away


def _end_missing(connection: Connection, list_id: int, *, guard: bool) -> int:
    missing = (
        " FROM membership WHERE list_id = ? AND source = 'file' AND state = 'active' AND subscriber_id NOT IN"
        " (SELECT s.id FROM incoming AS i JOIN subscriber AS s ON s.address_key = i.address_key)"
    )
    vanished: int = connection.exec_driver_sql("SELECT count(*)" + missing, (list_id,)).scalar_one()
    if not vanished:
        return 0
    before: int = connection.exec_driver_sql(
        "SELECT count(*) FROM membership WHERE list_id = ? AND state = 'active'", (list_id,)
    ).scalar_one()
    if guard and vanished > 10 and vanished * 10 > before:
        raise TooManyVanished(vanished, before)
    at = as_text(now())
    connection.exec_driver_sql(
        "INSERT INTO event (at, subscriber_id, list_id, kind, channel)"
        " SELECT ?, subscriber_id, list_id, 'removed', 'file'" + missing,
        (at, list_id),
    )
    connection.exec_driver_sql(
        f"WITH gone AS (SELECT subscriber_id{missing})"  # noqa: S608  a constant
        " UPDATE membership SET state = 'removed', changed_at = ? WHERE list_id = ? AND source = 'file'"
        " AND state = 'active' AND subscriber_id IN (SELECT subscriber_id FROM gone)",
        (list_id, at, list_id),
    )
    return vanished
