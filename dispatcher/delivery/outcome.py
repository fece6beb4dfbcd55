"""How an attempt is recorded: what its verdict and its time make of the reader's row."""

from datetime import datetime

from dispatcher.delivery.smtp import Ending
from dispatcher.delivery.terms import Terms
from dispatcher.delivery.verdicts import Then, Verdict, next_attempt
from dispatcher.models import Delivery, Outcome, State

_QUICK_ATTEMPTS = 3  # after so many losses of the connection a reader waits like a deferred one


def outcome_of(
    delivery: Delivery, at: datetime, verdict: Verdict, ending: Ending, terms: Terms, *, relay: str
) -> Outcome:
    """How an attempt begun at `at` is recorded: a reader who was lost too often waits like a deferred one."""
    state, due_at = verdict.state, None
    attempts = delivery.attempts + 1
    if verdict.then is Then.RECONNECT and state is State.QUEUED and attempts >= _QUICK_ATTEMPTS:
        state = State.DEFERRED
    if state is State.DEFERRED:
        deadline = (delivery.first_attempt_at or at) + terms.retry_for
        due_at = min(next_attempt(attempts, now=at, jitter=terms.jitter()), deadline)
        if at >= deadline:
            state, due_at = State.REFUSED, None
    reason = None if ending.reply else f"the connection was lost at {ending.phase}"
    return Outcome(
        delivery_id=delivery.id, state=state, reply=ending.reply, reason=reason, due_at=due_at, relay=relay,
        domain=delivery.domain,
    )  # fmt: skip
