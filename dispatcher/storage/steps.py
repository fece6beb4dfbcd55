"""The numbered steps from an earlier database to a later one; what a step makes is written here as it was then."""

from collections.abc import Callable

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.types import BigInteger

Step = Callable[[Connection], None]

_ID = BigInteger().with_variant(Integer(), "sqlite")
_MOMENT = String(32)


def remember_runs_and_relays(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE mailing ADD COLUMN run BIGINT"))
    connection.execute(text("ALTER TABLE delivery ADD COLUMN relay VARCHAR(255)"))


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
            Column("path", Text, nullable=False),
            Column("channel", String(16), nullable=False),
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
            Column("name", Text),
            Column("language", String(35)),
            Column("attributes", JSON, nullable=False),
            Index("correction_of_subscriber", "subscriber_id"),
        ),
        Table(
            "suppression",
            tables,
            Column("hash", String(32), primary_key=True),
            Column("cause", String(16), nullable=False),
            Column("at", _MOMENT, nullable=False),
            Column("channel", String(16), nullable=False),
            Column("note", Text),
        ),
        Table(
            "signup",
            tables,
            Column("id", _ID, primary_key=True),
            Column("ref", BigInteger, nullable=False),
            Column("address_key", String(320), nullable=False),
            Column("email", String(320), nullable=False),
            Column("domain", String(255), nullable=False),
            Column("list_id", _ID, ForeignKey("list.id"), nullable=False),
            Column("name", Text),
            Column("language", String(35)),
            Column("channel", String(16), nullable=False),
            Column("wording", String(16), nullable=False),
            Column("network", String(64)),
            Column("asked_at", _MOMENT, nullable=False),
            Column("confirmed_at", _MOMENT),
            Index("signup_of_address", "address_key"),
            sqlite_autoincrement=True,
        ),
        Table(
            "letter",
            tables,
            Column("id", _ID, primary_key=True),
            Column("kind", String(16), nullable=False),
            Column("address_key", String(320), nullable=False),
            Column("email", String(320), nullable=False),
            Column("language", String(35), nullable=False),
            Column("signup_id", _ID, ForeignKey("signup.id")),
            Column("subscriber_id", _ID, ForeignKey("subscriber.id")),
            Column("state", String(16), nullable=False),
            Column("attempts", Integer, nullable=False),
            Column("created_at", _MOMENT, nullable=False),
            Column("due_at", _MOMENT, nullable=False),
            Column("reply", Text),
            Index("letter_to_address", "address_key"),
            Index("letter_by_state", "state", "due_at"),
            sqlite_autoincrement=True,
        ),
        Table(
            "api_token",
            tables,
            Column("name", String(64), primary_key=True),
            Column("hash", String(64), nullable=False, unique=True),
            Column("rights", JSON, nullable=False),
            Column("made_at", _MOMENT, nullable=False),
            Column("used_at", _MOMENT),
        ),
    ]
    tables.create_all(connection, tables=made)
    added = ("subscriber ADD COLUMN agreed_to_tracking_at VARCHAR(32)", "event ADD COLUMN note TEXT")
    id_type = _ID.compile(dialect=connection.dialect)
    columns = (
        "until VARCHAR(32)", "resumes VARCHAR(16)", f"intake_id {id_type} REFERENCES intake (id)",
        "consented_at VARCHAR(32)", "confirmed_at VARCHAR(32)", "wording VARCHAR(16)", "network VARCHAR(64)",
    )  # fmt: skip
    for each in (*added, *(f"membership ADD COLUMN {column}" for column in columns)):
        connection.execute(text(f"ALTER TABLE {each}"))


def remember_control(connection: Connection) -> None:
    """When a mailing was stopped, why it was forced, and what it was scheduled for."""
    for column in ("stopped_at VARCHAR(32)", "forced TEXT", "scheduled_at VARCHAR(32)", "scheduled JSON"):
        connection.execute(text(f"ALTER TABLE mailing ADD COLUMN {column}"))


def remember_returned_mail(connection: Connection) -> None:
    """Mail that came back, and what was decided about it."""
    tables = MetaData()
    for known in ("delivery", "subscriber"):
        Table(known, tables, Column("id", _ID, primary_key=True))
    made = Table(
        "returned",
        tables,
        Column("id", _ID, primary_key=True),
        Column("fingerprint", String(64), nullable=False, unique=True),
        Column("at", _MOMENT, nullable=False),
        Column("kind", String(16), nullable=False),
        Column("delivery_id", _ID, ForeignKey("delivery.id")),
        Column("subscriber_id", _ID, ForeignKey("subscriber.id")),
        Column("verdict", String(16)),
        Column("cause", String(32)),
        Column("status", String(16)),
        Column("reply", String(8)),
        Column("said", Text, nullable=False),
        Column("feedback_type", String(32)),
        Column("action", String(32), nullable=False),
        Index("returned_of_delivery", "delivery_id"),
        Index("returned_of_subscriber", "subscriber_id"),
        sqlite_autoincrement=True,
    )
    tables.create_all(connection, tables=[made])
    connection.execute(text("ALTER TABLE mailing ADD COLUMN paused_because TEXT"))
