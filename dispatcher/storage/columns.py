"""What columns are made of: text that sorts alike on both databases, moments, numbers, JSON."""

import json
import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Dialect, Integer, String, Text, TypeDecorator, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine


def words(most: int | None = None) -> String:
    """Text that sorts by code point on both databases; PostgreSQL, which would insist on it, is told no limit."""
    return (Text() if most is None else String(most)).with_variant(Text(collation="C"), "postgresql")


def only(condition: str) -> dict[str, Any]:
    """Options of an index of those rows alone."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class Moment(TypeDecorator[datetime]):
    """An aware UTC time, kept as ISO text of one width, so that it sorts as it reads."""

    impl = String(32)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return Text(collation="C") if dialect.name == "postgresql" else String(32)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else as_text(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else from_text(value)


def as_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def from_text(value: str) -> datetime:
    return datetime.fromisoformat(value)


_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode  # json.dumps makes an encoder for each value


def as_json(value: object) -> str:
    """What both databases keep alike, and what is equal in one spelling: PostgreSQL has no U+0000."""
    text = _encode(value)
    return re.sub(r"(?<!\\)((?:\\\\)*)\\u0000", "\\1\ufffd", text) if "\\u0000" in text else text


# SQLite counts rows by INTEGER only; PostgreSQL needs room for 100 million deliveries a day.
Id = BigInteger().with_variant(Integer(), "sqlite")
Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
