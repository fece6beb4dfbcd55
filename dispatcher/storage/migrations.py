"""Brings a database that an earlier Dispatcher made to today's tables, one numbered step at a time, in place.

A step is a function of a connection, inside one transaction; the fact `schema` says how many a database has had. A
released step never changes: a new one is appended to `steps.py`, and `schema.py` shows the tables as they are after
all of them.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, select, update

from dispatcher.storage.schema import fact
from dispatcher.storage.steps import (
    Step,
    remember_consent,
    remember_control,
    remember_returned_mail,
    remember_runs_and_relays,
    remember_who_sends,
)

STEPS: Sequence[Step] = (
    remember_runs_and_relays,
    remember_consent,
    remember_control,
    remember_returned_mail,
    remember_who_sends,
)

VERSION = 1 + len(STEPS)  # a database that was just made has it


def is_needed(connection: Connection) -> bool:
    return _version(connection) < VERSION


def upgrade(connection: Connection) -> None:
    """Takes the steps that are missing; the caller's transaction makes them durable together."""
    found = _version(connection)
    for step in STEPS[found - 1 :]:
        step(connection)
    connection.execute(update(fact).where(fact.c.name == "schema").values(value=str(max(found, VERSION))))


def _version(connection: Connection) -> int:
    return int(connection.execute(select(fact.c.value).where(fact.c.name == "schema")).scalar_one())
