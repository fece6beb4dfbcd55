"""Any other provider, by a script of yours: JSON with an HMAC of our own.

    POST /hooks/generic
    Dispatcher-Signature: t=1795000000,v1=HEX      HMAC-SHA256 with the key over "1795000000." and the body
    {"events": [{"id": "unique", "kind": "bounce", "address": "dan@example.com", "status": "5.1.1",
                 "said": "550 5.1.1 no such user", "message_id": "<i29.…@example.org>"}]}

`kind` is bounce, delay, delivered, complaint (with `feedback_type`) or unsubscribe; `id`, `kind`, `address` must be.
"""

import hmac
import json
import re
from datetime import UTC, datetime, timedelta

from dispatcher.returns.hooks.event import Event, HookRequest, NotGenuine, read_json, text_at, told
from dispatcher.returns.returned import Class

_LASTS = timedelta(minutes=5)
_KINDS = {Class.BOUNCE, Class.DELAY, Class.DELIVERED, Class.COMPLAINT, Class.UNSUBSCRIBE}
_MOST_EVENTS = 2000


def read(request: HookRequest, key: str) -> list[Event]:
    found = re.fullmatch(r"t=([0-9]{1,10}),v1=([0-9a-f]{64})", request.headers.get("dispatcher-signature", ""))
    if found is None:
        raise NotGenuine
    wanted = hmac.digest(key.encode(), found[1].encode() + b"." + request.body, "sha256").hex()
    is_late = abs(request.at - datetime.fromtimestamp(int(found[1]), UTC)) > _LASTS
    if not hmac.compare_digest(wanted, found[2]) or is_late:
        raise NotGenuine
    posted = read_json(request.body)
    listed = posted.get("events") if isinstance(posted, dict) else None
    events = []
    for event in listed[:_MOST_EVENTS] if isinstance(listed, list) else []:
        name, kind, address = (text_at(event, each) for each in ("id", "kind", "address"))
        if name and address and kind in _KINDS:
            returned = told(
                Class(kind), address, provider="webhook", said=text_at(event, "said"), status=text_at(event, "status"),
                message_id=text_at(event, "message_id"), feedback_type=text_at(event, "feedback_type") or "abuse",
            )  # fmt: skip
            events.append(Event(id=f"generic {name}", returned=returned, text=json.dumps(event)))
    return events
