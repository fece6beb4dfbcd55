"""Looks at the readers' pages from outside: https, the one-click address, and the clock."""

import ssl
import urllib.error
import urllib.request
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from dispatcher.doctor.finding import Finding, error, fine, warning

_SECONDS = 10
_CLOCK = timedelta(minutes=5)


def check_pages(base_url: str, path: str, now: datetime) -> list[Finding]:
    """`path` is a page that changes nothing."""
    check = "one-click"
    if not base_url:
        return [error(check, "base_url is not set", "set it to the https address of your readers' pages")]
    if urlsplit(base_url).scheme != "https":
        return [error(check, f"{base_url} is not https, which one-click needs", "set base_url to an https address")]
    try:
        with urllib.request.urlopen(base_url + path, timeout=_SECONDS) as answer:  # noqa: S310  it is https
            told, at = answer.status, answer.headers.get("Date")
    except urllib.error.HTTPError as failure:
        return [_unreachable(base_url, f"answers {failure.code}")]
    except (OSError, ValueError) as failure:
        reason = getattr(failure, "reason", failure)
        if isinstance(reason, ssl.SSLCertVerificationError):
            message = f"the certificate of {base_url} is not accepted: {reason.verify_message}"
            return [error(check, message, "renew it, with the whole chain")]
        return [_unreachable(base_url, f"cannot be reached: {reason}")]
    return [fine(check, f"{base_url} answers {told}"), *_check_clock(at, now)]


def _unreachable(base_url: str, what: str) -> Finding:
    return error("one-click", f"{base_url} {what}", "start `dispatcher serve`, and let your web server pass on to it")


def _check_clock(told: str | None, now: datetime) -> list[Finding]:
    try:
        off = now - parsedate_to_datetime(told or "")
    except (ValueError, TypeError):
        return []
    if abs(off) > _CLOCK:
        message = f"this machine's clock is off by {round(off.total_seconds() / 60)} minutes"
        return [warning("clock", message, "set it by NTP: messages with a wrong Date look like spam")]
    return [fine("clock", "right within minutes")]
