"""Reads complaints: feedback reports (RFC 5965 with 6430, 6591, 6650), redacted ones included."""

import re
from collections.abc import Sequence

from dispatcher.returns.addresses import first_address
from dispatcher.returns.mail import Mail, read_fields
from dispatcher.returns.returned import Recipient

_PART = "message/feedback-report"
_NAMES_RECIPIENT = ("original-rcpt-to", "removal-recipient", "x-hmxmroriginalrecipient")


def read_feedback(mail: Mail) -> tuple[str, list[tuple[str, str]]] | None:
    """The feedback type in lower case and the report's fields; None for a mail that is no feedback report."""
    report = next((part.text for part in mail.parts if part.media_type == _PART), None)
    if report is None and mail.report_type == "feedback-report":
        report = next((part.text for part in mail.parts if re.search(r"(?im)^feedback-type:", part.text)), "")
        report = report[max(report.lower().find("feedback-type:"), 0) :]
    if report is None:
        if original := mail.first("x-hmxmroriginalrecipient"):  # Outlook.com's junk reports are no reports by form
            return "abuse", [("original-rcpt-to", original)]
        return None
    fields, rest = read_fields(report.lstrip("\n"))
    while rest.strip() and len(fields) < 100:
        more, rest = read_fields(rest.lstrip("\n"))
        if not more:
            break
        fields += more
    kind = next((value for name, value in fields if name == "feedback-type"), "")
    return kind.split(" ")[0].strip().lower() or "abuse", fields


def complained_about(fields: Sequence[tuple[str, str]], original: Sequence[tuple[str, str]]) -> list[Recipient]:
    """Whose mail it was, as far as that is told; receivers that redact it leave our token as the only trace."""
    found: dict[str, Recipient] = {}
    for names, source in ((_NAMES_RECIPIENT, fields), (("to", "delivered-to"), original)):
        for name, value in source:
            address = first_address(value) if name in names else None
            if address and not found.get(address.casefold()):
                found[address.casefold()] = Recipient(address=address, evidence=(name,))
        if found:
            break
    return list(found.values())
