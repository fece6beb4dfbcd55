"""Counts what is on its way for those who watch it: how much was settled lately, and what relays say by domain."""

from collections import Counter
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select

from dispatcher.storage.database import Database
from dispatcher.storage.schema import delivery, fact, subscriber


def reach(database: Database) -> None:
    """Reads a row of it. Raises LedgerFailed."""
    with database.reading() as connection:
        connection.execute(select(fact.c.name).limit(1)).first()


def settled_since(database: Database, mailing_ids: Collection[int], since: datetime) -> dict[int, int]:
    """How many rows of each mailing came to their end since then."""
    query = (
        select(delivery.c.mailing_id, func.count())
        .where(delivery.c.mailing_id.in_(mailing_ids), delivery.c.settled_at >= since)
        .group_by(delivery.c.mailing_id)
    )
    with database.reading() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}


def replies_by_domain(database: Database, mailing_id: int) -> Counter[tuple[str, int]]:
    """How often a relay's last word for readers of a domain had a code."""
    query = (
        select(subscriber.c.domain, delivery.c.code, func.count())
        .join(subscriber, subscriber.c.id == delivery.c.subscriber_id)
        .where(delivery.c.mailing_id == mailing_id, delivery.c.code.is_not(None))
        .group_by(subscriber.c.domain, delivery.c.code)
    )
    with database.reading() as connection:
        return Counter({(domain, code): rows for domain, code, rows in connection.execute(query)})
