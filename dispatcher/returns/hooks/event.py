"""What a webhook brings: the request as it came, and the events in it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dispatcher.returns import verdicts
from dispatcher.returns.mail import whole_text
from dispatcher.returns.returned import Class, Recipient, Returned

MOST_BYTES = 256 * 1024
_MOST_BRACKETS = 20_000


class NotGenuine(Exception):
    """The signature is missing or wrong, or too old."""


class NotUnderstood(Exception):
    """Genuine, as far as that can be told, but no JSON of the provider's kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRequest:
    """A POST as it came; `fetch` gets a provider's certificate, or confirms a subscription, over https."""

    headers: Mapping[str, str]  # lower-case names
    body: bytes
    at: datetime
    fetch: Callable[[str], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that a provider tells of one message."""

    id: str
    returned: Returned
    text: str  # the event as it came, in which traces of ours may be


def read_json(body: bytes) -> Any:
    """Raises NotUnderstood; deep nesting too is none."""
    if body.count(b"[") + body.count(b"{") > _MOST_BRACKETS:
        raise NotUnderstood
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotUnderstood from error


def text_at(value: Any, *path: str) -> str:
    """The text or number at a path of keys, empty where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    is_told = isinstance(value, str | int | float) and not isinstance(value, bool)
    return whole_text(str(value)) if is_told else ""


def told(
    kind: Class, address: str, *, provider: str, said: str = "", status: str = "", message_id: str = "",
    feedback_type: str = "abuse",
) -> Returned:  # fmt: skip
    """An event as returned mail."""
    if kind in {Class.BOUNCE, Class.DELAY}:
        recipient = verdicts.judge(address, said=said, status=status or None, source=provider)
    else:
        recipient = Recipient(address=address, said=said[:500], evidence=(provider,))
    return Returned(
        kind=kind,
        recipients=(recipient,),
        feedback_type=feedback_type if kind is Class.COMPLAINT else None,
        original={"message-id": message_id} if message_id else {},
        evidence=(provider,),
    )
