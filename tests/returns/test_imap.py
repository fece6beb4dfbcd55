"""Returned mail from a real Dovecot: once each, through lost connections, with what is not ours left alone."""

import itertools
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dispatcher.errors import RelayUnusable, SettingsWrong, Unfinished
from dispatcher.recipes.inbox import Reading, explain, read_inbox
from dispatcher.recipes.newsletter import open_newsletter
from dispatcher.returns.imap import mails_over_imap, read_imap_url
from dispatcher.returns.returned import Class
from dispatcher.storage.control import why_stopped
from dispatcher.storage.standing import Cause
from tests.returns.dovecot import PASSWORD, Cutter, Dovecot, start_dovecot
from tests.returns.house import ANN, CAST, DAN, EVE, House, bounce, complaint, plain
from tests.servers.cell import free_ports

_NUMBERS = itertools.count()
LOVELY = plain(ANN, "letter@example.org", "Re: Test Letter", "Lovely!")


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with start_dovecot() as server:
        yield server


@pytest.fixture
def dovecot(server: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Dovecot:
    """The server, with a mailbox that is this test's own."""
    monkeypatch.setenv("SSL_CERT_FILE", str(server.authority))
    return replace(server, user=f"reader{next(_NUMBERS)}")


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path / "letter")
    house.settings = replace(house.settings, inbox_password=PASSWORD)
    return house


def read(house: House, url: str) -> list[Reading]:
    return list(read_inbox(house.settings, url))


def test_what_is_done_is_marked_as_read_and_a_reply_stays_unread(house: House, dovecot: Dovecot) -> None:
    copies = house.send()
    dovecot.deliver(bounce(copies[DAN]), LOVELY, complaint(copies[EVE]))
    assert [each.returned.kind for each in explain(house.settings, dovecot.url)] == [
        Class.BOUNCE, Class.REPLY, Class.COMPLAINT,
    ]  # fmt: skip
    assert house.kept_away() == {}
    assert len(read(house, dovecot.url)) == 3
    assert house.kept_away() == {DAN: Cause.BOUNCED, EVE: Cause.COMPLAINED}
    assert read(house, dovecot.url) == []
    [unread] = explain(house.settings, dovecot.url)
    assert unread.returned.kind is Class.REPLY


def test_what_is_done_can_be_moved_away(house: House, dovecot: Dovecot) -> None:
    dovecot.deliver(bounce(house.send()[DAN]), LOVELY)
    read(house, f"{dovecot.url}?move=Done")
    for folder in (dovecot.maildir / ".Done", dovecot.maildir):
        assert len([*folder.glob("new/*"), *folder.glob("cur/*")]) == 1


@pytest.mark.parametrize("octets", [1500, 2500, 4000])
def test_a_connection_that_is_cut_in_the_middle_loses_nothing(house: House, dovecot: Dovecot, octets: int) -> None:
    copies = house.send()
    dovecot.deliver(*(bounce(copies[each]) for each in CAST))
    with Cutter(dovecot.port, [octets]) as way:
        readings = read(house, dovecot.plain_url(way.port))
        assert way.connections == 2
    assert {each.name for each in readings if each.settled and each.settled.is_news} == {
        f"INBOX;UID={number}" for number in range(1, len(CAST) + 1)
    }
    assert house.kept_away() == dict.fromkeys(CAST, Cause.BOUNCED)
    assert read(house, dovecot.url) == []


def test_many_cuts_lose_nothing_either(dovecot: Dovecot) -> None:
    dovecot.deliver(*[LOVELY] * 5)
    with Cutter(dovecot.port, [600, 1200, 1800, 2400]) as way:
        mailbox = read_imap_url(dovecot.plain_url(way.port), PASSWORD)
        names = []
        for found in mails_over_imap(mailbox, pause=lambda _: None):
            names.append(found.name)
            found.done()
        assert way.connections == 5
    assert len(set(names)) == 5


def test_mail_that_arrives_later_is_read_as_it_arrives(house: House, dovecot: Dovecot) -> None:
    copies = house.send()
    dovecot.deliver(bounce(copies[DAN]))
    readings = read_inbox(house.settings, dovecot.url, watches=True)
    assert next(readings).returned.kind is Class.BOUNCE
    threading.Timer(0.3, lambda: dovecot.deliver(complaint(copies[EVE]))).start()
    assert next(readings).returned.kind is Class.COMPLAINT
    readings.close()  # type: ignore[attr-defined]
    assert house.kept_away() == {DAN: Cause.BOUNCED, EVE: Cause.COMPLAINED}


def test_a_watched_mailbox_pauses_an_issue_of_which_too_much_comes_back(dovecot: Dovecot, tmp_path: Path) -> None:
    dead = [f"r{number}@example.com" for number in range(10)]
    house = House(tmp_path / "letter", *dead)
    house.settings = replace(house.settings, inbox_password=PASSWORD)
    copies = house.send()
    dovecot.deliver(*(bounce(copies[each]) for each in dead))
    readings = read_inbox(house.settings, dovecot.url, watches=True)
    for _ in dead:
        next(readings)
    readings.close()  # type: ignore[attr-defined]
    with open_newsletter(house.settings) as newsletter:
        assert "have dead addresses" in (why_stopped(newsletter.database, 1) or "")


def test_a_refused_login_and_a_server_that_is_away_are_told_apart(dovecot: Dovecot) -> None:
    with pytest.raises(RelayUnusable, match="login is refused"):
        list(mails_over_imap(read_imap_url(dovecot.url, "wrong")))
    with pytest.raises(Unfinished):
        list(mails_over_imap(read_imap_url(dovecot.plain_url(free_ports(1)[0]), PASSWORD), pause=lambda _: None))


@pytest.mark.parametrize(
    "url",
    [
        "imaps://ann:secret@example.org/INBOX", "imap://ann@example.org/INBOX", "imaps://example.org/INBOX",
        "imaps://ann@example.org/INBOX?delete=yes", "imaps://ann@example.org:port/INBOX",
    ],
)  # fmt: skip
def test_a_wrong_url_is_told_without_its_password(url: str) -> None:
    with pytest.raises(SettingsWrong) as wrong:
        read_imap_url(url, PASSWORD)
    assert "secret" not in str(wrong.value)
