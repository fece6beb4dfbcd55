"""Deals out what all runs together may have of a limit, by the one clock and the one count that they share.

PostgreSQL only. A row of `allowance` is the lock of its key; who asks for several locks them in their keys' order.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, or_, select, text, update

from dispatcher.models import State
from dispatcher.storage.database import Database
from dispatcher.storage.runs import clock
from dispatcher.storage.schema import delivery, holding, run

HORIZON = 0.3  # seconds ahead for which messages are granted; with what may be late, the longest burst
_TURN = 10.0  # seconds
_FEWEST = 10  # messages of a day that are reserved at a time
_SILENT = timedelta(seconds=60)  # since a run's last sign of life: it will not use what it has reserved

_KNOW = """
    INSERT INTO allowance (key, next_at) SELECT key, 0 FROM unnest(%s::text[]) AS asked (key) ORDER BY key
    ON CONFLICT DO NOTHING
"""
_LOCK = "SELECT FROM allowance WHERE key = ANY(%s) ORDER BY key FOR UPDATE"
_GRANT = f"""
    WITH asked AS (
        SELECT * FROM unnest(%s::text[], %s::float8[], %s::int[], %s::int[])
            AS asked (key, per_second, messages, unused)),
    clock AS MATERIALIZED (SELECT extract(epoch FROM clock_timestamp())::float8 AS now),
    begun AS (
        SELECT key, per_second, messages, now, greatest(next_at - unused / per_second, now) AS at
        FROM asked JOIN allowance USING (key) CROSS JOIN clock),
    granted AS MATERIALIZED (
        SELECT key, per_second, at, at - now AS begins_in, CASE WHEN at < now + {HORIZON} THEN
            least(messages, greatest(1, floor(({HORIZON} - (at - now)) * per_second + 0.001)))::int ELSE 0 END
            AS messages
        FROM begun),
    moved AS (
        UPDATE allowance SET next_at = granted.at + granted.messages / granted.per_second
        FROM granted WHERE allowance.key = granted.key)
    SELECT key, begins_in, messages FROM granted
"""  # noqa: S608  a constant
_GIVE_BACK = "DELETE FROM holding WHERE run_id = %s AND key = ANY(%s)"
_DECLARE = """
    INSERT INTO holding (key, run_id, count, wanted, most)
    SELECT key, %s, uses, wants, most
    FROM unnest(%s::text[], %s::int[], %s::int[], %s::int[]) AS asked (key, uses, wants, most)
    ON CONFLICT (key, run_id) DO UPDATE
    SET count = excluded.count, wanted = excluded.wanted, most = excluded.most
"""
# Each run that wants some has an equal part; what some do not want is parted among the hungry ones. The parts are never
# more than there is, so that each comes to its own as soon as the others have come down to theirs.
_PLACE = """
    WITH living AS MATERIALIZED (
        SELECT holding.* FROM holding JOIN run ON run.id = holding.run_id
        WHERE key = ANY(%s) AND run.ended_at IS NULL),
    whole AS (
        SELECT key, run_id, count, wanted, min(most) OVER own AS most, sum(count) OVER own AS held,
            min(most) OVER own / count(*) OVER own AS fair
        FROM living WINDOW own AS (PARTITION BY key)),
    spread AS (
        SELECT *, wanted > fair AS is_hungry, most - sum(least(wanted, fair)) OVER own AS spare,
            count(*) FILTER (WHERE wanted > fair) OVER own AS hungry,
            row_number() OVER (PARTITION BY key, wanted > fair ORDER BY run_id)
                + CASE WHEN fair > 0 THEN 0 ELSE floor(extract(epoch FROM now()) / %s::float8) END AS turn
        FROM whole WINDOW own AS (PARTITION BY key)),
    part AS (
        SELECT key, count, most - held + count AS free, CASE WHEN NOT is_hungry THEN wanted
            ELSE least(wanted, fair + div(spare, hungry)
                + CASE WHEN mod(turn::bigint, hungry) < mod(spare, hungry) THEN 1 ELSE 0 END) END AS part
        FROM spread WHERE run_id = %s),
    placed AS MATERIALIZED (SELECT key, count, greatest(0, least(part, free))::int AS places FROM part),
    kept AS (
        UPDATE holding SET count = greatest(placed.count, placed.places)
        FROM placed WHERE holding.key = placed.key AND holding.run_id = %s)
    SELECT key, places FROM placed
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageWish:
    """Messages that would go within the horizon, of a limit that is a rate."""

    key: str
    per_second: float
    messages: int
    unused: int = 0  # that were granted and did not go: they are given back


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceWish:
    """Connections, of a limit that is a count; none wanted and none in use gives all back."""

    key: str
    most: int  # of all runs together
    uses: int  # they stay the run's, whatever is dealt out
    wants: int  # with those


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Messages that may go at the rate's interval, the first after so many seconds."""

    begins_in: float
    messages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dealt:
    """What a run got of each key; places are all that it may have, fewer than it uses if others are to have some."""

    messages: dict[str, Grant]
    places: dict[str, int]


