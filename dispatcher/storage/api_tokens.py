"""Keeps the tokens of other systems: by hash, each with its rights."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, insert, select, update

from dispatcher.storage.database import Database, now
from dispatcher.storage.schema import api_token

_PREFIX = "dispatcher_"  # so that secret scanners know it


class Right(StrEnum):
    """What a token allows; none allows anything else."""

    SUBSCRIBE = "subscribe"  # ask for an address to be put on a list; its owner still has to confirm
    UNSUBSCRIBE = "unsubscribe"
    SHOW = "show"  # read what is known about one address
    METRICS = "metrics"  # read counts


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    name: str
    rights: tuple[Right, ...]
    made_at: datetime
    used_at: datetime | None  # to the hour


def make_token(database: Database, name: str, rights: Sequence[Right]) -> str | None:
    """The token, which nobody sees again; None if the name is taken."""
    text = _PREFIX + secrets.token_urlsafe(32)
    with database.writing() as connection:
        if connection.scalar(select(api_token.c.name).where(api_token.c.name == name)) is not None:
            return None
        kept = sorted({right.value for right in rights})
        connection.execute(insert(api_token).values(name=name, hash=_hash(text), rights=kept, made_at=now()))
    return text


def find_token(database: Database, text: str) -> ApiToken | None:
    """Whose token this is. The text is random and looked up by its hash, so the time it takes tells nothing."""
    with database.reading() as connection:
        row = connection.execute(select(api_token).where(api_token.c.hash == _hash(text))).one_or_none()
    if row is None:
        return None
    if row.used_at is None or now() - row.used_at > timedelta(hours=1):
        with database.writing() as connection:
            connection.execute(update(api_token).where(api_token.c.name == row.name).values(used_at=now()))
    return ApiToken(
        name=row.name, rights=tuple(Right(each) for each in row.rights), made_at=row.made_at, used_at=row.used_at
    )


def api_tokens(database: Database) -> list[ApiToken]:
    with database.reading() as connection:
        rows = connection.execute(select(api_token).order_by(api_token.c.name)).all()
    return [
        ApiToken(name=row.name, rights=tuple(map(Right, row.rights)), made_at=row.made_at, used_at=row.used_at)
        for row in rows
    ]


def revoke_token(database: Database, name: str) -> bool:
    with database.writing() as connection:
        return connection.execute(delete(api_token).where(api_token.c.name == name)).rowcount > 0


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
