"""Postmark signs nothing: what it posts is protected by a user and a password in the webhook's URL (basic access)."""

import hmac
from base64 import b64encode

from dispatcher.returns.hooks.event import Event, HookRequest, NotGenuine, read_json, text_at, told
from dispatcher.returns.returned import Class

_STATUS = {  # its "Bounce types" that say what no words say
    "HardBounce": "5.1.1",
    "BadEmailAddress": "5.1.3",
    "SoftBounce": "4.0.0",
    "SpamNotification": "5.7.1",
    "Blocked": "5.7.1",
    "DMARCPolicy": "5.7.26",
    "Transient": "4.0.0",
    "DnsError": "4.4.4",
}
_NO_FAILURE = {"AutoResponder", "AddressChange", "Unsubscribe", "Subscribe", "ChallengeVerification", "OpenRelayTest"}


def read(request: HookRequest, key: str) -> list[Event]:
    """`key` is USER:PASSWORD."""
    wanted = "Basic " + b64encode(key.encode()).decode()
    if not hmac.compare_digest(wanted.encode(), request.headers.get("authorization", "").encode()):
        raise NotGenuine
    posted = read_json(request.body)
    record, kind = text_at(posted, "RecordType"), text_at(posted, "Type")
    address = text_at(posted, "Email") or text_at(posted, "Recipient")
    if record == "SpamComplaint" or kind == "SpamComplaint":
        what = Class.COMPLAINT
    elif record == "Bounce" and kind not in _NO_FAILURE:
        what = Class.DELAY if kind == "Transient" else Class.BOUNCE
    elif record == "Delivery":
        what = Class.DELIVERED
    else:
        return []
    if not address:
        return []
    returned = told(what, address, provider="Postmark", said=text_at(posted, "Details"), status=_STATUS.get(kind, ""))
    name = text_at(posted, "ID") or text_at(posted, "MessageID")
    return [Event(id=f"postmark {record} {name}", returned=returned, text=request.body.decode("utf-8", "replace"))]
