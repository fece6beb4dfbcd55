"""Sign-up: nobody is on a list before the owner of the address said so, and the form is no weapon."""

from datetime import timedelta
from pathlib import Path

import pytest

from dispatcher.storage.database import now
from dispatcher.storage.dossiers import dossier, pending_requests
from dispatcher.storage.readers import find_subscriber
from dispatcher.storage.signups import KEPT, drop_stale
from dispatcher.storage.standing import Cause, Channel
from dispatcher.storage.suppressions import suppress
from dispatcher.tokens import UndoToken, sign_undo
from dispatcher.web.limits import Limits
from tests.web.house import ANN, BOB, House, build

DAN = "dan@example.net"


@pytest.fixture
def house_url(database_url: str) -> str:
    """On both kinds of database."""
    return database_url


def test_who_asks_is_on_no_list_before_he_confirms(house: House) -> None:
    answer = house.fill_in("/subscribe", email=DAN)
    assert "Please look into your mailbox" in answer.text
    assert house.mails(DAN) == ["confirm"]
    assert dossier(house.database, DAN) is None
    link = house.confirmation(DAN)
    assert "Receive Test Letter?" in house.ask("GET", link).text
    assert dossier(house.database, DAN) is None
    assert "Welcome!" in house.post(link, b"confirm=1").text
    assert house.lists_of(DAN) == {"readers"}


def test_what_he_agreed_to_is_kept(house: House) -> None:
    house.fill_in("/subscribe", email=DAN, client="192.0.2.17")
    house.post(house.confirmation(DAN), b"confirm=1")
    person = dossier(house.database, DAN)
    assert person is not None
    (there,) = person.memberships
    assert there.source == "confirmed"
    assert there.consented_at is not None
    assert there.confirmed_at is not None
    assert there.consented_at < there.confirmed_at
    assert there.wording == house.site.wording.version("en")
    assert there.network == "192.0.2.0/24"


def test_everybody_reads_the_same_whoever_he_is(house: House) -> None:
    suppress(house.database, house.site.keyring, "eve@example.net", Cause.COMPLAINED, Channel.COMPLAINT)
    pages = [house.fill_in("/subscribe", email=email) for email in (DAN, DAN, ANN, "eve@example.net")]
    assert len({(page.status, page.body) for page in pages}) == 1
    assert house.mails() == ["confirm", "already"]


def test_who_complained_is_not_even_asked(house: House) -> None:
    suppress(house.database, house.site.keyring, ANN, Cause.COMPLAINED, Channel.COMPLAINT)
    house.fill_in("/subscribe", email=ANN)
    assert house.mails() == []


def test_who_complains_after_he_asked_cannot_confirm(house: House) -> None:
    house.fill_in("/subscribe", email=DAN)
    link = house.confirmation(DAN)
    suppress(house.database, house.site.keyring, DAN, Cause.COMPLAINED, Channel.COMPLAINT)
    assert "cannot be added here" in house.post(link, b"confirm=1").text
    assert dossier(house.database, DAN) is None


def test_a_thousand_sign_ups_for_fifty_addresses_mail_each_at_most_once(tmp_path: Path) -> None:
    house = build(tmp_path, limits=Limits(clock=lambda: 0.0))
    for number in range(1000):
        house.fill_in("/subscribe", email=f"victim{number % 50}@example.net", client=f"198.51.{number % 10}.7")
    mailed = [email for email in (f"victim{number}@example.net" for number in range(50)) if house.mails(email)]
    assert all(len(house.mails(email)) == 1 for email in mailed)
    assert len(mailed) == 50
    house.database.close()


@pytest.mark.parametrize(
    ("drawn", "extra", "mailed"),
    [(1, {}, 0), (3, {}, 1), (7_100, {}, 1), (7_300, {}, 0), (5, {"website": "https://example.net"}, 0)],
    ids=["too soon", "soon", "late", "too late", "into the trap"],
)
def test_a_form_is_filled_in_by_a_person_and_in_time(
    house: House, drawn: float, extra: dict[str, str], mailed: int
) -> None:
    house.fill_in("/subscribe", email=DAN, drawn=drawn, **extra)
    assert len(house.mails()) == mailed


def test_a_form_of_another_site_asks_once_more(house: House) -> None:
    page = house.post("/subscribe", b"email=dan%40example.net")
    assert "press the button once more" in page.text
    assert 'value="dan@example.net"' in page.text
    assert house.mails() == []


def test_one_network_asks_ten_times_and_then_waits_while_others_go_on(tmp_path: Path) -> None:
    house = build(tmp_path, limits=Limits(clock=lambda: 0.0))
    answers = [
        house.fill_in("/subscribe", email=f"r{number}@example.net", client=f"192.0.2.{number}").status
        for number in range(12)
    ]
    assert answers == [200] * 10 + [429] * 2
    assert house.fill_in("/subscribe", email=DAN, client="203.0.113.5").status == 200
    house.database.close()


