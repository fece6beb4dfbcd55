"""Moves a newsletter into another database, of whatever kind: each row, each number, and compares them all."""

from collections.abc import Iterator
from datetime import datetime
from itertools import zip_longest
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select

from dispatcher.errors import LedgerFailed, SettingsWrong
from dispatcher.storage.database import MOVED, Database
from dispatcher.storage.schema import fact, metadata

_CHUNK = 1000  # rows
_OF_ITS_OWN = {"run", MOVED}  # facts about a database, not about the newsletter in it


def move_database(source: Database, target: Database, at: datetime) -> dict[str, int]:
    """Copies everything and marks the source, which nobody can use by mistake from then on. Returns rows by table.

    Nobody may be sending. The target is whole, or as it was. Raises SettingsWrong if somebody is in it.
    """
    with source.writing() as reading:  # other writers wait, and find that it has moved
        with target.writing() as writing:
            _require_empty(writing, target)
            writing.execute(delete(fact))
            counts = {table.name: _copy(reading, writing, table) for table in metadata.sorted_tables}
            for table in metadata.sorted_tables:
                if table.autoincrement_column is not None:
                    number = source.driver.last_number(reading, table.name)
                    target.driver.set_last_number(writing, table.name, number)
            for table in metadata.sorted_tables:
                _compare(reading, writing, table, target)
        reading.execute(insert(fact).values(name=MOVED, value=f"{target.place} on {at:%Y-%m-%d %H:%M} UTC"))
    return {name: rows for name, rows in counts.items() if name != fact.name}


def _require_empty(connection: Connection, target: Database) -> None:
    for table in metadata.sorted_tables:
        if table is not fact and connection.execute(select(*table.primary_key).limit(1)).first() is not None:
            raise SettingsWrong(f"{target.place}: there is a newsletter in it already; name an empty database")


def _copy(reading: Connection, writing: Connection, table: Table) -> int:
    copied = 0
    for chunk in _chunks(reading, table):
        writing.execute(insert(table), chunk)
        copied += len(chunk)
    return copied


def _compare(reading: Connection, writing: Connection, table: Table, target: Database) -> None:
    for before, after in zip_longest(_rows(reading, table), _rows(writing, table)):
        if before != after:
            key = [(before or after or {}).get(column.name) for column in table.primary_key]
            raise LedgerFailed(f"{target.place}: a row of {table.name} is not as it was: {key}; nothing was moved")


def _chunks(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    for row in _rows(connection, table):
        chunk.append(row)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _rows(connection: Connection, table: Table) -> Iterator[dict[str, Any]]:
    query = select(table).order_by(*table.primary_key).execution_options(yield_per=_CHUNK)
    if table is fact:
        query = query.where(fact.c.name.not_in(_OF_ITS_OWN))
    with connection.execute(query) as rows:
        for row in rows.mappings():
            yield {name: _kept(value) for name, value in row.items()}


def _kept(value: object) -> object:
    """PostgreSQL keeps no U+0000."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value
