"""Two runs on one ledger, either of which may be taken for dead and live on: nobody gets two, the late are believed."""

from dataclasses import dataclass, field
from pathlib import Path

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
from dispatcher.models import State
from dispatcher.storage.control import settle_doubts
from dispatcher.storage.database import Database
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.mailings import Mailing
from dispatcher.storage.runs import end_run
from tests.long import many, sequences
from tests.storage.books import (
    ANN,
    CLEO,
    DAN,
    SQLITE,
    Copied,
    claim,
    enlist,
    freeze_to,
    leave,
    open_at,
    outcome,
    rows,
)

READERS = {1: ANN, 2: CLEO, 3: DAN}
row_numbers = st.sampled_from(sorted(READERS))
sides = st.sampled_from([0, 1])
fates = st.sampled_from([State.SENT, State.REFUSED, State.DEFERRED, State.QUEUED, State.IN_DOUBT])


@dataclass(eq=False)
class Hand:
    """A run, and what it knows that the ledger does not yet: what becomes of each row that it claimed."""

    ledger: Ledger
    number: int
    is_fenced: bool = False
    on_their_way: dict[int, State] = field(default_factory=dict)


class TwoRuns(RuleBasedStateMachine):
    """One mailing to three readers, and two processes that send it."""

    copied: Copied

    @initialize()
    def begin(self) -> None:
        self.copy = self.copied()
        self.database: Database = open_at(*self.copy.__enter__())
        self.mailing: Mailing = freeze_to(self.database)
        self.hands = [self._hand(), self._hand()]
        self.late: list[Hand] = []  # whose processes have begun another run since
        self.states = dict.fromkeys(READERS, State.QUEUED)
        self.owners: dict[int, int] = {}  # the run that claimed a row last
        self.left: set[int] = set()
        self.copies = dict.fromkeys(READERS, 0)
        self.wrongly_queued: set[int] = set()  # by a person, though the relay has a copy
        self.called_sent: set[int] = set()  # by a person

    def teardown(self) -> None:
        if hasattr(self, "database"):
            for each in [*self.hands, *self.late]:
                each.ledger.close()
            self.database.close()
            self.copy.__exit__(None, None, None)

    def _hand(self) -> Hand:
        ledger = Ledger(self.database, self.mailing)
        return Hand(ledger=ledger, number=ledger.begin_run())

    def _claims(self, hand: Hand, row: int, fate: State, *, is_taken: bool) -> bool:
        """What a claim does; whether it holds. What the relay does with it is drawn now, and heard of later."""
        if self.states[row] is not State.QUEUED:
            return False
        if row in self.left:
            self.states[row] = State.SKIPPED
            return False
        if hand.is_fenced:
            return False
        self.states[row], self.owners[row] = State.SENDING, hand.number
        hand.on_their_way[row] = fate
        self.copies[row] += fate is State.SENT or (fate is State.IN_DOUBT and is_taken)
        return True

    def _hears(self, hand: Hand, row: int, following: int, fate: State, *, is_taken: bool) -> None:
        end = hand.on_their_way.pop(row)
        is_its_own = self.owners[row] == hand.number
        in_time = is_its_own and self.states[row] is State.SENDING
        if in_time or (is_its_own and self.states[row] is State.IN_DOUBT):
            self.states[row] = end
        expected = in_time and self._claims(hand, following, fate, is_taken=is_taken)
        assert hand.ledger.commit([outcome(row, end)], [claim(following)]) == [expected]

    @rule(side=sides, row=row_numbers, fate=fates, is_taken=st.booleans())
    def claim(self, side: int, row: int, fate: State, is_taken: bool) -> None:
        hand = self.hands[side]
        expected = self._claims(hand, row, fate, is_taken=is_taken)
        assert hand.ledger.commit([], [claim(row)]) == [expected]

    @precondition(lambda self: any(each.on_their_way for each in self._all_hands()))
    @rule(data=st.data(), following=row_numbers, fate=fates, is_taken=st.booleans())
    def hear_of_one_and_claim_the_next(self, data: st.DataObject, following: int, fate: State, is_taken: bool) -> None:
        """A run that was ended hears what became of its claims, too."""
        hand = data.draw(st.sampled_from([each for each in self._all_hands() if each.on_their_way]))
        row = data.draw(st.sampled_from(sorted(hand.on_their_way)))
        self._hears(hand, row, following, fate, is_taken=is_taken)

    @rule(side=sides)
    def fence(self, side: int) -> None:
        hand = self.hands[side]
        assert end_run(self.database, hand.number) is not hand.is_fenced
        hand.is_fenced = True

    @precondition(lambda self: any(each.is_fenced for each in self._all_hands()))
    @rule(data=st.data(), side=sides)
    def doubt_what_it_left(self, data: st.DataObject, side: int) -> None:
        """By the other one, which cannot know what became of it."""
        hand = data.draw(st.sampled_from([each for each in self._all_hands() if each.is_fenced]))
        left = [row for row, owner in self.owners.items() if owner == hand.number]
        unsettled = [row for row in left if self.states[row] is State.SENDING]
        self.hands[side].ledger.settle(hand.number, [outcome(row, State.IN_DOUBT) for row in left if row in unsettled])
        self.states.update(dict.fromkeys(unsettled, State.IN_DOUBT))

    @precondition(lambda self: any(each.is_fenced for each in self.hands) and len(self.late) < 3)
    @rule()
    def begin_another_run(self) -> None:
        side = next(number for number, each in enumerate(self.hands) if each.is_fenced)
        self.late.append(self.hands[side])
        self.hands[side] = self._hand()

    @precondition(lambda self: State.IN_DOUBT in self.states.values())
    @rule(data=st.data(), is_sent=st.booleans())
    def resolve(self, data: st.DataObject, is_sent: bool) -> None:
        """A person may be wrong."""
        row = data.draw(st.sampled_from([each for each, state in self.states.items() if state is State.IN_DOUBT]))
        settle_doubts(self.database, self.mailing.id, {row: "said so"} if is_sent else {}, [] if is_sent else [row])
        self.states[row] = State.SENT if is_sent else State.QUEUED
        if is_sent:
            self.called_sent.add(row)
        elif self.copies[row]:
            self.wrongly_queued.add(row)

    @rule(row=row_numbers)
    def leave(self, row: int) -> None:
        leave(self.database, READERS[row])
        self.left.add(row)

    def _all_hands(self) -> list[Hand]:
        return [*self.hands, *self.late] if hasattr(self, "database") else []

    @invariant()
    def rows_stand_where_they_should(self) -> None:
        if hasattr(self, "database"):
            assert rows(self.database) == self.states

    @invariant()
    def nobody_has_two_copies_unless_a_person_was_wrong(self) -> None:
        if hasattr(self, "database"):
            assert all(count <= 1 or row in self.wrongly_queued for row, count in self.copies.items())

    @invariant()
    def who_is_sent_has_a_copy_unless_a_person_said_so(self) -> None:
        if hasattr(self, "database"):
            sent = {row for row, state in self.states.items() if state is State.SENT}
            assert all(self.copies[row] or row in self.called_sent for row in sent)

    @invariant()
    def the_equation_holds(self) -> None:
        if hasattr(self, "database"):
            account = audit(self.database, self.mailing)
            assert account.holds, account.sentence()


def test_two_runs_keep_the_promise_whichever_is_taken_for_dead(
    tmp_path: Path, database_url: str, copied: Copied
) -> None:
    with_readers = open_at(tmp_path, database_url)
    enlist(with_readers, *READERS.values())
    with_readers.close()
    TwoRuns.copied = staticmethod(copied)
    run_state_machine_as_test(
        TwoRuns,
        settings=sequences(many(12, long=300) if database_url == SQLITE else many(4, long=60), steps=30),
    )
