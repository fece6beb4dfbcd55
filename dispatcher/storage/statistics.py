"""Counts readers: by list and standing, by language, by domain, and how many came and went each month."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import String, case, func, select

from dispatcher.storage.database import Database
from dispatcher.storage.schema import event, membership, reader_list, subscriber
from dispatcher.storage.standing import Standing

_ON = ("joined", "returned", "confirmed", Standing.ACTIVE.value, Standing.PAUSED.value)


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
    """Who came and who went, by month and list, oldest first; who left and is suppressed later went once."""
    is_on = case((event.c.kind.in_(_ON), 1), else_=0)
    was_on = func.lag(is_on, 1, 0).over(partition_by=(event.c.list_id, event.c.subscriber_id), order_by=event.c.id)
    month = func.substr(event.c.at, 1, 7, type_=String).label("month")  # as the database keeps times
    steps = (
        select(event.c.list_id, month, (is_on - was_on).label("step")).where(event.c.list_id.is_not(None)).subquery()
    )
    query = (
        select(
            steps.c.month,
            reader_list.c.name,
            func.sum(case((steps.c.step == 1, 1), else_=0)).label("came"),
            func.sum(case((steps.c.step == -1, 1), else_=0)).label("went"),
        )
        .join(reader_list, reader_list.c.id == steps.c.list_id)
        .group_by(steps.c.month, reader_list.c.name)
        .order_by(steps.c.month, reader_list.c.name)
    )
    with database.reading() as connection:
        return [
            Growth(month=row.month, list_name=row.name, came=row.came, went=row.went)
            for row in connection.execute(query)
            if row.came or row.went
        ]


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
