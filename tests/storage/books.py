"""A database with readers and a mailing to them, made through the storage room's own doors."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from sqlalchemy import text

from dispatcher.desk.audit import audit
from dispatcher.expressions import Expression
from dispatcher.models import Kind, Outcome, Reply, State
from dispatcher.storage.database import Database, open_database
from dispatcher.storage.imports import Changes, Incoming, Person, apply_import
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.mailings import Audience, Freeze, FrozenEdition, Mailing, find_mailing, freeze
from dispatcher.storage.memberships import leave as leave_lists
from dispatcher.storage.pen import Claim
from dispatcher.storage.readers import find_subscriber, languages_of
from dispatcher.storage.runs import end_run
from dispatcher.storage.standing import Channel
from dispatcher.storage.subscribers import find_list
from dispatcher.tokens import Keyring

ANN, CLEO, DAN, EVE = (f"{name}@example.de" for name in ("ann", "cleo", "dan", "eve"))
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
OK = Reply(code=250, text="2.0.0 queued as 1")
FULL = Reply(code=452, text="4.2.2 mailbox full")
GONE = Reply(code=550, text="5.1.1 no such user")


SQLITE = "sqlite:///dispatcher.db"
Copied = Callable[[], AbstractContextManager[tuple[Path, str]]]  # the folder and the URL of a copy
_folders: dict[str, Path] = {}  # where a database's newsletter would be


def open_at(folder: Path, url: str = SQLITE) -> Database:
    database = open_database(url, folder)
    _folders[database.place] = folder
    return database


def folder_of(database: Database) -> Path:
    return _folders[database.place]


def is_sqlite(database: Database) -> bool:
    return database.engine.dialect.name == "sqlite"


def file_of_database(database: Database) -> Path:
    """Of SQLite."""
    return Path(database.place)


def again(database: Database) -> Database:
    """The same database, opened once more."""
    return open_at(folder_of(database), database.engine.url.render_as_string(hide_password=False))


def keys(database: Database) -> Keyring:
    """The secrets that every test's newsletter signs with."""
    return Keyring(secrets=("s" * 32,), instance=database.instance)


def person(
    email: str,
    line: int = 1,
    name: str | None = None,
    language: str | None = None,
    attributes: Mapping[str, str] = MappingProxyType({}),
) -> Person:
    return Person(
        line=line,
        email=email,
        address_key=email.casefold(),
        domain=email.rpartition("@")[2],
        name=name,
        language=language,
        attributes=dict(attributes),
    )


def enlist(
    database: Database,
    *people: Person | str,
    list_name: str = "readers",
    source: Channel = Channel.IMPORT,
    own: bool = False,
) -> Changes:
    """Puts people on a list; `own`: as its file would, ending the memberships of those who are not among them."""
    rows = [each if isinstance(each, Person) else person(each) for each in people]
    numbered = [
        Person(**{name: getattr(each, name) for name in each.__slots__} | {"line": line})
        for line, each in enumerate(rows, start=2)
    ]
    incoming = Incoming(
        list_name=list_name,
        path=f"subscribers/{list_name}.csv",
        people=numbered,
        has_name=True,
        has_language=True,
        channel=source,
        file_hash="0" * 64 if own else None,
    )
    return apply_import(database, keys(database), incoming, [], keep_good_rows=False, guard=False)


def freeze_to(
    database: Database,
    list_name: str = "readers",
    *,
    issue: int = 29,
    kind: Kind = Kind.LIVE,
    spoken: Mapping[str, Sequence[str | None]] | None = None,
    where: Expression | None = None,
    skip_reserved: bool = False,
    replace: int | None = None,
) -> Mailing:
    """Freezes an issue to a list; `spoken` says which edition is for whom, by default one is for all."""
    spoken = spoken if spoken is not None else {"en": list(languages_of(database, list_name))}
    frozen = Freeze(
        issue=issue,
        kind=kind,
        content_hash="c" * 64,
        sender_domain="example.org",
        sources={"issues/29/issue.md": "d" * 64},
        editions=[FrozenEdition(language=each, content_hash="e" * 64, frozen="{}") for each in spoken],
        pictures=[],
    )
    audience = Audience(
        list_name=list_name,
        spoken=spoken,
        where=where,
        skip_reserved=skip_reserved,
        is_staging=kind is Kind.STAGING,
    )
    return freeze(database, frozen, audience, replace=replace)


def reopen(database: Database, mailing: Mailing) -> tuple[Database, Ledger]:
    """What the next run has after this one died."""
    database.close()
    reopened = again(database)
    found = find_mailing(reopened, mailing.issue, mailing.kind)
    assert found is not None
    return reopened, Ledger(reopened, found)


def leave(database: Database, email: str, list_name: str | None = "readers") -> list[str]:
    found = find_subscriber(database, email)
    assert found is not None
    list_id = None if list_name is None else find_list(database, list_name)
    return list(leave_lists(database, found.id, list_id=list_id, by=Channel.ONE_CLICK).lists)


def claim(delivery_id: int, ended: Outcome | None = None, at: datetime = NOON) -> Claim:
    return Claim(delivery_id=delivery_id, at=at, ended=ended)


def outcome(delivery_id: int, state: State) -> Outcome:
    """An outcome as the engine would have it."""
    match state:
        case State.SENT:
            return Outcome(delivery_id=delivery_id, state=state, reply=OK)
        case State.REFUSED:
            return Outcome(delivery_id=delivery_id, state=state, reply=GONE)
        case State.DEFERRED:
            return Outcome(delivery_id=delivery_id, state=state, reply=FULL, due_at=NOON + timedelta(minutes=5))
        case State.SKIPPED:
            return Outcome(delivery_id=delivery_id, state=state, reason="field plan missing")
        case _:
            return Outcome(delivery_id=delivery_id, state=state, reason="the connection was lost")


def put_into(ledger: Ledger, delivery_id: int, state: State) -> None:
    """Leads a queued row into a state by the ways that exist."""
    if state is State.QUEUED:
        return
    if state is State.SKIPPED:
        ledger.commit([outcome(delivery_id, state)], [])
        return
    assert ledger.commit([], [claim(delivery_id)]) == [True]
    if state is not State.SENDING:
        ledger.commit([outcome(delivery_id, state)], [])


def rows(database: Database) -> dict[int, State]:
    """Every delivery's state, read past the program."""
    with database.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT id, state FROM delivery ORDER BY id").all()
    return {number: State(state) for number, state in found}


def column(database: Database, delivery_id: int, name: str) -> object:
    with database.engine.connect() as connection:
        query = text(f"SELECT {name} FROM delivery WHERE id = :id")  # noqa: S608
        value: object = connection.execute(query, {"id": delivery_id}).scalar_one()
    return value


def change(database: Database, statement: str) -> None:
    """Changes the tables past the program."""
    with database.engine.connect() as connection, connection.begin():
        connection.exec_driver_sql(statement)


def balance(database: Database, mailing: Mailing) -> bool:
    return audit(database, mailing).holds


def give_up(ledger: Ledger, reason: str = "the run ended") -> int:
    """Whoever was sending is dead: his rows are in doubt. Returns how many."""
    left = ledger.unsettled()
    for number in {each.run for each in left}:
        if number is not None:
            end_run(ledger.database, number)
        his = [each for each in left if each.run == number]
        ledger.settle(number, [Outcome(delivery_id=each.id, state=State.IN_DOUBT, reason=reason) for each in his])
    return len(left)
