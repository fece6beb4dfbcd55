"""Looks at hosts: who takes mail for the return path, and whether the relay's address has a name."""

import ipaddress

from dispatcher.doctor.dns import Query, addresses_of, reverse_name
from dispatcher.doctor.finding import RELAY, Finding, error, fine, warning


def check_return_path(query: Query, domain: str) -> list[Finding]:
    """Without a mail server there, nothing comes back, and some receivers refuse such a sender. Raises DnsFailed."""
    check = "return path"
    hosts = query(domain, "MX")
    if hosts == [""]:  # RFC 7505
        return [error(check, f"{domain} says that it takes no mail (null MX)", "give it a mail server")]
    if hosts:
        return [fine(check, f"{domain} takes mail at {', '.join(sorted(hosts))}")]
    if addresses_of(query, domain):
        return [warning(check, f"{domain} has no MX record, only an address", "publish an MX record")]
    return [error(check, f"{domain} takes no mail: no bounce will come back", f"publish an MX record for {domain}")]


def check_reverse_name(query: Query, host: str) -> list[Finding]:
    """A server that sends to others needs a name that leads back to it. Raises DnsFailed."""
    check = "PTR"
    addresses = addresses_of(query, host)
    if not addresses:
        return [error(check, f"{host} has no address", "correct the relay's host", exit_code=RELAY)]
    findings = []
    for address in addresses:
        if not ipaddress.ip_address(address).is_global:
            findings.append(
                fine(check, f"{host} ({address}) is not on the Internet; what it sends from is not seen here")
            )
            continue
        names = query(reverse_name(address), "PTR")
        if any(address in addresses_of(query, name) for name in names):
            findings.append(fine(check, f"{address} is {names[0]}"))
        else:
            told = f"{address} ({host}) has no reverse name that leads back to it"
            remedy = "if this relay sends to receivers itself, have its provider set a PTR record"
            findings.append(warning(check, told, remedy))
    return findings
