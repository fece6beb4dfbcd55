"""Proves the ledger's equation: every reader of an issue is accounted for, once, with what the promise asks."""

from collections.abc import Mapping
from dataclasses import dataclass

from dispatcher.desk.screen import spoken_readers
from dispatcher.models import State
from dispatcher.storage.database import Database
from dispatcher.storage.mailings import Mailing
from dispatcher.storage.reports import broken_rows, count_states, planned_readers

_TO_GO = (State.QUEUED, State.DEFERRED, State.SENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The equation's two sides, and whatever else contradicts the promise."""

    issue: int
    kind: str
    planned: int
    counts: Mapping[State, int]
    contradictions: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return self.planned == sum(self.counts.values()) and not self.contradictions

    @property
    def to_go(self) -> int:
        return sum(self.counts.get(state, 0) for state in _TO_GO)

    def sentence(self) -> str:
        ended = (State.SENT, State.REFUSED, State.SKIPPED, State.IN_DOUBT)
        terms = [f"{self.counts.get(state, 0):,} {state.replace('_', ' ')}" for state in ended]
        if self.to_go:
            terms.append(f"{self.to_go:,} still to go")
        sign = "=" if self.planned == sum(self.counts.values()) else "≠"
        lines = [f"issue {self.issue} ({self.kind}): {spoken_readers(self.planned)} {sign} {' + '.join(terms)}"]
        lines += [f"wrong: {each}" for each in self.contradictions]
        return "\n".join([*lines, "the equation holds" if self.holds else "the equation does not hold"])

    def plain(self) -> dict[str, object]:
        return {
            "issue": self.issue,
            "kind": self.kind,
            "planned": self.planned,
            "counts": {state.value: self.counts.get(state, 0) for state in State},
            "contradictions": list(self.contradictions),
            "holds": self.holds,
        }


def audit(database: Database, mailing: Mailing) -> Account:
    return Account(
        issue=mailing.issue,
        kind=mailing.kind.value,
        planned=planned_readers(database, mailing.id),
        counts=count_states(database, mailing.id),
        contradictions=tuple(broken_rows(database, mailing.id)),
    )