class Allowances:
    """A connection of its own for asking: all in one round trip, so that no key is locked while a net is slow."""

    def __init__(self, database: Database, *, turn: float = _TURN) -> None:
        """`turn` is for how many seconds a run may keep a place if there are fewer places than runs."""
        self._database = database
        self._turn = turn
        self._connection: Any = None  # the driver's

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def deal(self, run_id: int, messages: Sequence[MessageWish], places: Sequence[PlaceWish]) -> Dealt:
        """Raises LedgerFailed; then nothing of it is the run's."""
        with self._database.failures_named():
            try:
                return self._deal(run_id, messages, [each for each in places if each.uses or each.wants],
                                  [each.key for each in places if not (each.uses or each.wants)])  # fmt: skip
            except Exception:
                self.close()
                raise

    def _deal(
        self, run_id: int, messages: Sequence[MessageWish], places: Sequence[PlaceWish], back: Sequence[str]
    ) -> Dealt:
        connection = self._open()
        keys = sorted({*(each.key for each in messages), *(each.key for each in places)})
        places_keys = [each.key for each in places]
        with connection.pipeline(), connection.transaction():
            if back:
                connection.execute(_GIVE_BACK, (run_id, back))
            connection.execute(_KNOW, (keys,))
            connection.execute(_LOCK, (keys,))  # what follows sees what those have done who had the lock before
            granted = connection.execute(
                _GRANT, ([each.key for each in messages], [each.per_second for each in messages],
                         [each.messages for each in messages], [each.unused for each in messages])
            )  # fmt: skip
            connection.execute(
                _DECLARE, (run_id, places_keys, [each.uses for each in places], [each.wants for each in places],
                           [each.most for each in places])
            )  # fmt: skip
            placed = connection.execute(_PLACE, (places_keys, self._turn, run_id, run_id))
        return Dealt(
            messages={key: Grant(begins_in=begins_in, messages=count) for key, begins_in, count in granted.fetchall()},
            places=dict(placed.fetchall()),
        )

    def _open(self) -> Any:
        if self._connection is None:
            pooled = self._database.engine.raw_connection()
            self._connection = pooled.driver_connection
            pooled.detach()
            self._connection.autocommit = True
            # Not worth a flush: what a crash of the server forgets is declared again, or was half a second's messages.
            self._connection.execute("SET synchronous_commit = off; SET idle_in_transaction_session_timeout = '10s'")
        return self._connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """Messages of a relay's day that became a run's."""

    messages: int
    is_over: bool  # and no other run is going to give some back


def reserve(
    database: Database, run_id: int, key: str, *, relay: str, since: datetime, most: int, used: int
) -> Reserved:
    """A part of what is left of a relay's day for a run that has used so many of those it had.

    What a run has reserved counts until its end, whether or not it has sent it; the ledger tells what others sent.
    """
    with database.writing_beside() as connection:
        connection.execute(
            text("INSERT INTO allowance (key, next_at) VALUES (:key, 0) ON CONFLICT DO NOTHING"), {"key": key}
        )
        connection.execute(text("SELECT FROM allowance WHERE key = :key FOR UPDATE"), {"key": key})
        living = connection.execute(
            select(holding.c.run_id, holding.c.count.label("reserved"), holding.c.wanted.label("used"), run.c.seen_at)
            .join(run, run.c.id == holding.c.run_id)
            .where(holding.c.key == key, run.c.ended_at.is_(None))
        ).all()
        own = next((each.reserved for each in living if each.run_id == run_id), 0)
        others = [each for each in living if each.run_id != run_id]
        sent = _sent_over(connection, relay, since, but_not={run_id, *(each.run_id for each in others)})
        left = max(most - sent - own - sum(each.reserved for each in others), 0)
        got = min(left, max(left // (4 * (len(others) + 1)), _FEWEST))
        connection.execute(
            text(
                "INSERT INTO holding (key, run_id, count, wanted, most) VALUES (:key, :run_id, :count, :used, :most)"
                " ON CONFLICT (key, run_id) DO UPDATE SET count = excluded.count, wanted = excluded.wanted"
            ),
            {"key": key, "run_id": run_id, "count": own + got, "used": used, "most": most},
        )
        heard_since = clock(connection) - _SILENT
        is_over = not got and all(each.reserved <= each.used or each.seen_at < heard_since for each in others)
    return Reserved(messages=got, is_over=is_over)


def keep_used(database: Database, run_id: int, key: str, *, used: int) -> None:
    """Gives back what a run has reserved of a relay's day and not used."""
    with database.writing_beside() as connection:
        connection.execute(
            update(holding).where(holding.c.key == key, holding.c.run_id == run_id).values(count=used, wanted=used)
        )


def forget_old_limits(database: Database) -> None:
    """Those of which nobody was granted anything for a day; only while nobody sends."""
    old = text("SELECT key FROM allowance WHERE next_at < extract(epoch FROM now()) - 86400 LIMIT 1")
    nobody_sends = ~select(run.c.id).where(run.c.ended_at.is_(None), run.c.mailing_id.is_not(None)).exists()
    with database.writing_beside() as connection:
        if not connection.scalar(select(nobody_sends)) or connection.scalar(old) is None:
            return
        # Against who has noted a key and is about to lock it.
        connection.execute(text("LOCK TABLE allowance IN SHARE ROW EXCLUSIVE MODE"))
        connection.execute(
            text(
                "DELETE FROM allowance WHERE next_at < extract(epoch FROM now()) - 86400"
                " AND NOT EXISTS (SELECT FROM holding WHERE holding.key = allowance.key)"
            )
        )


def _sent_over(connection: Connection, relay: str, since: datetime, *, but_not: Collection[int]) -> int:
    """Messages that a relay took since then from runs that are over."""
    query = select(func.count()).where(
        delivery.c.relay == relay, delivery.c.state == State.SENT, delivery.c.settled_at >= since,
        or_(delivery.c.run.is_(None), delivery.c.run.not_in(but_not)),
    )  # fmt: skip
    return connection.scalar(query) or 0
