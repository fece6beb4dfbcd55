"""Tells in words why a reader did or did not get an issue."""

from collections.abc import Callable, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from dispatcher.desk.asked import spoken_hour
from dispatcher.models import Kind, State
from dispatcher.storage.asked import Asked
from dispatcher.storage.dossiers import Dossier
from dispatcher.storage.history import Story
from dispatcher.storage.mailings import Mailing

_MEANS = {
    State.QUEUED: "he is waiting for his turn; run send-issue again if nothing is running",
    State.SENDING: "his copy is on its way at this moment, or was when a run died",
    State.SENT: "the relay took responsibility for his copy",
    State.REFUSED: "the relay refused his copy for good",
    State.DEFERRED: "the relay said not now, and he is tried again",
    State.IN_DOUBT: "the relay may have taken his copy, or not: no reply came after the last dot",
    State.SKIPPED: "we chose not to send",
}


def explanation(
    person: Dossier, mailing: Mailing | None, story: Story | None, asked: Asked, *, issue: int, timezone: str
) -> Iterator[str]:
    """The whole story, a sentence a line."""
    local = ZoneInfo(timezone)

    def at(moment: datetime) -> str:
        return f"{moment.astimezone(local):%Y-%m-%d %H:%M:%S}"

    if mailing is None:
        yield f"{person.email}: issue {issue} has not been sent to readers from here"
    elif story is None:
        yield f"{person.email}: has no copy of issue {issue} ({_kind(mailing)})"
        hour = spoken_hour(asked, timezone)
        yield f"  it is scheduled for {hour}; readers are chosen then" if hour else f"  {_why_none(person, mailing)}"
    else:
        yield f"{person.email}: {story.state.replace('_', ' ')}: {_MEANS[story.state]}"
        yield f"  issue {issue} ({_kind(mailing)}), to {story.list_name}, in the edition {story.language}"
        if story.reason:
            yield f"  because: {story.reason}"
        if story.first_attempt_at:
            times = "once" if story.attempts == 1 else f"{story.attempts} times"
            yield f"  tried {times}, first at {at(story.first_attempt_at)}"
        if story.code is not None:
            by = f"{story.relay} " if story.relay else "the relay "
            when = f" at {at(story.settled_at)}" if story.settled_at else ""
            yield f"  {by}answered{when}: {story.code} {story.reply or ''}".rstrip()
        if story.state is State.DEFERRED and story.due_at:
            yield f"  tried again from {at(story.due_at)} on"
    yield from _standing(person, at)


def _why_none(person: Dossier, mailing: Mailing) -> str:
    began = mailing.handed_over_at or mailing.frozen_at
    active = [each for each in person.memberships if each.state == "active"]
    if not active:
        return "he is on no list now"
    if all(each.changed_at > began for each in active):
        return "he joined after it was sent; `send-issue --new` mails those who did"
    return "it was sent to another list, or to those of it whom --where named"


def _standing(person: Dossier, at: Callable[[datetime], str]) -> Iterator[str]:
    for each in person.memberships:
        yield f"  list {each.list_name}: {each.state} since {at(each.changed_at)} ({each.source})"
    for event in person.history:
        yield f"  {at(event.at)}: {event.kind} {event.list_name or ''} ({event.channel})".replace("  (", " (")


def _kind(mailing: Mailing) -> str:
    return {Kind.LIVE: "live", Kind.MAILDIR: "trial into a Maildir", Kind.STAGING: "staging"}[mailing.kind]
