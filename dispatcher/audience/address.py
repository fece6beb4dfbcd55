"""Tells a mail address from what only looks like one, and brings it to one spelling."""

import re
from dataclasses import dataclass

# What most addresses look like; only others cost email-validator's 20 µs.
_PLAIN = re.compile(
    r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """`email` as it goes on the envelope, its domain in A-labels; `key` is equal for equal people."""

    email: str
    key: str
    domain: str


def read_address(text: str) -> Address:
    """Raises ValueError with the reason in words."""
    text = text.strip(" ")
    if _PLAIN.fullmatch(text) and len(text) <= 254:
        local, _, domain = text.rpartition("@")
        if len(local) <= 64 and "--" not in domain[2:4]:
            return _address(local, domain)
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415  only for the unusual

    try:
        valid = validate_email(text, check_deliverability=False, test_environment=True, allow_domain_literal=False)
    except EmailNotValidError as error:
        raise ValueError(str(error).rstrip(".")) from error
    if len(valid.local_part.encode()) > 64:  # RFC 5321 4.5.3.1.1
        raise ValueError("the part before the @ is longer than 64 octets")
    return _address(valid.local_part, valid.ascii_domain)


def _address(local: str, domain: str) -> Address:
    domain = domain.lower()
    email = f"{local}@{domain}"
    # Local parts differ by case on paper only; in a list, Ann@ and ann@ are one person.
    return Address(email=email, key=email.lower(), domain=domain)
