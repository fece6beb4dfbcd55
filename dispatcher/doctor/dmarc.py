"""Looks at the DMARC record of the From domain, and whether our domains are aligned with it (RFC 9989, before 7489)."""

import re

from dispatcher.doctor.dns import Query
from dispatcher.doctor.finding import Finding, error, fine, warning

_CHECK = "DMARC"
_POLICIES = {"none", "quarantine", "reject"}
_MOST_LABELS = 8  # RFC 9989: the tree is walked so far


def check_dmarc(query: Query, from_domain: str, return_domain: str) -> list[Finding]:
    """Raises DnsFailed."""
    findings = []
    place, record = _find(query, from_domain)
    if record is None:
        remedy = (
            f'publish a TXT record at _dmarc.{from_domain}: "v=DMARC1; p=none; rua=mailto:postmaster@{from_domain}"'
        )
        findings.append(
            error(_CHECK, f"{from_domain} has no DMARC record, which Gmail, Yahoo and Outlook want", remedy)
        )
    elif _tag(record, "p") not in _POLICIES:
        findings.append(error(_CHECK, f"the record at {place} has no valid p=", "write p=none, quarantine or reject"))
    else:
        findings.append(fine(_CHECK, f"{place}: {record}"))
    is_strict = record is not None and _tag(record, "aspf") == "s"
    if return_domain == from_domain or (not is_strict and _share_a_domain(query, from_domain, return_domain)):
        findings.append(fine("alignment", f"return path {return_domain} is aligned with From {from_domain}"))
    else:
        message = f"the return path's domain {return_domain} is not aligned with From {from_domain}"
        remedy = f"set bounce_address to an address under {from_domain}; until then only DKIM can pass DMARC"
        findings.append(warning("alignment", message, remedy))
    return findings


def _find(query: Query, domain: str) -> tuple[str, str | None]:
    """The record of the domain, or of the nearest one above it."""
    labels = domain.split(".")[-_MOST_LABELS:]
    for start in range(max(len(labels) - 1, 1)):
        place = "_dmarc." + ".".join(labels[start:])
        found = [each for each in query(place, "TXT") if re.match(r"v=DMARC1\s*(?:;|$)", each)]
        if len(found) == 1:
            return place, found[0]
    return f"_dmarc.{domain}", None


def _share_a_domain(query: Query, one: str, other: str) -> bool:
    """Relaxed alignment: one is below the other, or both are below a domain that has a DMARC record."""
    if one.endswith(f".{other}") or other.endswith(f".{one}"):
        return True
    common: list[str] = []
    for left, right in zip(reversed(one.split(".")), reversed(other.split(".")), strict=False):
        if left != right:
            break
        common.insert(0, left)
    return len(common) > 1 and _find(query, ".".join(common))[1] is not None


def _tag(record: str, name: str) -> str:
    found = re.search(rf"(?:^|;)\s*{name}\s*=\s*([^;\s]*)", record)
    return found[1].lower() if found else ""
