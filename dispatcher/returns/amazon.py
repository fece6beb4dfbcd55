"""Reads what Amazon SES tells through SNS, by mail or by webhook: bounces, complaints, deliveries as JSON."""

import json
import re
from collections.abc import Mapping
from typing import Any, TypeGuard

from dispatcher.returns import verdicts
from dispatcher.returns.returned import Cause, Class, Recipient, Returned

_MOST = 262_144
_NO_TEXT = re.compile(r"\\u(?:[dD][89a-fA-F][0-9a-fA-F]{2}|0000)")  # halves of characters, and NUL
_BY_SUBTYPE = {
    "mailboxfull": Cause.FULL,
    "messagetoolarge": Cause.TOO_LARGE,
    "contentrejected": Cause.CONTENT,
    "attachmentrejected": Cause.CONTENT,
    "noemail": Cause.UNKNOWN_USER,
    "suppressed": Cause.FILTERED,
    "onaccountsuppressionlist": Cause.FILTERED,
}


def read_notification(text: str) -> Returned | None:
    """An SNS notification of SES, with or without SNS's envelope; None for anything else."""
    event = _object(text)
    if event is not None and isinstance(event.get("Message"), str):
        event = _object(event["Message"])
    if event is None:
        return None
    kind = event.get("notificationType") or event.get("eventType")
    original = _original(event.get("mail"))
    if kind == "Bounce":
        bounce = _mapping(event.get("bounce"))
        found = [_bounced(bounce, _mapping(each)) for each in _list(bounce.get("bouncedRecipients"))]
        recipients = tuple(each for each in found if each)
        return Returned(kind=Class.BOUNCE, recipients=recipients, original=original, evidence=("Amazon SES",))
    if kind == "Complaint":
        complaint = _mapping(event.get("complaint"))
        addresses = [_mapping(each).get("emailAddress") for each in _list(complaint.get("complainedRecipients"))]
        return Returned(
            kind=Class.COMPLAINT,
            recipients=tuple(Recipient(address=each, evidence=("Amazon SES",)) for each in addresses if _is_text(each)),
            feedback_type=str(complaint.get("complaintFeedbackType") or "abuse").lower(),
            original=original,
            evidence=("Amazon SES",),
        )
    if kind == "Delivery":
        delivery = _mapping(event.get("delivery"))
        said = str(delivery.get("smtpResponse") or "")
        return Returned(
            kind=Class.DELIVERED,
            recipients=tuple(
                Recipient(address=each, said=said[:500]) for each in _list(delivery.get("recipients")) if _is_text(each)
            ),
            original=original,
            evidence=("Amazon SES",),
        )
    return None


def _bounced(bounce: Mapping[str, Any], recipient: Mapping[str, Any]) -> Recipient | None:
    address = recipient.get("emailAddress")
    if not _is_text(address):
        return None
    said = str(recipient.get("diagnosticCode") or "").removeprefix("smtp;").strip()
    status = str(recipient.get("status") or "") or None
    subtype = str(bounce.get("bounceSubType") or "").lower()
    judged = verdicts.judge(address, said=said, status=status, source="Amazon SES")
    cause = judged.cause
    if subtype in _BY_SUBTYPE:
        cause = _BY_SUBTYPE[subtype]
    elif cause is Cause.OTHER and bounce.get("bounceType") == "Permanent" and subtype == "general":
        cause = Cause.UNKNOWN_USER
    return Recipient(
        address=address,
        status=judged.status,
        reply=judged.reply,
        cause=cause,
        said=judged.said,
        evidence=("Amazon SES", f"{bounce.get('bounceType')}/{bounce.get('bounceSubType')}"),
    )


def _original(mail: object) -> dict[str, str]:
    headers = _list(_mapping(mail).get("headers"))
    fields = {str(_mapping(each).get("name")).lower(): str(_mapping(each).get("value")) for each in headers[:200]}
    if source := _mapping(mail).get("source"):
        fields.setdefault("return-path", str(source))
    return fields


def _object(text: str) -> Mapping[str, Any] | None:
    """The JSON object a text begins with; line breaks that a mail put into it are forgiven."""
    text = text.strip()
    if not text.startswith("{") or len(text) > _MOST or text.count("{") + text.count("[") > 2000:
        return None
    try:
        joined = _NO_TEXT.sub("?", text.replace("\n ", "").replace("\n", ""))
        found, _ = json.JSONDecoder(strict=False).raw_decode(joined)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and "@" in value and len(value) <= 320
