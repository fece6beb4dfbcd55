"""Looks whether the DKIM key that the DNS publishes is the one that signs (RFC 6376)."""

import re

from dispatcher.doctor.dns import Query
from dispatcher.doctor.finding import Finding, error, fine, warning

_CHECK = "DKIM"


def check_dkim(query: Query, domain: str, selector: str | None, public_key: str | None) -> list[Finding]:
    """`public_key` is ours in base64 (SubjectPublicKeyInfo). Without a key of ours the relay has to sign.

    Raises DnsFailed.
    """
    if selector is None or public_key is None:
        remedy = f"see that your relay signs with d={domain}, or let Dispatcher sign"
        return [warning(_CHECK, "Dispatcher does not sign", remedy)]
    name = f"{selector}._domainkey.{domain}"
    records = query(name, "TXT")
    wanted = f"v=DKIM1; k=rsa; p={public_key}"
    if not records:
        return [error(_CHECK, f"{name} does not exist", f'publish there a TXT record: "{wanted}"')]
    tags = dict(re.findall(r"(\w+)\s*=\s*([^;]*)", records[0]))
    published = re.sub(r"\s", "", tags.get("p", ""))
    if not published:
        return [error(_CHECK, f"{name} says that the key is revoked", f'publish there: "{wanted}"')]
    if published != re.sub(r"\s", "", public_key):
        return [error(_CHECK, f"{name} publishes another key than the one that signs", f'publish there: "{wanted}"')]
    if "y" in tags.get("t", ""):
        return [warning(_CHECK, f"{name} says that it is a test (t=y)", "remove t=y from the record")]
    return [fine(_CHECK, f"{name} publishes our key")]
