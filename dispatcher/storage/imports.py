"""Brings a list in line with the people read from a file: planned in a staging table, applied in one transaction."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection, func, select, update

from dispatcher.errors import Fault, InputWrong
from dispatcher.storage import staging
from dispatcher.storage.columns import as_json, as_text
from dispatcher.storage.database import Database, begin, now
from dispatcher.storage.intakes import end_missing, keep_intake, take_in
from dispatcher.storage.memberships import list_for
from dispatcher.storage.schema import membership, reader_list
from dispatcher.storage.standing import Cause, Channel, Standing
from dispatcher.tokens import Keyring, address_hashes, new_ref


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
    cause: Cause | None = None  # the file says that nobody may mail this address
    consented_at: datetime | None = None
    confirmed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """What a file says about a list."""

    list_name: str
    path: str
    people: Iterable[Person]
    has_name: bool  # the file has such a column; without it, names stay as they are
    has_language: bool
    channel: Channel  # FILE, IMPORT or ADDED
    file_hash: str | None = None  # of the list's own file, whose memberships end when their lines go


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What an import did, or would do."""

    read: int
    joined: int
    changed: int
    unchanged: int
    vanished: int  # their lines are gone
    suppressed: int  # the file says that nobody may mail them
    away: Mapping[str, int]  # in the file, but nobody revives them: why, and how many
    beyond_ascii: int = 0  # rows whose address only a relay with SMTPUTF8 takes
    duplicates: tuple[Fault, ...] = ()  # equal lines, counted once

    @property
    def stayed_away(self) -> int:
        return sum(self.away.values())


class TooManyVanished(Exception):
    """Rolls the import back: more lines are gone than a slip of the hand should be able to remove."""

    def __init__(self, vanished: int, before: int) -> None:
        super().__init__(vanished, before)
        self.vanished, self.before = vanished, before


def apply_import(
    database: Database,
    keyring: Keyring,
    incoming: Incoming,
    faults: list[Fault],
    *,
    keep_good_rows: bool,
    guard: bool,
    only_plan: bool = False,
) -> Changes:
    """Adds and corrects people; where nothing is wrong, ends the file memberships whose lines are gone.

    `faults` fills while `incoming.people` is read; unless `keep_good_rows`, any of them raises InputWrong and changes
    nothing. With `guard`, raises TooManyVanished, and changes nothing, when more than 10 % and more than 10 vanish.
    With `only_plan` nothing is changed whatever happens.
    """
    with database.transactions() as connection:
        with begin(connection):  # reading a long file must not keep others from writing
            read, beyond_ascii = _load(connection, keyring, incoming.people)
            duplicates = staging.drop_duplicates(connection, incoming.path, faults)
        if faults and not keep_good_rows:
            raise InputWrong(faults)
        with begin(connection, writes=not only_plan):
            planned = _bring_in(connection, incoming, guard=guard, is_whole=not faults, only_plan=only_plan)
            staging.drop_tables(connection)
    return replace(planned, read=read, beyond_ascii=beyond_ascii, duplicates=tuple(duplicates))


def _bring_in(connection: Connection, incoming: Incoming, *, guard: bool, is_whole: bool, only_plan: bool) -> Changes:
    """Plans within the transaction that applies the plan, so that nothing can come between."""
    list_id: int | None = connection.scalar(select(reader_list.c.id).where(reader_list.c.name == incoming.list_name))
    if list_id is None and not only_plan:
        list_id = list_for(connection, incoming.list_name)
    staging.classify(connection, list_id, incoming.channel)
    fates = staging.count_fates(connection, has_name=incoming.has_name, has_language=incoming.has_language)
    ends_missing = incoming.file_hash is not None and is_whole
    vanished = _vanished(connection, list_id, guard=guard) if ends_missing and list_id is not None else 0
    changes = Changes(
        read=0,
        joined=fates.joined,
        changed=fates.changed,
        unchanged=fates.unchanged,
        vanished=vanished,
        suppressed=fates.forbidden,
        away=fates.away,
    )
    if only_plan or list_id is None:
        return changes
    at = now()
    intake = keep_intake(connection, list_id, incoming.path, incoming.channel, at=at, fates=fates)
    if ends_missing:
        end_missing(connection, list_id, at)
    take_in(connection, intake, at=at, fates=fates, has_name=incoming.has_name, has_language=incoming.has_language)
    if ends_missing:
        connection.execute(update(reader_list).where(reader_list.c.id == list_id).values(file_hash=incoming.file_hash))
    return changes


def _vanished(connection: Connection, list_id: int, *, guard: bool) -> int:
    """How many people's lines are gone."""
    vanished = connection.scalar(select(func.count()).select_from(membership).where(*staging.missing(list_id))) or 0
    before = (
        connection.scalar(
            select(func.count())
            .select_from(membership)
            .where(membership.c.list_id == list_id, membership.c.state == Standing.ACTIVE)
        )
        or 0
    )
    if guard and vanished > 10 and vanished * 10 > before:
        raise TooManyVanished(vanished, before)
    return vanished


def _load(connection: Connection, keyring: Keyring, people: Iterable[Person]) -> tuple[int, int]:
    """How many rows there are, and how many of them have an address beyond ASCII."""
    staging.make_tables(connection)
    read = beyond_ascii = 0
    for chunk in _in_thousands(people):
        hashes = [
            (person.line, rank, each)
            for person in chunk
            for rank, each in enumerate(address_hashes(keyring, person.address_key))
        ]
        staging.fill(connection, [_row(person) for person in chunk], hashes)
        read += len(chunk)
        beyond_ascii += sum(not person.email.isascii() for person in chunk)
    staging.index(connection)
    return read, beyond_ascii


def _row(person: Person) -> staging.Row:
    return (
        person.line, person.address_key, person.email, person.domain, person.name, person.language,
        as_json(person.attributes), new_ref(),
        person.cause.value if person.cause else None,
        as_text(person.consented_at) if person.consented_at else None,
        as_text(person.confirmed_at) if person.confirmed_at else None,
    )  # fmt: skip


def _in_thousands(people: Iterable[Person]) -> Iterator[list[Person]]:
    iterator = iter(people)
    while chunk := list(islice(iterator, 1000)):
        yield chunk
