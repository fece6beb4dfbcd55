"""The numbered steps from an earlier database to a later one; what a step makes is written here as it was then."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import CreateColumn
from sqlalchemy.types import BigInteger

Step = Callable[[Connection], None]

_ID = BigInteger().with_variant(Integer(), "sqlite")
_JSON = JSON().with_variant(JSONB(), "postgresql")


def _words(most: int | None = None) -> String:
    return (Text() if most is None else String(most)).with_variant(Text(collation="C"), "postgresql")


_MOMENT = _words(32)


def _only(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def remember_runs_and_relays(connection: Connection) -> None:
    _add(connection, "mailing", Column("run", BigInteger))
    _add(connection, "delivery", Column("relay", _words(255)))


def remember_consent(connection: Connection) -> None:
    """Suppressions, sign-ups, small mails, API tokens; what was agreed to, and what files changed."""
    tables = MetaData()
    for known in ("list", "subscriber"):
        Table(known, tables, Column("id", _ID, primary_key=True))
    made = [
        Table(
            "intake",
            tables,
            Column("id", _ID, primary_key=True),
            Column("list_id", _ID, ForeignKey("list.id"), nullable=False),
            Column("path", _words(), nullable=False),
            Column("channel", _words(16), nullable=False),
            Column("at", _MOMENT, nullable=False),
            Column("added", Integer, nullable=False),
            Column("changed", Integer, nullable=False),
            Column("undone_at", _MOMENT),
            sqlite_autoincrement=True,
        ),
        Table(
            "correction",
            tables,
            Column("intake_id", _ID, ForeignKey("intake.id"), primary_key=True),
            Column("subscriber_id", _ID, ForeignKey("subscriber.id"), primary_key=True),
            Column("name", _words()),
            Column("language", _words(35)),
            Column("attributes", _JSON, nullable=False),
            Index("correction_of_subscriber", "subscriber_id"),
        ),
        Table(
            "suppression",
            tables,
            Column("hash", _words(32), primary_key=True),
            Column("cause", _words(16), nullable=False),
            Column("at", _MOMENT, nullable=False),
            Column("channel", _words(16), nullable=False),
            Column("note", _words()),
        ),
        Table(
            "signup",
            tables,
            Column("id", _ID, primary_key=True),
            Column("ref", BigInteger, nullable=False),
            Column("address_key", _words(320), nullable=False),
            Column("email", _words(320), nullable=False),
            Column("domain", _words(255), nullable=False),
            Column("list_id", _ID, ForeignKey("list.id"), nullable=False),
            Column("name", _words()),
            Column("language", _words(35)),
            Column("channel", _words(16), nullable=False),
            Column("wording", _words(16), nullable=False),
            Column("network", _words(64)),
            Column("asked_at", _MOMENT, nullable=False),
            Column("confirmed_at", _MOMENT),
            Index("signup_of_address", "address_key"),
            sqlite_autoincrement=True,
        ),
        Table(
            "letter",
            tables,
            Column("id", _ID, primary_key=True),
            Column("kind", _words(16), nullable=False),
            Column("address_key", _words(320), nullable=False),
            Column("email", _words(320), nullable=False),
            Column("language", _words(35), nullable=False),
            Column("signup_id", _ID, ForeignKey("signup.id")),
            Column("subscriber_id", _ID, ForeignKey("subscriber.id")),
            Column("state", _words(16), nullable=False),
            Column("attempts", Integer, nullable=False),
            Column("created_at", _MOMENT, nullable=False),
            Column("due_at", _MOMENT, nullable=False),
            Column("reply", _words()),
            Index("letter_to_address", "address_key"),
            Index("letter_by_state", "state", "due_at"),
            sqlite_autoincrement=True,
        ),
        Table(
            "api_token",
            tables,
            Column("name", _words(64), primary_key=True),
            Column("hash", _words(64), nullable=False, unique=True),
            Column("rights", _JSON, nullable=False),
            Column("made_at", _MOMENT, nullable=False),
            Column("used_at", _MOMENT),
        ),
    ]
    tables.create_all(connection, tables=made)
    _add(connection, "subscriber", Column("agreed_to_tracking_at", _MOMENT))
    _add(connection, "event", Column("note", _words()))
    _add(
        connection, "membership",
        Column("until", _MOMENT), Column("resumes", _words(16)), Column("intake_id", _ID),
        Column("consented_at", _MOMENT), Column("confirmed_at", _MOMENT), Column("wording", _words(16)),
        Column("network", _words(64)), references={"intake_id": "intake (id)"},
    )  # fmt: skip


def remember_control(connection: Connection) -> None:
    """When a mailing was stopped, why it was forced, and what it was scheduled for."""
    _add(
        connection, "mailing",
        Column("stopped_at", _MOMENT), Column("forced", _words()), Column("scheduled_at", _MOMENT),
        Column("scheduled", _JSON),
    )  # fmt: skip


def remember_returned_mail(connection: Connection) -> None:
    """Mail that came back, and what was decided about it."""
    tables = MetaData()
    for known in ("delivery", "subscriber"):
        Table(known, tables, Column("id", _ID, primary_key=True))
    made = Table(
        "returned",
        tables,
        Column("id", _ID, primary_key=True),
        Column("fingerprint", _words(64), nullable=False, unique=True),
        Column("at", _MOMENT, nullable=False),
        Column("kind", _words(16), nullable=False),
        Column("delivery_id", _ID, ForeignKey("delivery.id")),
        Column("subscriber_id", _ID, ForeignKey("subscriber.id")),
        Column("verdict", _words(16)),
        Column("cause", _words(32)),
        Column("status", _words(16)),
        Column("reply", _words(8)),
        Column("said", _words(), nullable=False),
        Column("feedback_type", _words(32)),
        Column("action", _words(32), nullable=False),
        Index("returned_of_delivery", "delivery_id"),
        Index("returned_of_subscriber", "subscriber_id"),
        sqlite_autoincrement=True,
    )
    tables.create_all(connection, tables=[made])
    _add(connection, "mailing", Column("paused_because", _words()))


def remember_who_sends(connection: Connection) -> None:
    """Runs by number, instead of a mailing's last one; what all of them together may send, and who may go on."""
    tables = MetaData()
    Table("mailing", tables, Column("id", _ID, primary_key=True))
    made = [
        Table(
            "run",
            tables,
            Column("id", _ID, primary_key=True),
            Column("mailing_id", _ID, ForeignKey("mailing.id")),
            Column("host", _words(255), nullable=False),
            Column("pid", Integer, nullable=False),
            Column("began_at", _MOMENT, nullable=False),
            Column("seen_at", _MOMENT, nullable=False),
            Column("ended_at", _MOMENT),
            Column("worker_id", BigInteger),
            Index("run_unended", "mailing_id", **_only("ended_at IS NULL")),
            sqlite_autoincrement=True,
        ),
        Table(
            "allowance",
            tables,
            Column("key", _words(320), primary_key=True),
            Column("next_at", Float(53), nullable=False),
        ),
        Table(
            "holding",
            tables,
            Column("key", _words(320), primary_key=True),
            Column("run_id", _ID, ForeignKey("run.id"), primary_key=True),
            Column("count", Integer, nullable=False),
            Column("wanted", Integer, nullable=False),
            Column("most", Integer, nullable=False),
        ),
    ]
    tables.create_all(connection, tables=made)
    connection.execute(text("ALTER TABLE mailing DROP COLUMN run"))
    _add(connection, "mailing", Column("released_at", _MOMENT))
    _add(connection, "delivery", Column("run", BigInteger))


def _add(
    connection: Connection, table: str, *columns: Column[Any], references: Mapping[str, str] = MappingProxyType({})
) -> None:
    for column in columns:
        made = CreateColumn(column).compile(dialect=connection.dialect)
        pointed = f" REFERENCES {references[column.name]}" if column.name in references else ""
        connection.execute(text(f"ALTER TABLE {table} ADD COLUMN {made}{pointed}"))
