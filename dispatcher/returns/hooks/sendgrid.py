"""SendGrid: an ECDSA signature over timestamp and body ("Event Webhook Security Features" in its documentation)."""

import json
from datetime import UTC, datetime, timedelta

from dispatcher.returns.hooks.event import Event, HookRequest, NotGenuine, read_json, text_at, told
from dispatcher.returns.hooks.signatures import is_signed_by_key
from dispatcher.returns.returned import Class

_LASTS = timedelta(hours=25)  # it tries for a day
_KINDS = {
    "bounce": Class.BOUNCE,
    "deferred": Class.DELAY,
    "delivered": Class.DELIVERED,
    "spamreport": Class.COMPLAINT,
    "unsubscribe": Class.UNSUBSCRIBE,
    "group_unsubscribe": Class.UNSUBSCRIBE,
}
_MOST_EVENTS = 2000


def read(request: HookRequest, key: str) -> list[Event]:
    timestamp = request.headers.get("x-twilio-email-event-webhook-timestamp", "")
    signature = request.headers.get("x-twilio-email-event-webhook-signature", "")
    if not is_signed_by_key(key, signature, timestamp.encode() + request.body) or not timestamp.isdecimal():
        raise NotGenuine
    if abs(request.at - datetime.fromtimestamp(int(timestamp[:10]), UTC)) > _LASTS:
        raise NotGenuine
    posted = read_json(request.body)
    events = []
    for number, event in enumerate(posted[:_MOST_EVENTS] if isinstance(posted, list) else []):
        kind, address = _KINDS.get(text_at(event, "event")), text_at(event, "email")
        if kind is not None and address:
            returned = told(
                kind, address, provider="SendGrid", said=text_at(event, "reason") or text_at(event, "response"),
                status=text_at(event, "status"), message_id=text_at(event, "smtp-id"),
            )  # fmt: skip
            name = text_at(event, "sg_event_id") or f"{timestamp} {number}"
            events.append(Event(id=f"sendgrid {name}", returned=returned, text=json.dumps(event)))
    return events
