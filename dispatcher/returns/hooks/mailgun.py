"""Mailgun: the signing key makes an HMAC of timestamp and token ("Securing webhooks" in its documentation)."""

import hmac
from datetime import UTC, datetime, timedelta

from dispatcher.returns.hooks.event import Event, HookRequest, NotGenuine, read_json, text_at, told
from dispatcher.returns.returned import Class

_LASTS = timedelta(hours=12)  # it tries for eight
_KINDS = {"complained": Class.COMPLAINT, "delivered": Class.DELIVERED, "unsubscribed": Class.UNSUBSCRIBE}


def read(request: HookRequest, key: str) -> list[Event]:
    posted = read_json(request.body)
    timestamp, token = text_at(posted, "signature", "timestamp"), text_at(posted, "signature", "token")
    wanted = hmac.digest(key.encode(), f"{timestamp}{token}".encode(), "sha256").hex()
    if not hmac.compare_digest(wanted.encode(), text_at(posted, "signature", "signature").encode()):
        raise NotGenuine
    if not timestamp.isdecimal() or abs(request.at - datetime.fromtimestamp(int(timestamp[:10]), UTC)) > _LASTS:
        raise NotGenuine
    event = posted.get("event-data")
    name, address = text_at(event, "event"), text_at(event, "recipient")
    kind = _KINDS.get(name)
    if name == "failed":
        kind = Class.BOUNCE if text_at(event, "severity") == "permanent" else Class.DELAY
    if kind is None or not address:
        return []
    code = text_at(event, "delivery-status", "code")
    words = text_at(event, "delivery-status", "message") or text_at(event, "delivery-status", "description")
    returned = told(
        kind, address, provider="Mailgun", said=words if words.startswith(code) else f"{code} {words}",
        status=text_at(event, "delivery-status", "enhanced-code"),
        message_id=text_at(event, "message", "headers", "message-id"),
    )  # fmt: skip
    # The signature is of the token alone, so that a token counts once, whatever event somebody puts beside it.
    return [Event(id=f"mailgun {token}", returned=returned, text=request.body.decode("utf-8", "replace"))]
