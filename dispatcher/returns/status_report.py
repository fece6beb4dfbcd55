"""Reads delivery status reports (RFC 3464, 6533), wherever their fields stand: in a part of their own or in text."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dispatcher.returns.addresses import first_address
from dispatcher.returns.codes import STATUS
from dispatcher.returns.mail import Mail, read_fields

_PARTS = {"message/delivery-status", "message/global-delivery-status"}
_RECIPIENT = ("final-recipient", "original-recipient", "x-actual-recipient")
_BEGINS = re.compile(
    r"(?im)^[ \t]{0,8}(?:(?:Final|Original)-Recipient|X-Actual-Recipient|Action|Status|Diagnostic-Code|Remote-MTA"
    r"|Reporting-MTA|Last-Attempt-Date|Will-Retry-Until|X-Supplementary-Info|X-Display-Name)[ \t]*:"
)
_MOST = 200  # recipients


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What a report says of one recipient."""

    address: str | None  # None: it names something that is no address
    action: str  # failed, delayed, delivered, relayed, expanded; lower case
    status: str | None
    diagnostic: str


def blocks_of(mail: Mail) -> list[Block]:
    """What the mail reports, recipient by recipient; empty if it holds no report."""
    reports = [part.text for part in mail.parts if part.media_type in _PARTS] or [mail.texts()]
    return [_block(fields) for fields in _groups("\n".join(reports))][:_MOST]


def _groups(text: str) -> Iterator[Mapping[str, str]]:
    """The fields about each recipient: those between two empty lines, or up to a field that comes again."""
    position = 0
    while begin := _BEGINS.search(text, position):
        fields, _ = read_fields(text[begin.start() :][:20_000].lstrip(" \t"), decode=False)
        end = text.find("\n\n", begin.start())
        position = end if end >= 0 else len(text)
        group: dict[str, str] = {}
        for name, value in fields:
            if name in group and name in _RECIPIENT:
                if any(each in group for each in _RECIPIENT):
                    yield group
                group = {}
            group.setdefault(name, value)
        if any(each in group for each in _RECIPIENT):
            yield group
        elif "action" in group and "status" in group and "diagnostic-code" in group:
            yield group  # the recipient was left out


def _block(fields: Mapping[str, str]) -> Block:
    named = (first_address(fields[name]) for name in _RECIPIENT if name in fields)
    status = STATUS.search(fields.get("status", ""))
    return Block(
        address=next((address for address in named if address), None),
        action=fields.get("action", "").split(" ")[0].lower(),
        status=status[0] if status else None,
        diagnostic=_without_type(fields.get("diagnostic-code", "")),
    )


def _without_type(diagnostic: str) -> str:
    return re.sub(r"^\s*[\w-]{2,20}\s*;\s*", "", diagnostic).strip()
