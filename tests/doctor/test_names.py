"""SPF, DKIM, DMARC, alignment, return path and reverse names, asked of a real DNS server."""

from collections.abc import Callable

import pytest

from dispatcher.doctor.dkim import check_dkim
from dispatcher.doctor.dmarc import check_dmarc
from dispatcher.doctor.dns import DnsFailed, Query, make_query
from dispatcher.doctor.finding import Finding, Level
from dispatcher.doctor.hosts import check_return_path, check_reverse_name
from dispatcher.doctor.spf import check_spf
from tests.doctor.names import NameServer, Records

OK, WARNING, ERROR = Level.OK, Level.WARNING, Level.ERROR
MANY = {(f"i{n}.example.net", "TXT"): [f'"v=spf1 include:i{n + 1}.example.net a mx -all"'] for n in range(5)}


def asked(records: Records, check: Callable[[Query], list[Finding]]) -> list[Level]:
    with NameServer(records) as server:
        findings = check(make_query(server.address))
    assert all(each.remedy for each in findings if each.level is not OK)
    return [each.level for each in findings]


@pytest.mark.parametrize(
    ("records", "level"),
    [
        ({("example.org", "TXT"): ['"v=spf1 include:relay.example.net ~all"']}, OK),
        ({("example.org", "TXT"): ['"v=spf1 ip4:192.0.2.1 " "-all"']}, OK),
        ({("example.org", "TXT"): ['"something=else"', '"v=spf1 -all"']}, OK),
        ({}, ERROR),
        ({("example.org", "TXT"): ['"something=else"']}, ERROR),
        ({("example.org", "TXT"): ['"v=spf1 -all"', '"v=spf1 ~all"']}, ERROR),
        ({("example.org", "TXT"): ['"v=spf1 +all"']}, ERROR),
        ({("example.org", "TXT"): ['"v=spf1 ip4:192.0.2.1"']}, WARNING),
        ({("example.org", "TXT"): ['"v=spf1 include:i0.example.net -all"'], **MANY}, ERROR),
        ({("example.org", "TXT"): ['"v=spf1 include:example.org -all"']}, OK),
    ],
)
def test_spf(records: Records, level: Level) -> None:
    assert asked(records, lambda query: check_spf(query, "example.org")) == [level]


@pytest.mark.parametrize(
    ("published", "level"),
    [
        ('"v=DKIM1; k=rsa; p=AAAA" "BBBB"', OK),
        ('"v=DKIM1; k=rsa; p=CCCC"', ERROR),
        ('"v=DKIM1; p="', ERROR),
        ('"v=DKIM1; t=y; p=AAAABBBB"', WARNING),
        (None, ERROR),
    ],
)
def test_dkim(published: str | None, level: Level) -> None:
    records: Records = {("s1._domainkey.example.org", "TXT"): [published]} if published else {}
    assert asked(records, lambda query: check_dkim(query, "example.org", "s1", "AAAABBBB")) == [level]


def test_without_a_key_of_ours_the_relay_has_to_sign() -> None:
    assert asked({}, lambda query: check_dkim(query, "example.org", None, None)) == [WARNING]


@pytest.mark.parametrize(
    ("records", "return_domain", "levels"),
    [
        ({("_dmarc.example.org", "TXT"): ['"v=DMARC1; p=none"']}, "example.org", [OK, OK]),
        ({("_dmarc.example.org", "TXT"): ['"v=DMARC1; p=reject"']}, "bounces.example.org", [OK, OK]),
        ({("_dmarc.example.org", "TXT"): ['"v=DMARC1; p=reject; aspf=s"']}, "bounces.example.org", [OK, WARNING]),
        ({("_dmarc.example.org", "TXT"): ['"v=DMARC1; p=reject"']}, "relay.example.net", [OK, WARNING]),
        ({("_dmarc.example.org", "TXT"): ['"v=DMARC1; p=maybe"']}, "example.org", [ERROR, OK]),
        ({}, "example.org", [ERROR, OK]),
    ],
)
def test_dmarc_and_alignment(records: Records, return_domain: str, levels: list[Level]) -> None:
    assert asked(records, lambda query: check_dmarc(query, "example.org", return_domain)) == levels


def test_the_dmarc_record_of_a_domain_above_counts() -> None:
    records: Records = {("_dmarc.example.org", "TXT"): ['"v=DMARC1; p=quarantine"']}
    levels = asked(records, lambda query: check_dmarc(query, "news.example.org", "mail.example.org"))
    assert levels == [OK, OK]


@pytest.mark.parametrize(
    ("records", "level"),
    [
        ({("example.org", "MX"): ["10 mx.example.org."]}, OK),
        ({("example.org", "MX"): ["0 ."]}, ERROR),
        ({("example.org", "A"): ["192.0.2.1"]}, WARNING),
        ({}, ERROR),
    ],
)
def test_the_return_path_takes_mail(records: Records, level: Level) -> None:
    assert asked(records, lambda query: check_return_path(query, "example.org")) == [level]


@pytest.mark.parametrize(
    ("name", "back", "level"),
    [("relay.example.org.", "8.8.4.4", OK), ("relay.example.org.", "8.8.8.8", WARNING), (None, "8.8.4.4", WARNING)],
)
def test_the_relay_has_a_name_that_leads_back(name: str | None, back: str, level: Level) -> None:
    records: dict[tuple[str, str], list[str]] = {("relay.example.org", "A"): [back]}
    if name:
        records["4.4.8.8.in-addr.arpa", "PTR"] = [name]
    assert asked(records, lambda query: check_reverse_name(query, "8.8.4.4")) == [level]


def test_no_answer_is_told_from_no_record() -> None:
    with NameServer({}, is_broken=True) as server, pytest.raises(DnsFailed):
        check_spf(make_query(server.address), "example.org")
