"""Amazon SES through SNS: an RSA signature by Amazon's certificate ("Verifying the signatures of SNS messages")."""

import re
from datetime import datetime, timedelta
from typing import Any

from dispatcher.returns.amazon import read_notification
from dispatcher.returns.hooks.event import Event, HookRequest, NotGenuine, NotUnderstood, read_json, text_at
from dispatcher.returns.hooks.signatures import is_signed_by_certificate

_OURS = re.compile(r"https://sns\.[a-z0-9-]{1,40}\.amazonaws\.com(?:\.cn)?/[\w./?=&%:+~-]{1,2000}")
_LASTS = timedelta(hours=25)  # it tries for an hour; a queue of what could not be delivered may add a day
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


def read(request: HookRequest, key: str) -> list[Event]:
    """`key` is the topic's ARN. A subscription to it is confirmed."""
    posted = read_json(request.body)
    if not isinstance(posted, dict) or text_at(posted, "TopicArn") != key:
        raise NotGenuine
    _verify(request, posted)
    if posted["Type"] == "SubscriptionConfirmation":
        url = text_at(posted, "SubscribeURL")
        if not _OURS.fullmatch(url):
            raise NotGenuine
        _fetched(request, url)
        return []
    returned = read_notification(text_at(posted, "Message"))
    if returned is None:
        return []
    return [Event(id=f"sns {text_at(posted, 'MessageId')}", returned=returned, text=text_at(posted, "Message"))]


def _verify(request: HookRequest, posted: dict[str, Any]) -> None:
    names = _SIGNED.get(text_at(posted, "Type"))
    url = text_at(posted, "SigningCertURL")
    if names is None or not _OURS.fullmatch(url) or not url.endswith(".pem"):
        raise NotGenuine
    signed = "".join(f"{name}\n{text_at(posted, name)}\n" for name in names if isinstance(posted.get(name), str))
    certificate = _fetched(request, url)
    is_sha256 = text_at(posted, "SignatureVersion") == "2"
    if not is_signed_by_certificate(certificate, text_at(posted, "Signature"), signed.encode(), is_sha256=is_sha256):
        raise NotGenuine
    if not _is_fresh(text_at(posted, "Timestamp"), request.at):
        raise NotGenuine


def _is_fresh(timestamp: str, now: datetime) -> bool:
    try:
        return abs(now - datetime.fromisoformat(timestamp)) <= _LASTS
    except (ValueError, TypeError):  # no time, or one without a zone
        return False


def _fetched(request: HookRequest, url: str) -> bytes:
    """Amazon tries again what it is told was not understood."""
    try:
        return request.fetch(url)
    except OSError as error:
        raise NotUnderstood from error
