"""Says what was asked of an issue: `scheduled for 2026-12-28 22:41 UTC to readers`, `stopped`, `cancelled`."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from dispatcher.models import State
from dispatcher.storage.asked import Asked

_WAITING = (State.QUEUED, State.DEFERRED, State.SENDING)


def died_with(issue: int) -> str:
    """What heads the addresses of those whose sender died."""
    return f"sending when the sender died: run send-issue {issue} or dispatcher resolve {issue}"


def spoken_hour(asked: Asked, timezone: str) -> str | None:
    if asked.scheduled_at is None:
        return None
    return f"{asked.scheduled_at.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M %Z} to {asked.scheduled_to}"


def spoken_standing(asked: Asked, counts: Mapping[State, int], timezone: str) -> str | None:
    """None if nothing was asked, or nobody waits for it."""
    hour = spoken_hour(asked, timezone)
    waits = hour is not None or any(counts.get(state) for state in _WAITING)
    if asked.is_cancelled:
        return "cancelled"
    said = [asked.stopped] if asked.stopped and waits else []
    if hour is not None:
        said.append(f"scheduled for {hour}")
    return ", ".join(said) or None
