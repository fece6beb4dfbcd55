"""Looks at the SPF record of the return path's domain (RFC 7208)."""

import re

from dispatcher.doctor.dns import Query
from dispatcher.doctor.finding import Finding, error, fine, warning

_CHECK = "SPF"
_MOST_LOOKUPS = 10  # RFC 7208 4.6.4
_LOOKS_UP = re.compile(r"[+?~-]?(?:(include|a|mx|ptr|exists)(?:[:/]|$)|(redirect)=)", re.IGNORECASE)


def check_spf(query: Query, domain: str) -> list[Finding]:
    """What receivers will make of it. Raises DnsFailed."""
    records = _records(query, domain)
    if not records:
        remedy = (
            f'publish a TXT record at {domain}: "v=spf1 include:YOUR-RELAY ~all" (your relay tells its own include)'
        )
        return [error(_CHECK, f"{domain} has no SPF record", remedy)]
    if len(records) > 1:
        return [error(_CHECK, f"{domain} has {len(records)} SPF records, which is as bad as none", "keep one of them")]
    [record] = records
    terms = record.split()[1:]
    if "+all" in terms or "all" in terms:
        return [error(_CHECK, f"{domain} lets everybody send for it (+all)", "end the record with ~all or -all")]
    lookups = _count_lookups(query, terms, seen={domain})
    if lookups > _MOST_LOOKUPS:
        message = f"the SPF record of {domain} needs {lookups} look-ups, of which receivers make {_MOST_LOOKUPS}"
        return [error(_CHECK, message, "remove includes that are not needed any more")]
    if not any(re.fullmatch(r"[~?-]all", term) or term.startswith("redirect=") for term in terms):
        return [warning(_CHECK, f"the SPF record of {domain} does not say who may not send", "end it with ~all")]
    return [fine(_CHECK, f"{domain}: {record}")]


def _records(query: Query, domain: str) -> list[str]:
    return [each for each in query(domain, "TXT") if re.match(r"v=spf1(?: |$)", each, re.IGNORECASE)]


def _count_lookups(query: Query, terms: list[str], *, seen: set[str]) -> int:
    count = 0
    for term in terms:
        found = _LOOKS_UP.match(term)
        if not found or count > _MOST_LOOKUPS:
            continue
        count += 1
        target = re.split(r"[:=]", term, maxsplit=1)[-1].lower()
        if (found[2] or (found[1] or "").lower() == "include") and target not in seen and "%" not in target:
            seen.add(target)
            included = _records(query, target)
            count += _count_lookups(query, included[0].split()[1:], seen=seen) if included else 0
    return count
