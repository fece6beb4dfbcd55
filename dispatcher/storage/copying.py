"""Moves a newsletter into another database, of whatever kind: each row, each number, and compares them all."""

from collections.abc import Iterator
from datetime import datetime
from itertools import zip_longest
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, update

from dispatcher.errors import LedgerFailed, SettingsWrong, Unfinished
from dispatcher.storage.database import MOVED, Database, hold_back_runs
from dispatcher.storage.runs import clock
from dispatcher.storage.schema import fact, mailing, metadata, run

_CHUNK = 1000  # rows
_OF_ITS_OWN = {"run", "engine", MOVED}  # facts about a database, not about the newsletter in it
_QUEUE_NUMBER = run.c.worker_id.name  # is somebody else's in another database


def move_database(source: Database, target: Database, at: datetime) -> dict[str, int]:
    """Copies everything and marks the source, which nobody can use by mistake from then on. Returns rows by table.

    From then on nobody goes on with a mailing but send-issue. The target is whole, or as it was. Raises Unfinished if
    somebody is sending, SettingsWrong if there is a newsletter in the target.
    """
    with source.writing() as reading:  # other writers wait, and find that it has moved
        _end_what_workers_do(reading)
        with target.writing() as writing:
            _require_empty(writing, target)
            writing.execute(delete(fact).where(fact.c.name.not_in(_OF_ITS_OWN)))
            counts = {table.name: _copy(reading, writing, table) for table in metadata.sorted_tables}
            for table in metadata.sorted_tables:
                if table.autoincrement_column is not None:
                    number = source.driver.last_number(reading, table.name)
                    target.driver.set_last_number(writing, table.name, number)
            for table in metadata.sorted_tables:
                _compare(reading, writing, table, target)
        reading.execute(insert(fact).values(name=MOVED, value=f"{target.place} on {at:%Y-%m-%d %H:%M} UTC"))
    return {name: rows for name, rows in counts.items() if name != fact.name}


def _end_what_workers_do(connection: Connection) -> None:
    """Workers need no lock: nobody begins a run until this is over, and whoever waits for something to do is told."""
    hold_back_runs(connection)
    known = select(run.c.pid, run.c.host).where(run.c.ended_at.is_(None), run.c.mailing_id.is_not(None))
    if (sender := connection.execute(known.limit(1)).one_or_none()) is not None:
        raise Unfinished(f"mail is being sent by pid {sender.pid} on {sender.host}; wait for it, or stop it")
    connection.execute(update(run).where(run.c.ended_at.is_(None)).values(ended_at=clock(connection)))
    connection.execute(update(mailing).values(released_at=None).where(mailing.c.released_at.is_not(None)))


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
            yield {name: None if name == _QUEUE_NUMBER else _kept(value) for name, value in row.items()}


def _kept(value: object) -> object:
    """PostgreSQL keeps no U+0000."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value
