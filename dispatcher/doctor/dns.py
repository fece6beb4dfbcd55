"""Asks the DNS: text records, mail servers, addresses, reverse names."""

import ipaddress
from collections.abc import Callable

import dns.exception
import dns.rdatatype
import dns.resolver
import dns.reversename

_SECONDS = 5.0
Query = Callable[[str, str], list[str]]


class DnsFailed(Exception):
    """The DNS gave no answer; that a name does not exist is an answer."""


def make_query(nameserver: str | None = None) -> Query:
    """A function of a name and a record type, "TXT"; empty for what does not exist. It raises DnsFailed.

    `nameserver` is `address` or `address:port`; by default the machine's own.
    """
    resolver = dns.resolver.Resolver(configure=nameserver is None)
    if nameserver is not None:
        address, _, port = nameserver.rpartition(":") if nameserver.count(":") == 1 else (nameserver, "", "53")
        resolver.nameservers, resolver.port = [address], int(port)
    resolver.lifetime = resolver.timeout = _SECONDS

    def query(name: str, kind: str) -> list[str]:
        try:
            answer = resolver.resolve(name, kind, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError, ValueError, UnicodeError) as error:
            raise DnsFailed(f"{name} {kind}: {' '.join(str(error).split())[:200] or type(error).__name__}") from error
        return [_text(record) for record in answer]

    return query


def reverse_name(address: str) -> str:
    return str(dns.reversename.from_address(address)).rstrip(".")


def addresses_of(query: Query, host: str) -> list[str]:
    """The host's IPv4 and IPv6 addresses; an address is its own."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        return [*query(host, "A"), *query(host, "AAAA")]


def _text(record: object) -> str:
    strings = getattr(record, "strings", None)
    if strings is not None:  # a TXT record's strings are one text
        return b"".join(strings).decode("utf-8", "replace")
    exchange = getattr(record, "exchange", None)
    return str(exchange if exchange is not None else record).rstrip(".")
