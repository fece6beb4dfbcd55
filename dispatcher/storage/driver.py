"""What SQLite and PostgreSQL have to answer to: each has one module that opens, locks and explains it."""

import json
import os
import socket
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy import Connection, Engine

from dispatcher.errors import Unfinished
from dispatcher.storage.pen import Pen


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sends, and when he last gave a sign of life; not a promise that he still lives."""

    pid: int
    host: str
    since: datetime
    seen_at: datetime


class Driver(Protocol):
    """The modules `sqlite` and `postgres`."""

    @property
    def ERRORS(self) -> tuple[type[Exception], ...]:  # noqa: N802  a constant of a module
        """What the driver raises when it is used without SQLAlchemy."""

    def spoken(self, error: BaseException) -> str | None:
        """What an operator can mend, in words without user or password; None if it is ours to mend."""

    def begin(self, connection: Connection, *, writes: bool) -> None:
        """Begins a transaction; what writes waits for other writers first, so that it can read, decide and write."""

    def run_lock(self, engine: Engine) -> AbstractContextManager[None]:
        """Lets one run send at a time. Raises Unfinished at once, naming the holder."""

    def senders(self, engine: Engine) -> list[Sender]:
        """Who holds that lock, without asking for it."""

    def open_pen(self, engine: Engine) -> Pen:
        """A connection of its own for the ledger's statements."""

    def unsafe_settings(self, connection: Connection) -> list[str]:
        """Settings with which a commit may be lost, each with its remedy."""

    def last_number(self, connection: Connection, table: str) -> int:
        """The highest id that a table has ever given: none is given twice."""

    def set_last_number(self, connection: Connection, table: str, number: int) -> None: ...

    def place(self, engine: Engine) -> str:
        """Names the database in messages."""


def this_run() -> str:
    """Who holds the lock, for whoever comes second."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since})


def another_run(text: str) -> Unfinished:
    """Tells of the run that holds the lock; `text` is what it left."""
    try:
        holder = json.loads(text)
        who = f"pid {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        who = "it has just begun"
    return Unfinished(f"another run is sending: {who}; wait for it, or stop it")
