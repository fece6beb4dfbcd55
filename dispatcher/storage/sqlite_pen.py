"""Writes the ledger in SQLite: by the driver's own statements, one writer at a time."""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from sqlalchemy import Engine

from dispatcher.models import Outcome, State
from dispatcher.storage.pen import BLOCK, Claim, NotBeingSentError, recorded

_T = TypeVar("_T")

CLAIM = """
    UPDATE delivery SET state = 'sending', attempts = attempts + 1, due_at = NULL, run = ?1,
        first_attempt_at = coalesce(first_attempt_at, ?2)
    WHERE id = ?3 AND state = 'queued' AND EXISTS (
        SELECT 1 FROM membership WHERE membership.list_id = delivery.list_id
        AND membership.subscriber_id = delivery.subscriber_id AND membership.state = 'active')
    AND NOT EXISTS (SELECT 1 FROM run WHERE run.id = ?1 AND run.ended_at IS NOT NULL)
"""
_SKIP_WHO_LEFT = """
    UPDATE delivery SET state = 'skipped', settled_at = ?, reason = coalesce((
        SELECT CASE membership.state WHEN 'removed' THEN 'no longer on the list' ELSE membership.state END
        FROM membership WHERE membership.list_id = delivery.list_id
        AND membership.subscriber_id = delivery.subscriber_id), 'no longer on the list')
    WHERE id = ? AND state = 'queued' AND NOT EXISTS (
        SELECT 1 FROM membership WHERE membership.list_id = delivery.list_id
        AND membership.subscriber_id = delivery.subscriber_id AND membership.state = 'active')
"""
_RECORD = """
    UPDATE delivery SET state = ?, code = ?, reply = ?, reason = ?, due_at = ?, settled_at = ?, relay = ?
    WHERE id = ? AND run IS ? AND state = 'sending'
"""
_SETTLE = _RECORD.replace("state = 'sending'", "state IN ('sending', 'in_doubt')")
_SKIP = "UPDATE delivery SET state = 'skipped', reason = ?, settled_at = ? WHERE id = ? AND state = 'queued'"
_PUT_BACK = """
    UPDATE delivery SET state = 'queued', code = NULL, reply = NULL, reason = NULL, settled_at = NULL
    WHERE id = ? AND state = 'refused'
"""
_HAND_OVER = "UPDATE mailing SET handed_over_at = coalesce(handed_over_at, ?) WHERE id = ?"
_REQUEUE = """
    UPDATE delivery SET state = 'queued', due_at = NULL
    WHERE mailing_id = ?1 AND state = 'deferred' AND due_at <= ?2
    AND (?3 IS NULL OR id / ?4 IN (SELECT value FROM json_each(?3)))
"""


class _NotAsExpectedError(Exception):
    """Some row is not in the state that most are in."""


class SqlitePen:
    """See pen.Pen."""

    def __init__(self, engine: Engine) -> None:
        self._pooled = engine.raw_connection()
        self.connection: sqlite3.Connection = self._pooled.dbapi_connection  # type: ignore[assignment]

    def close(self) -> None:
        self._pooled.close()

    def commit(self, outcomes: Sequence[Outcome], claims: Sequence[Claim], at: str, run: int | None) -> list[bool]:
        with contextlib.suppress(_NotAsExpectedError):
            self._write(lambda cursor: _commit_together(cursor, outcomes, claims, at, run))
            return [True] * len(claims)
        return self._write(lambda cursor: _commit_one_by_one(cursor, outcomes, claims, at, run))

    def settle(self, outcomes: Sequence[Outcome], at: str, run: int | None) -> None:
        self._write(lambda cursor: cursor.executemany(_SETTLE, [(*recorded(each, at), run) for each in outcomes]))

    def hand_over(self, mailing_id: int, at: str) -> None:
        self._write(lambda cursor: cursor.execute(_HAND_OVER, (at, mailing_id)))

    def put_back(self, delivery_ids: Iterable[int], at: str, run: int | None) -> None:  # noqa: ARG002  as Pen has it
        self._write(lambda cursor: cursor.executemany(_PUT_BACK, [(each,) for each in delivery_ids]))

    def requeue(self, mailing_id: int, until: str, blocks: Sequence[int] | None) -> int:
        due = (mailing_id, until, None if blocks is None else json.dumps(list(blocks)), BLOCK)
        return self._write(lambda cursor: cursor.execute(_REQUEUE, due).rowcount)

    def _write(self, work: Callable[[sqlite3.Cursor], _T]) -> _T:
        cursor = self.connection.cursor()
        try:
            cursor.execute("BEGIN IMMEDIATE")
            result = work(cursor)
            cursor.execute("COMMIT")
        finally:
            if self.connection.in_transaction:
                cursor.execute("ROLLBACK")
            cursor.close()
        return result


def _commit_together(
    cursor: sqlite3.Cursor, outcomes: Sequence[Outcome], claims: Sequence[Claim], at: str, run: int | None
) -> None:
    """For the case that all is well: who claims what nobody left, and records what he claimed."""
    if any(each.state is State.SKIPPED for each in outcomes) or any(each.ended is not None for each in claims):
        raise _NotAsExpectedError
    if outcomes:
        cursor.executemany(_RECORD, [(*recorded(each, at), run) for each in outcomes])
        if cursor.rowcount != len(outcomes):
            raise _NotAsExpectedError
    if claims:
        cursor.executemany(CLAIM, [(run, each.at_text, each.delivery_id) for each in claims])
        if cursor.rowcount != len(claims):
            raise _NotAsExpectedError


def _commit_one_by_one(
    cursor: sqlite3.Cursor, outcomes: Sequence[Outcome], claims: Sequence[Claim], at: str, run: int | None
) -> list[bool]:
    for outcome in outcomes:
        if outcome.state is State.SKIPPED:
            cursor.execute(_SKIP, (outcome.reason, at, outcome.delivery_id))
        else:
            _record(cursor, outcome, at, run)
    return [_claim(cursor, claim, at, run) for claim in claims]


def _claim(cursor: sqlite3.Cursor, claim: Claim, at: str, run: int | None) -> bool:
    cursor.execute(CLAIM, (run, claim.at_text, claim.delivery_id))
    if cursor.rowcount == 1:
        if claim.ended is not None:
            _record(cursor, claim.ended, at, run)
        return True
    cursor.execute(_SKIP_WHO_LEFT, (claim.at_text, claim.delivery_id))
    return False


def _record(cursor: sqlite3.Cursor, outcome: Outcome, at: str, run: int | None) -> None:
    cursor.execute(_RECORD, (*recorded(outcome, at), run))
    if cursor.rowcount != 1:
        raise NotBeingSentError(outcome.delivery_id)
