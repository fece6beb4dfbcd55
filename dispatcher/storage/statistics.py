"""Counts readers: by list and standing, by language, by domain, and how many came and went each month."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select

from dispatcher.storage.database import Database
from dispatcher.storage.schema import event, membership, reader_list, subscriber
from dispatcher.storage.standing import Standing

_CAME = ("joined", "returned")


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """One list in one month."""

    month: str  # 2026-11
    list_name: str
    came: int
    went: int


def standings(database: Database) -> dict[str, Mapping[str, int]]:
    """People by standing, for each list."""
    query = (
        select(reader_list.c.name, membership.c.state, func.count().label("people"))
        .join(membership, membership.c.list_id == reader_list.c.id)
        .group_by(reader_list.c.name, membership.c.state)
        .order_by(reader_list.c.name)
    )
    found: dict[str, dict[str, int]] = {}
    with database.reading() as connection:
        for row in connection.execute(query):
            found.setdefault(row.name, {})[row.state] = row.people
    return dict(found)


def languages(database: Database) -> dict[str | None, int]:
    """Readers of any list by language."""
    return _readers_by(database, subscriber.c.language)


def domains(database: Database, most: int) -> dict[str | None, int]:
    """Readers of any list by domain, the commonest first."""
    return dict(list(_readers_by(database, subscriber.c.domain).items())[:most])


def growth(database: Database) -> list[Growth]:
    """Who came and who went, by month and list, oldest first."""
    month = func.substr(event.c.at, 1, 7).label("month")
    query = (
        select(month, reader_list.c.name, event.c.kind, func.count().label("people"))
        .join(reader_list, reader_list.c.id == event.c.list_id)
        .group_by(month, reader_list.c.name, event.c.kind)
        .order_by(month, reader_list.c.name)
    )
    found: dict[tuple[str, str], list[int]] = {}
    with database.reading() as connection:
        for row in connection.execute(query):
            tally = found.setdefault((row.month, row.name), [0, 0])
            if row.kind in _CAME:
                tally[0] += row.people
            elif row.kind in {each.value for each in Standing} - {Standing.ACTIVE, Standing.PAUSED}:
                tally[1] += row.people
    return [Growth(month=month, list_name=name, came=came, went=went) for (month, name), (came, went) in found.items()]


def _readers_by(database: Database, column: object) -> dict[str | None, int]:
    on_a_list = select(membership.c.subscriber_id).where(membership.c.state == Standing.ACTIVE)
    people = func.count().label("people")
    query = (
        select(column, people)  # type: ignore[call-overload]
        .where(subscriber.c.id.in_(on_a_list))
        .group_by(column)
        .order_by(people.desc(), column)
    )
    with database.reading() as connection:
        return {row[0]: row.people for row in connection.execute(query)}
