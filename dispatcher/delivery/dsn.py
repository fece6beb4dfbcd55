"""Asks relays that can (RFC 3461) to tell of failures only, to return headers only, and by what to know the message."""

import re

_NOT_XTEXT = re.compile(r"[^!-~]|[+=]")


def mail_options(envelope_id: str) -> str:
    """For MAIL; `envelope_id` comes back in the report."""
    return " RET=HDRS" + (f" ENVID={_xtext(envelope_id)}" if envelope_id else "")


def rcpt_options(recipient: str) -> str:
    """For RCPT; an internationalised address has no old form to be told in (RFC 6533)."""
    original = f" ORCPT=rfc822;{_xtext(recipient)}" if recipient.isascii() else ""
    return f" NOTIFY=FAILURE{original}"


def _xtext(text: str) -> str:
    """RFC 3461 4."""
    return _NOT_XTEXT.sub(lambda found: "".join(f"+{byte:02X}" for byte in found[0].encode()), text)
