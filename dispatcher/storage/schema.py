"""The tables: readers and what they agreed to, issues as they were frozen, and the ledger of deliveries."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

VERSION = 1

metadata = MetaData()


class Moment(TypeDecorator[datetime]):
    """An aware UTC time, kept as ISO text of one width, so that it sorts as it reads."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else as_text(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else from_text(value)


def as_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def from_text(value: str) -> datetime:
    return datetime.fromisoformat(value)


# SQLite counts rows by INTEGER only; PostgreSQL needs room for 100 million deliveries a day.
Id = BigInteger().with_variant(Integer(), "sqlite")

fact = Table(
    "fact",
    metadata,
    Column("name", String(32), primary_key=True),  # "schema", "instance"
    Column("value", Text, nullable=False),
)

signing_key = Table(
    "signing_key",
    metadata,
    Column("fingerprint", String(16), primary_key=True),
    Column("first_used_at", Moment, nullable=False),
)

subscriber = Table(
    "subscriber",
    metadata,
    Column("id", Id, primary_key=True),
    Column("ref", BigInteger, nullable=False),  # random, see models.Subscriber
    Column("email", String(320), nullable=False),  # as the reader writes it
    Column("address_key", String(320), nullable=False, unique=True),  # one person, one key
    Column("domain", String(255), nullable=False),  # lower case, A-labels
    Column("name", Text),
    Column("language", String(35)),
    Column("attributes", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("left_at", Moment),  # left everything: no file brings him back, to whatever list
    sqlite_autoincrement=True,
)

reader_list = Table(
    "list",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("file_hash", String(64)),  # of subscribers/NAME.csv when it was last read
    sqlite_autoincrement=True,
)

membership = Table(
    "membership",
    metadata,
    Column("list_id", Id, ForeignKey("list.id"), primary_key=True),
    Column("subscriber_id", Id, ForeignKey("subscriber.id"), primary_key=True),
    Column("state", String(16), nullable=False),  # active, unsubscribed, removed
    Column("source", String(16), nullable=False),  # file: ends when its line goes; added, import: stay
    Column("changed_at", Moment, nullable=False),
    Index("membership_of_subscriber", "subscriber_id"),
    sqlite_with_rowid=False,
)

event = Table(
    "event",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("subscriber_id", Id, ForeignKey("subscriber.id"), nullable=False),
    Column("list_id", Id, ForeignKey("list.id")),
    Column("kind", String(16), nullable=False),  # joined, unsubscribed, removed, returned
    Column("channel", String(16), nullable=False),  # file, import, operator, one-click, page
    Index("event_of_subscriber", "subscriber_id"),
    sqlite_autoincrement=True,
)

mailing = Table(
    "mailing",
    metadata,
    Column("id", Id, primary_key=True),
    Column("issue", Integer, nullable=False),
    Column("kind", String(16), nullable=False),  # models.Kind
    Column("content_hash", String(64), nullable=False),  # of all editions together
    Column("salt", String(32), nullable=False),  # makes Message-IDs this mailing's own
    Column("sender_domain", String(255), nullable=False),
    Column("sources", JSON, nullable=False),  # {path: sha256} of the files it was made from
    Column("frozen_at", Moment, nullable=False),
    Column("handed_over_at", Moment),  # when the first message was about to go; from then on it stays frozen
    Index("one_live_mailing_per_issue", "issue", unique=True, sqlite_where=text("kind = 'live'")),
    sqlite_autoincrement=True,
)

mailing_list = Table(
    "mailing_list",
    metadata,
    Column("mailing_id", Id, ForeignKey("mailing.id"), primary_key=True),
    Column("list_id", Id, ForeignKey("list.id"), primary_key=True),
    Column("enqueued_at", Moment, nullable=False),
    Column("readers", Integer, nullable=False),  # rows made for it: the left side of the ledger's equation
)

edition = Table(
    "edition",
    metadata,
    Column("id", Id, primary_key=True),
    Column("mailing_id", Id, ForeignKey("mailing.id"), nullable=False),
    Column("language", String(35), nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("frozen", Text, nullable=False),  # content.frozen
    UniqueConstraint("mailing_id", "language"),
    sqlite_autoincrement=True,
)

picture = Table(
    "picture",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("media_type", String(32), nullable=False),
    Column("content", LargeBinary, nullable=False),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", Id, primary_key=True),
    Column("mailing_id", Id, ForeignKey("mailing.id"), nullable=False),
    Column("subscriber_id", Id, ForeignKey("subscriber.id"), nullable=False),
    Column("copy", Integer, nullable=False),  # 0, but for staging, where a reader gets every edition
    Column("list_id", Id, ForeignKey("list.id"), nullable=False),
    Column("edition_id", Id, ForeignKey("edition.id"), nullable=False),
    Column("state", String(16), nullable=False),  # models.State
    Column("attempts", Integer, nullable=False),
    Column("first_attempt_at", Moment),
    Column("due_at", Moment),
    Column("settled_at", Moment),
    Column("code", Integer),
    Column("reply", Text),
    Column("reason", Text),
    UniqueConstraint("mailing_id", "subscriber_id", "copy"),  # nobody gets an issue twice
    # One index per state that is looked up: SQLite does not use `state IN (…)` for `state = 'queued'`.
    Index("delivery_queued", "mailing_id", "id", sqlite_where=text("state = 'queued'")),
    Index("delivery_sending", "mailing_id", "id", sqlite_where=text("state = 'sending'")),
    Index("delivery_deferred", "mailing_id", "due_at", sqlite_where=text("state = 'deferred'")),
    sqlite_autoincrement=True,
)