@pytest.mark.parametrize("email", ["", "dan", "dan@", "a@b@example.net", "dan@example.net\r\nBcc: eve@example.net"])
def test_what_is_no_address_is_said(house: House, email: str) -> None:
    assert "not a complete e-mail address" in house.fill_in("/subscribe", email=email).text
    assert house.mails() == []


def test_with_several_lists_he_chooses_and_only_open_ones_are_offered(tmp_path: Path) -> None:
    house = build(tmp_path, open_lists=("readers", "events"))
    page = house.ask("GET", "/subscribe").text
    assert page.count('type="checkbox"') == 2
    assert "choose at least one list" in house.fill_in("/subscribe", email=DAN).text
    house.fill_in("/subscribe", email=DAN, list1="1", list2="1")
    house.post(house.confirmation(DAN), b"confirm=1")
    assert house.lists_of(DAN) == {"events"}
    house.database.close()


def test_a_link_to_confirm_works_once_and_not_for_ever(house: House) -> None:
    house.fill_in("/subscribe", email=DAN)
    link = house.confirmation(DAN)
    house.post(link, b"confirm=1")
    house.post(house.link(DAN), b"confirm=1")
    assert "confirmed already" in house.post(link, b"confirm=1").text
    assert house.lists_of(DAN) == set()
    drop_stale(house.database, now() + KEPT + timedelta(days=1))
    assert "too old" in house.ask("GET", link).text


def test_who_never_confirms_is_forgotten_after_a_week(house: House) -> None:
    house.fill_in("/subscribe", email=DAN)
    assert drop_stale(house.database, now() + KEPT - timedelta(hours=1)) == 0
    assert drop_stale(house.database, now() + KEPT + timedelta(hours=1)) == 1
    assert pending_requests(house.database, DAN) == ()
    assert house.mails() == []


def test_who_left_comes_back_by_confirming(house: House) -> None:
    house.post(house.link(BOB), b"confirm=1&all=1")
    assert house.lists_of(BOB) == set()
    house.fill_in("/subscribe", email=BOB.upper())
    house.post(house.confirmation(BOB.upper().replace("EXAMPLE.ORG", "example.org")), b"confirm=1")
    assert house.lists_of(BOB) == {"readers"}


# Undo


def undo_link(page: str) -> str:
    return page.partition('action="/undo/')[2].partition('"')[0]


def test_undo_brings_back_what_was_left_just_now(house: House) -> None:
    page = house.post(house.link(BOB), b"confirm=1&all=1").text
    token = undo_link(page)
    assert house.ask("GET", f"/undo/{token}").status == 405
    assert house.lists_of(BOB) == set()
    assert "You are on the list" in house.post(f"/undo/{token}", b"").text
    assert house.lists_of(BOB) == {"readers", "events"}
    assert "no longer possible" in house.post(f"/undo/{token}", b"").text


def test_undo_does_not_bring_back_what_was_left_before(house: House) -> None:
    house.post(house.link(BOB, "events"), b"confirm=1")
    token = undo_link(house.post(house.link(BOB), b"confirm=1&all=1").text)
    house.post(f"/undo/{token}", b"")
    assert house.lists_of(BOB) == {"readers"}


@pytest.mark.parametrize(
    ("cause", "by"),
    [
        (Cause.COMPLAINED, Channel.COMPLAINT),
        (Cause.BOUNCED, Channel.BOUNCE),
        (Cause.LEFT, Channel.IMPORT),
        (Cause.OPERATOR, Channel.OPERATOR),
    ],
)
def test_undo_brings_back_nobody_who_was_suppressed_meanwhile(house: House, cause: Cause, by: Channel) -> None:
    token = undo_link(house.post(house.link(ANN), b"confirm=1").text)
    suppress(house.database, house.site.keyring, ANN, cause, by)
    assert "no longer possible" in house.post(f"/undo/{token}", b"").text
    assert house.lists_of(ANN) == set()


def test_one_click_offers_no_undo_and_late_is_too_late(house: House) -> None:
    assert "undo" not in house.post(house.link(ANN), b"List-Unsubscribe=One-Click").text
    reader, person = find_subscriber(house.database, ANN), dossier(house.database, ANN)
    assert reader is not None
    assert person is not None
    left_at = person.memberships[0].changed_at
    late = UndoToken(subscriber_id=reader.id, ref=reader.ref, left_at=left_at, expires_at=now() - timedelta(seconds=1))
    assert "no longer possible" in house.post(f"/undo/{sign_undo(house.site.keyring, late)}", b"").text
    assert house.lists_of(ANN) == set()
