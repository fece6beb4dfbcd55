"""Remembers which signing secrets have been in use, so that a run without one of them is noticed."""

from collections.abc import Sequence

from sqlalchemy import insert, select

from dispatcher.errors import SettingsWrong
from dispatcher.storage.database import Database, now
from dispatcher.storage.schema import signing_key
from dispatcher.tokens import fingerprint


def require_keys(database: Database, secrets: Sequence[str]) -> None:
    """Raises SettingsWrong if a secret that signed earlier mail is missing: links in it would die."""
    given = {fingerprint(secret) for secret in secrets}
    with database.reading() as connection:
        lacking = sorted(set(connection.scalars(select(signing_key.c.fingerprint))) - given)
    if lacking:
        raise SettingsWrong(
            f"the signing secret with fingerprint {', '.join(lacking)} is missing; earlier unsubscribe links need it: "
            "restore dispatcher.key, or add the old secret behind the new one in DISPATCHER_SECRET"
        )


def remember_key(database: Database, secret: str) -> None:
    """Notes the secret that signs, by its fingerprint."""
    name = fingerprint(secret)
    with database.writing() as connection:
        known = connection.scalar(select(signing_key.c.fingerprint).where(signing_key.c.fingerprint == name))
        if known is None:
            connection.execute(insert(signing_key).values(fingerprint=name, first_used_at=now()))
