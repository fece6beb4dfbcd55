"""Whatever happens in whatever order, nobody is handed a second copy and the equation holds."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dispatcher.desk.audit import audit
from dispatcher.errors import LedgerFailed
from dispatcher.models import State
from dispatcher.storage.database import Database
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.mailings import Mailing
from dispatcher.storage.reports import delivery_lines
from tests.long import many, sequences
from tests.storage.books import (
    ANN,
    CLEO,
    DAN,
    EVE,
    NOON,
    SQLITE,
    Copied,
    claim,
    enlist,
    freeze_to,
    give_up,
    leave,
    open_at,
    outcome,
    reopen,
    rows,
)

READERS = {1: ANN, 2: CLEO, 3: DAN, 4: EVE}
row_numbers = st.sampled_from(sorted(READERS))
ends = st.sampled_from([State.SENT, State.REFUSED, State.DEFERRED, State.QUEUED, State.IN_DOUBT])
early_ends = st.sampled_from([State.REFUSED, State.DEFERRED, State.QUEUED])


class OneMailing(RuleBasedStateMachine):
    """One mailing to four readers, and what its relay may have of it."""

    copied: Copied

    @initialize()
    def begin(self) -> None:
        self.copy = self.copied()
        self.database: Database = open_at(*self.copy.__enter__())
        self.mailing: Mailing = freeze_to(self.database)
        self.ledger = Ledger(self.database, self.mailing)
        self.ledger.begin_run()
        self.states = dict.fromkeys(READERS, State.QUEUED)
        self.left: set[int] = set()
        self.copies = dict.fromkeys(READERS, 0)  # dots that went out and were not refused

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.ledger.close()
            self.database.close()
            self.copy.__exit__(None, None, None)

    def _claims(self, row: int, to: State) -> bool:
        """What a claim does; whether it holds."""
        if self.states[row] is not State.QUEUED:
            return False
        self.states[row] = State.SKIPPED if row in self.left else to
        return row not in self.left

    def _ends(self, row: int, state: State) -> None:
        self.states[row] = state
        self.copies[row] += state in {State.SENT, State.IN_DOUBT}

    @rule(row=row_numbers)
    def claim(self, row: int) -> None:
        assert self.ledger.commit([], [claim(row)]) == [self._claims(row, State.SENDING)]

    @rule(row=row_numbers, state=early_ends)
    def claim_what_the_relay_ended_before_the_content(self, row: int, state: State) -> None:
        assert self.ledger.commit([], [claim(row, outcome(row, state))]) == [self._claims(row, state)]

    @precondition(lambda self: State.SENDING in self.states.values())
    @rule(data=st.data(), state=ends, following=row_numbers)
    def record_and_claim_the_next(self, data: st.DataObject, state: State, following: int) -> None:
        row = data.draw(st.sampled_from(self._rows(State.SENDING)))
        self._ends(row, state)
        expected = self._claims(following, State.SENDING)
        assert self.ledger.commit([outcome(row, state)], [claim(following)]) == [expected]

    @rule(row=row_numbers, state=ends, following=row_numbers)
    def record_what_was_never_claimed(self, row: int, state: State, following: int) -> None:
        if self.states[row] is State.SENDING:
            return
        with pytest.raises(LedgerFailed):
            self.ledger.commit([outcome(row, state)], [claim(following)])

    @rule(row=row_numbers)
    def skip(self, row: int) -> None:
        self.ledger.commit([outcome(row, State.SKIPPED)], [])
        if self.states[row] is State.QUEUED:
            self.states[row] = State.SKIPPED

    @rule()
    def crash_and_recover(self) -> None:
        self.ledger.close()
        self.database, self.ledger = reopen(self.database, self.mailing)
        self.ledger.begin_run()
        sending = self._rows(State.SENDING)
        assert give_up(self.ledger, "the run ended") == len(sending)
        for row in sending:
            self._ends(row, State.IN_DOUBT)

    @rule(row=row_numbers, everything=st.booleans())
    def leave(self, row: int, everything: bool) -> None:
        leave(self.database, READERS[row], None if everything else "readers")
        self.left.add(row)

    @rule(row=row_numbers)
    def stand_in_the_file_again(self, row: int) -> None:
        enlist(self.database, READERS[row])

    @rule()
    def queue_what_is_due(self) -> None:
        assert self.ledger.requeue_deferred(NOON + timedelta(hours=1)) == len(self._rows(State.DEFERRED))
        self._move(self._rows(State.DEFERRED), State.QUEUED)

    @rule(which=st.sets(row_numbers))
    def put_back(self, which: set[int]) -> None:
        self.ledger.put_back(which)
        self._move(which & set(self._rows(State.REFUSED)), State.QUEUED)

    def _rows(self, state: State) -> list[int]:
        return [row for row, each in self.states.items() if each is state]

    def _move(self, which: Iterable[int], state: State) -> None:
        for row in which:
            self.states[row] = state

    @invariant()
    def rows_stand_where_they_should(self) -> None:
        if hasattr(self, "database"):
            assert rows(self.database) == self.states

    @invariant()
    def nobody_has_two_copies(self) -> None:
        if hasattr(self, "database"):
            assert max(self.copies.values()) <= 1

    @invariant()
    def the_equation_holds_and_every_sent_row_has_its_reply(self) -> None:
        if hasattr(self, "database"):
            account = audit(self.database, self.mailing)
            assert account.holds, account.sentence()
            assert account.planned == len(READERS)
            lines = list(delivery_lines(self.database, self.mailing))
            assert all(line.reply for line in lines if line.state is State.SENT)
            assert all(line.reason for line in lines if line.state in {State.SKIPPED, State.IN_DOUBT})


def test_a_mailing_keeps_its_promise_whatever_happens(tmp_path: Path, database_url: str, copied: Copied) -> None:
    with_readers = open_at(tmp_path, database_url)
    enlist(with_readers, *READERS.values())
    with_readers.close()
    OneMailing.copied = staticmethod(copied)
    run_state_machine_as_test(
        OneMailing,
        settings=sequences(many(12, long=300) if database_url == SQLITE else many(3, long=50), steps=25),
    )
