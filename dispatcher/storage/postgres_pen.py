"""Writes the ledger in PostgreSQL: a statement for all rows of a commit, which locks them in one order.

A claim locks the membership it rests on until it is durable: who leaves meanwhile waits that long for his answer.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg.errors import DeadlockDetected, SerializationFailure
from psycopg.types.string import StrDumper
from sqlalchemy import Engine

from dispatcher.models import Outcome, State
from dispatcher.storage.pen import BLOCK, Claim, NotBeingSentError, recorded

_T = TypeVar("_T")
# A process that is stopped, or cut off, in mid-transaction keeps its locks no longer than this.
_GIVES_UP = "SET idle_in_transaction_session_timeout = '10s'"
_NO_ID = 2**63 - 1  # beyond all
_TRIES = 5  # at a transaction that the server gave up so that another could go on

_ENDED = """
    ended AS MATERIALIZED (
        SELECT told.* FROM unnest(%s::text[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::bigint[]) AS told (state, code, reply, reason, due_at, settled_at, relay, id)
        JOIN delivery ON delivery.id = told.id
        WHERE delivery.state = 'sending' AND delivery.run IS NOT DISTINCT FROM %s::bigint
        ORDER BY delivery.id FOR UPDATE OF delivery)
"""
_RECORDED = """
    UPDATE delivery SET state = ended.state, code = ended.code, reply = ended.reply, reason = ended.reason,
        due_at = ended.due_at, settled_at = ended.settled_at, relay = ended.relay
    FROM ended WHERE delivery.id = ended.id
"""
# The run is locked against its end, then memberships, then deliveries, in the order of ids: so no two writers wait for
# each other.
_FREE = """
    alive AS MATERIALIZED (SELECT id FROM run WHERE id = %s::bigint AND ended_at IS NULL FOR KEY SHARE),
    wanted AS (SELECT * FROM unnest(%s::bigint[], %s::text[]) AS wanted (id, at)
        WHERE %s::bigint IS NULL OR EXISTS (SELECT FROM alive)),
    stays AS MATERIALIZED (
        SELECT wanted.id, wanted.at FROM wanted JOIN delivery ON delivery.id = wanted.id
        JOIN membership ON membership.list_id = delivery.list_id
            AND membership.subscriber_id = delivery.subscriber_id
        WHERE delivery.state = 'queued' AND membership.state = 'active'
        ORDER BY wanted.id FOR SHARE OF membership),
    free AS MATERIALIZED (
        SELECT delivery.id, stays.at FROM stays JOIN delivery ON delivery.id = stays.id
        WHERE delivery.state = 'queued' ORDER BY delivery.id FOR UPDATE OF delivery)
"""
_CLAIMED = """
    UPDATE delivery SET state = 'sending', attempts = attempts + 1, due_at = NULL,
        run = %s::bigint, first_attempt_at = coalesce(first_attempt_at, free.at)
    FROM free WHERE delivery.id = free.id
"""
_RECORD = f"WITH {_ENDED} {_RECORDED} RETURNING delivery.id"
_SETTLE = _RECORD.replace("state = 'sending'", "state IN ('sending', 'in_doubt')")
CLAIM = f"WITH {_FREE} {_CLAIMED} RETURNING delivery.id"
# Where all is as expected, both are one statement and its own transaction; of outcomes it writes all or nothing.
_TOGETHER = f"""
    WITH {_ENDED}, whole AS MATERIALIZED (SELECT count(*) = %s AS holds FROM ended), {_FREE},
    recorded AS ({_RECORDED} AND (SELECT holds FROM whole) RETURNING delivery.id),
    claimed AS ({_CLAIMED} AND (SELECT holds FROM whole) RETURNING delivery.id)
    SELECT id, true FROM claimed UNION ALL SELECT id, false FROM recorded
"""  # noqa: S608  constants
_SKIP_WHO_LEFT = """
    UPDATE delivery SET state = 'skipped', settled_at = %s, reason = coalesce((
        SELECT CASE membership.state WHEN 'removed' THEN 'no longer on the list' ELSE membership.state END
        FROM membership WHERE membership.list_id = delivery.list_id
        AND membership.subscriber_id = delivery.subscriber_id AND membership.state <> 'active'),
        'no longer on the list')
    WHERE id = ANY(%s) AND state = 'queued' AND NOT EXISTS (
        SELECT 1 FROM membership WHERE membership.list_id = delivery.list_id
        AND membership.subscriber_id = delivery.subscriber_id AND membership.state = 'active')
"""
_SKIP = """
    UPDATE delivery SET state = 'skipped', reason = told.reason, settled_at = %s
    FROM unnest(%s::bigint[], %s::text[]) AS told (id, reason) WHERE delivery.id = told.id AND state = 'queued'
"""
_PUT_BACK = """
    UPDATE delivery SET state = 'queued', code = NULL, reply = NULL, reason = NULL, settled_at = NULL
    WHERE id IN (SELECT id FROM delivery WHERE id = ANY(%s) AND state = 'refused' ORDER BY id FOR UPDATE)
"""
# Against the end of a release by who does not see yet that rows are queued again.
_LOCK_MAILINGS = """
    SELECT FROM mailing WHERE id IN (SELECT mailing_id FROM delivery WHERE id = ANY(%s)) ORDER BY id FOR NO KEY UPDATE
"""
# One with hands in the queue, or whose end others made; what send-issue puts back alone is its own.
_IS_ONE_OF_SEVERAL = "SELECT 1 FROM run WHERE id = %s AND (worker_id IS NOT NULL OR ended_at IS NOT NULL)"
# What one that others took for dead never sent, or one put back, when all the others were done: workers go on with it.
_RELEASE_AGAIN = """
    UPDATE mailing SET released_at = %s
    WHERE kind = 'live' AND released_at IS NULL AND stopped_at IS NULL AND paused_because IS DISTINCT FROM 'cancelled'
    AND id IN (SELECT mailing_id FROM delivery WHERE id = ANY(%s) AND state IN ('queued', 'deferred'))
    AND NOT EXISTS (SELECT FROM delivery WHERE mailing_id = mailing.id AND state = 'queued' AND id <> ALL(%s))
"""
_HAND_OVER = "UPDATE mailing SET handed_over_at = coalesce(handed_over_at, %s) WHERE id = %s"
_REQUEUE = """
    UPDATE delivery SET state = 'queued', due_at = NULL
    WHERE id IN (SELECT id FROM delivery WHERE mailing_id = %s AND state = 'deferred' AND due_at <= %s
        AND id >= %s AND id < %s ORDER BY id FOR UPDATE)
"""


class PostgresPen:
    """See pen.Pen."""

    def __init__(self, engine: Engine) -> None:
        self._pooled = engine.raw_connection()
        self.connection: psycopg.Connection[tuple[Any, ...]] = self._pooled.driver_connection  # type: ignore[assignment]
        self._pooled.detach()  # the pool has no part in it: it may break, and is closed then as always
        self.connection.autocommit = True
        self.connection.execute(_GIVES_UP)
        self.connection.adapters.register_dumper(str, StrDumper)  # the fast one; what a relay says is cleaned below

    def close(self) -> None:
        self.connection.close()

    def commit(self, outcomes: Sequence[Outcome], claims: Sequence[Claim], at: str, run: int | None) -> list[bool]:
        wanted = [each.delivery_id for each in claims]
        taken = _insisting(lambda: self._commit(outcomes, claims, at, run))
        if left := [number for number in wanted if number not in taken]:
            _insisting(lambda: self.connection.execute(_SKIP_WHO_LEFT, (at, left)))
        return [number in taken for number in wanted]

    def settle(self, outcomes: Sequence[Outcome], at: str, run: int | None) -> None:
        _insisting(lambda: self._settle(outcomes, at, run))

    def hand_over(self, mailing_id: int, at: str) -> None:
        self.connection.execute(_HAND_OVER, (at, mailing_id))

    def put_back(self, delivery_ids: Iterable[int], at: str, run: int | None) -> None:
        _insisting(lambda: self._put_back(list(delivery_ids), at, run))

    def requeue(self, mailing_id: int, until: str, blocks: Sequence[int] | None) -> int:
        ranges = [(0, _NO_ID)] if blocks is None else [(block * BLOCK, (block + 1) * BLOCK) for block in blocks]
        return sum(self.connection.execute(_REQUEUE, (mailing_id, until, *each)).rowcount for each in ranges)

    def _commit(self, outcomes: Sequence[Outcome], claims: Sequence[Claim], at: str, run: int | None) -> set[int]:
        """Returns the rows that are claimed; one round trip."""
        wanted, times = [each.delivery_id for each in claims], [each.at_text for each in claims]
        rows = [*(each.delivery_id for each in outcomes), *wanted]
        is_plain = len(set(rows)) == len(rows) and not any(each.ended for each in claims)
        if not is_plain or any(each.state is State.SKIPPED for each in outcomes):
            return self._commit_step_by_step(outcomes, claims, at, run)
        values = (*_columns(outcomes, at), run, len(outcomes), run, wanted, times, run, run)
        written = self.connection.execute(_TOGETHER, values).fetchall()
        _require_all(outcomes, {number for number, is_claim in written if not is_claim})
        return {number for number, is_claim in written if is_claim}

    def _commit_step_by_step(
        self, outcomes: Sequence[Outcome], claims: Sequence[Claim], at: str, run: int | None
    ) -> set[int]:
        """For early ends, skipped readers, and a row that is claimed in the commit that queues it again."""
        skipped = [each for each in outcomes if each.state is State.SKIPPED]
        ids, reasons = [each.delivery_id for each in skipped], [each.reason for each in skipped]
        wanted, times = [each.delivery_id for each in claims], [each.at_text for each in claims]
        with self.connection.transaction():
            self.connection.execute(_SKIP, (at, ids, reasons))
            self._record([each for each in outcomes if each.state is not State.SKIPPED], at, run)
            claiming = self.connection.execute(CLAIM, (run, wanted, times, run, run))
            taken = {number for (number,) in claiming}
            ended = [each.ended for each in claims if each.ended is not None and each.delivery_id in taken]
            self._record(ended, at, run)
        return taken

    def _settle(self, outcomes: Sequence[Outcome], at: str, run: int | None) -> None:
        not_sent = [each.delivery_id for each in outcomes if each.state in {State.QUEUED, State.DEFERRED}]
        with self.connection.transaction():
            self.connection.execute(_LOCK_MAILINGS, (not_sent,))
            self.connection.execute(_SETTLE, (*_columns(outcomes, at), run))
            self.connection.execute(_RELEASE_AGAIN, (at, not_sent, not_sent))

    def _put_back(self, delivery_ids: list[int], at: str, run: int | None) -> None:
        with self.connection.transaction():
            self.connection.execute(_LOCK_MAILINGS, (delivery_ids,))
            self.connection.execute(_PUT_BACK, (delivery_ids,))
            if self.connection.execute(_IS_ONE_OF_SEVERAL, (run,)).fetchone():
                self.connection.execute(_RELEASE_AGAIN, (at, delivery_ids, delivery_ids))

    def _record(self, outcomes: Sequence[Outcome], at: str, run: int | None) -> None:
        if outcomes:
            recording = self.connection.execute(_RECORD, (*_columns(outcomes, at), run))
            _require_all(outcomes, {number for (number,) in recording})


def _insisting(work: Callable[[], _T]) -> _T:
    """Does again what the server gave up so that another could go on; nothing of it happened."""
    for _ in range(_TRIES - 1):
        try:
            return work()
        except (DeadlockDetected, SerializationFailure):
            continue
    return work()


def _columns(outcomes: Sequence[Outcome], at: str) -> list[list[object]]:
    if not outcomes:
        return [[] for _ in range(8)]
    state, code, *others = map(list, zip(*(recorded(each, at) for each in outcomes), strict=True))
    reply, reason = ([said and said.replace("\0", "\ufffd") for said in column] for column in others[:2])
    return [state, code, reply, reason, *others[2:]]


def _require_all(outcomes: Sequence[Outcome], written: set[int]) -> None:
    for each in outcomes:
        if each.delivery_id not in written:
            raise NotBeingSentError(each.delivery_id)
