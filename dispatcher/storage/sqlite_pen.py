"""Writes the ledger in SQLite: by the driver's own statements, one writer at a time."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from sqlalchemy import Engine

from dispatcher.models import Outcome, State
from dispatcher.storage.pen import Claim, NotBeingSentError, recorded

_T = TypeVar("_T")

CLAIM = """
    UPDATE delivery SET state = 'sending', attempts = attempts + 1, due_at = NULL,
        first_attempt_at = coalesce(first_attempt_at, ?)
    WHERE id = ? AND state = 'queued' AND EXISTS (
        SELECT 1 FROM membership WHERE membership.list_id = delivery.list_id
        AND membership.subscriber_id = delivery.subscriber_id AND membership.state = 'active')
"""
_SKIP_WHO_LEFT = """
    UPDATE delivery SET state = 'skipped', settled_at = ?, reason = coalesce((
        SELECT CASE membership.state WHEN 'removed' THEN 'no longer on the list' ELSE membership.state END
        FROM membership WHERE membership.list_id = delivery.list_id
        AND membership.subscriber_id = delivery.subscriber_id), 'no longer on the list')
    WHERE id = ? AND state = 'queued'
"""
_RECORD = """
    UPDATE delivery SET state = ?, code = ?, reply = ?, reason = ?, due_at = ?, settled_at = ?, relay = ?
    WHERE id = ? AND state = 'sending'
"""
_SKIP = "UPDATE delivery SET state = 'skipped', reason = ?, settled_at = ? WHERE id = ? AND state = 'queued'"
_PUT_BACK = """
    UPDATE delivery SET state = 'queued', code = NULL, reply = NULL, reason = NULL, settled_at = NULL
    WHERE id = ? AND state = 'refused'
"""
_HAND_OVER = "UPDATE mailing SET handed_over_at = coalesce(handed_over_at, ?) WHERE id = ?"
_BEGIN_RUN = "UPDATE mailing SET run = ? WHERE id = ?"
_REQUEUE = """
    UPDATE delivery SET state = 'queued', due_at = NULL
    WHERE mailing_id = ? AND state = 'deferred' AND due_at <= ?
"""
_DOUBT = """
    UPDATE delivery SET state = 'in_doubt', reason = ?, settled_at = ? WHERE mailing_id = ? AND state = 'sending'
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

    def commit(self, outcomes: Sequence[Outcome], claims: Sequence[Claim], at: str) -> list[bool]:
        with contextlib.suppress(_NotAsExpectedError):
            self._write(lambda cursor: _commit_together(cursor, outcomes, claims, at))
            return [True] * len(claims)
        return self._write(lambda cursor: _commit_one_by_one(cursor, outcomes, claims, at))

    def hand_over(self, mailing_id: int, at: str) -> None:
        self._write(lambda cursor: cursor.execute(_HAND_OVER, (at, mailing_id)))

    def begin_run(self, mailing_id: int, number: int) -> None:
        self._write(lambda cursor: cursor.execute(_BEGIN_RUN, (number, mailing_id)))

    def put_back(self, delivery_ids: Iterable[int]) -> None:
        self._write(lambda cursor: cursor.executemany(_PUT_BACK, [(each,) for each in delivery_ids]))

    def requeue(self, mailing_id: int, until: str) -> int:
        return self._write(lambda cursor: cursor.execute(_REQUEUE, (mailing_id, until)).rowcount)

    def doubt(self, mailing_id: int, reason: str, at: str) -> int:
        return self._write(lambda cursor: cursor.execute(_DOUBT, (reason, at, mailing_id)).rowcount)

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


def _commit_together(cursor: sqlite3.Cursor, outcomes: Sequence[Outcome], claims: Sequence[Claim], at: str) -> None:
    """For the case that all is well: who claims what nobody left, and records what he claimed."""
    if any(each.state is State.SKIPPED for each in outcomes) or any(each.ended is not None for each in claims):
        raise _NotAsExpectedError
    if outcomes:
        cursor.executemany(_RECORD, [recorded(each, at) for each in outcomes])
        if cursor.rowcount != len(outcomes):
            raise _NotAsExpectedError
    if claims:
        cursor.executemany(CLAIM, [(each.at_text, each.delivery_id) for each in claims])
        if cursor.rowcount != len(claims):
            raise _NotAsExpectedError


def _commit_one_by_one(
    cursor: sqlite3.Cursor, outcomes: Sequence[Outcome], claims: Sequence[Claim], at: str
) -> list[bool]:
    for outcome in outcomes:
        if outcome.state is State.SKIPPED:
            cursor.execute(_SKIP, (outcome.reason, at, outcome.delivery_id))
        else:
            _record(cursor, outcome, at)
    return [_claim(cursor, claim, at) for claim in claims]


def _claim(cursor: sqlite3.Cursor, claim: Claim, at: str) -> bool:
    cursor.execute(CLAIM, (claim.at_text, claim.delivery_id))
    if cursor.rowcount == 1:
        if claim.ended is not None:
            _record(cursor, claim.ended, at)
        return True
    cursor.execute(_SKIP_WHO_LEFT, (claim.at_text, claim.delivery_id))
    return False


def _record(cursor: sqlite3.Cursor, outcome: Outcome, at: str) -> None:
    cursor.execute(_RECORD, recorded(outcome, at))
    if cursor.rowcount != 1:
        raise NotBeingSentError(outcome.delivery_id)
