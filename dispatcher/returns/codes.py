"""What an enhanced status code says by itself: RFC 3463, with the registry of its later codes, and Exchange's own.

The registry: IANA, "SMTP Enhanced Status Codes" (RFC 3886, 4468, 4954, 5248, 7293, 7372, 7505). Three-digit details are
Microsoft's, see its page "Email non-delivery reports and SMTP errors for Exchange Online".
"""

import re

from dispatcher.returns.returned import Cause

STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
_REPLY = re.compile(r"(?<![\d.:/#-])([45][0-5]\d)(?=$|[\s\-#>,;)\"]|\.\s)")

_BY_CODE = {
    "1.1": Cause.UNKNOWN_USER,
    "1.2": Cause.UNKNOWN_HOST,
    "1.3": Cause.UNKNOWN_USER,  # the address's syntax
    "1.6": Cause.MOVED,
    "1.7": Cause.SENDER,
    "1.8": Cause.SENDER,
    "1.10": Cause.TAKES_NO_MAIL,  # null MX
    "1.20": Cause.PROTOCOL,
    "1.90": Cause.RATE,
    "1.351": Cause.UNKNOWN_USER,
    "2.1": Cause.DISABLED,
    "2.2": Cause.FULL,
    "2.3": Cause.TOO_LARGE,
    "3.4": Cause.TOO_LARGE,
    "3.1": Cause.SYSTEM,  # the system's disk, not the mailbox
    "4.310": Cause.UNKNOWN_HOST,
    "4.7": Cause.EXPIRED,
    "5.2": Cause.PROTOCOL,
    "5.3": Cause.PROTOCOL,
    "5.4": Cause.PROTOCOL,
    "7.13": Cause.DISABLED,
    "7.17": Cause.MOVED,  # the mailbox has another owner: RFC 7293
    "7.18": Cause.MOVED,
    "7.10": Cause.TLS,
    "7.20": Cause.AUTHENTICATION,
    "7.21": Cause.AUTHENTICATION,
    "7.22": Cause.AUTHENTICATION,
    "7.23": Cause.AUTHENTICATION,
    "7.24": Cause.AUTHENTICATION,
    "7.25": Cause.REPUTATION,  # reverse DNS
    "7.26": Cause.AUTHENTICATION,
    "7.27": Cause.SENDER,  # the sender's domain has a null MX
    "7.28": Cause.RATE,
    "7.515": Cause.AUTHENTICATION,
    "7.606": Cause.REPUTATION,
}
_BY_SUBJECT = {
    "2": Cause.OTHER,
    "3": Cause.SYSTEM,
    "4": Cause.NETWORK,
    "6": Cause.CONTENT,
    "7": Cause.POLICY,
}
_VAGUE = {"0.0", "1.0", "2.0", "3.0", "4.0", "5.0"}  # "other or undefined"


def cause_of(status: str) -> Cause | None:
    """What a status such as 5.1.1 says, None if it says no more than that it failed."""
    kind, _, detail = status.partition(".")
    cause = _BY_CODE.get(detail)
    if cause is None and detail not in _VAGUE:
        cause = _BY_SUBJECT.get(detail.partition(".")[0])
    if kind == "4" and cause in {Cause.UNKNOWN_USER, Cause.UNKNOWN_HOST, Cause.MOVED, Cause.TAKES_NO_MAIL}:
        return Cause.OTHER  # "not now" about an address is no proof
    return cause


def is_particular(status: str) -> bool:
    """Whether a status says more than its subject."""
    return status.partition(".")[2] in _BY_CODE


def find_status(text: str) -> str | None:
    """The first status of a failure in a server's words."""
    found = next((each for each in STATUS.finditer(text) if each[1] != "2"), None)
    return found[0] if found else None


def find_reply(text: str) -> str | None:
    """The first SMTP reply code in a server's words."""
    found = _REPLY.search(text)
    return found[1] if found else None
