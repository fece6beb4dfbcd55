"""A large mailing on PostgreSQL: no statement walks through what was sent, whatever the planner believes is queued."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dispatcher.models import State
from dispatcher.storage.database import Database
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.mailings import Mailing
from dispatcher.storage.releases import deal_out_again, release, release_what_is_due
from tests.servers.postgresql import PostgreSQL
from tests.storage.books import ANN, NOON, change, enlist, freeze_to, open_at
from tests.storage.test_ledger import steps_in_postgresql

MANY = """
    INSERT INTO delivery (mailing_id, subscriber_id, copy, list_id, edition_id, state, attempts)
    SELECT 1, 1, i, 1, 1, 'queued', 0 FROM generate_series(1, 50000) AS i
"""


@pytest.fixture
def begun(tmp_path: Path, postgresql: PostgreSQL) -> Iterator[tuple[Database, Mailing]]:
    """Of 50 blocks the last is left, and that is more than the planner has heard; deferred readers are due."""
    with postgresql.database() as url, closing(open_at(tmp_path, url)) as database:
        enlist(database, ANN)
        mailing = freeze_to(database)
        change(database, "ALTER TABLE delivery SET (autovacuum_enabled = off)")
        change(database, MANY)
        release(database, mailing.id)
        change(database, "UPDATE delivery SET state = 'deferred', due_at = '2026-01-01' WHERE mod(id, 20) = 0")
        change(database, "ANALYZE delivery")
        change(database, "UPDATE delivery SET state = 'sent' WHERE id < 49500 AND state = 'queued'")
        yield database, mailing


INDEXES = {f"delivery_{state}" for state in (State.QUEUED, State.SENDING, State.DEFERRED)}
USES: dict[str, tuple[Callable[[Ledger], object], set[str]]] = {
    "deal out again": (lambda ledger: deal_out_again(ledger.database), INDEXES),
    "release what is due": (lambda ledger: release_what_is_due(ledger.database), INDEXES),
    "has queued": (lambda ledger: ledger.has(State.QUEUED), {"delivery_queued"}),
    "requeue a block": (lambda ledger: ledger.requeue_deferred(NOON, [7]), {"delivery_pkey"}),
}


@pytest.mark.parametrize("name", USES)
def test_what_is_asked_again_and_again_looks_only_at_what_is_left(begun: tuple[Database, Mailing], name: str) -> None:
    database, mailing = begun
    ask, expected = USES[name]
    with closing(Ledger(database, mailing)) as ledger:
        steps = steps_in_postgresql(database, ledger, lambda: ask(ledger))
    used = {step.split(" using ")[1].split()[0] for step in steps if " using delivery_" in step}
    assert used, steps
    assert used <= expected, steps
    assert not [step for step in steps if "Seq Scan on delivery" in step], steps


def test_the_end_of_a_release_does_not_look_at_every_row(begun: tuple[Database, Mailing]) -> None:
    database, mailing = begun
    change(database, "UPDATE delivery SET state = 'sent' WHERE state IN ('queued', 'deferred')")
    with closing(Ledger(database, mailing)) as ledger:
        steps = steps_in_postgresql(database, ledger, lambda: deal_out_again(database))
    assert any("Update on mailing" in step for step in steps)
    assert not [step for step in steps if "Seq Scan on delivery" in step or "delivery_pkey" in step], steps


def test_blocks_are_queued_again_alone(begun: tuple[Database, Mailing]) -> None:
    database, mailing = begun
    with closing(Ledger(database, mailing)) as ledger:
        assert ledger.requeue_deferred(NOON, [7, 9]) == 100
        assert set(ledger.queued_by_block(range(49))) == {7, 9}
        assert ledger.requeue_deferred(NOON) == 50_000 // 20 - 100
