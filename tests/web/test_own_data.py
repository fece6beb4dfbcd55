"""One's own page: only by a fresh mailed link; settings hold, data is handed over, and erased is erased."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from dispatcher.audience.people import add_person
from dispatcher.errors import InputWrong
from dispatcher.storage.database import now
from dispatcher.storage.dossiers import dossier
from dispatcher.storage.preferences import end_pauses
from dispatcher.storage.readers import find_subscriber
from dispatcher.storage.standing import Cause, Channel
from dispatcher.storage.suppressions import lift, suppress
from dispatcher.tokens import LeaveToken, sign_leave
from tests.storage.books import is_sqlite
from tests.web.house import ANN, BOB, WANG_FANG, House


@pytest.fixture
def house_url(database_url: str) -> str:
    """On both kinds of database."""
    return database_url


def test_a_link_is_mailed_to_whom_we_know_and_the_answer_is_the_same_for_all(house: House) -> None:
    pages = [house.fill_in("/settings", email=email) for email in (ANN, ANN, "nobody@example.net")]
    assert len({page.body for page in pages}) == 1
    assert house.mails() == ["data"]


def test_the_link_of_a_message_does_not_open_ones_data(house: House) -> None:
    assert house.ask("GET", house.link(ANN).replace("/u/", "/me/")).status == 404


def test_the_page_shows_what_is_set_and_the_address_masked(house: House) -> None:
    page = house.ask("GET", house.own_page(BOB)).text
    assert page.count("checked") == 2
    assert BOB not in page
    assert "b•••@e•••.org" in page


def test_settings_are_saved_and_shown(house: House) -> None:
    page = house.post(house.own_page(BOB), b"do=save&list0=1&language=zh&pause=4&tracking=1")
    assert "已保存" in page.text
    person = dossier(house.database, BOB)
    assert person is not None
    assert {each.list_name: each.state for each in person.memberships} == {
        "events": "paused",
        "readers": "unsubscribed",
    }
    assert person.language == "zh"
    assert person.agreed_to_tracking_at is not None


def test_tracking_is_off_until_the_reader_turns_it_on_and_off_again_when_he_says_so(house: House) -> None:
    link = house.own_page(ANN)
    for body, agrees in (
        (b"do=save&list0=1", False),
        (b"do=save&list0=1&tracking=1", True),
        (b"do=save&list0=1", False),
    ):
        house.post(link, body)
        person = dossier(house.database, ANN)
        assert person is not None
        assert (person.agreed_to_tracking_at is not None) is agrees


def test_a_break_ends_by_itself(house: House) -> None:
    house.post(house.own_page(ANN), b"do=save&list0=1&pause=2")
    assert house.lists_of(ANN) == set()
    end_pauses(house.database, now() + timedelta(days=13))
    assert house.lists_of(ANN) == set()
    end_pauses(house.database, now() + timedelta(days=15))
    assert house.lists_of(ANN) == {"readers"}


def test_a_break_survives_a_suppression_that_is_lifted(house: House) -> None:
    house.post(house.own_page(ANN), b"do=save&list0=1&pause=2")
    suppress(house.database, house.site.keyring, ANN, Cause.OPERATOR, Channel.OPERATOR)
    lift(house.database, house.site.keyring, ANN, Channel.OPERATOR, note="by mistake")
    end_pauses(house.database, now() + timedelta(days=15))
    assert house.lists_of(ANN) == {"readers"}


def test_a_reader_of_traditional_chinese_stays_one(house: House) -> None:
    add_person(house.database, house.site.keyring, "lin@example.org", "readers", name=None, language="zh-Hant",
               attributes={})  # fmt: skip
    house.post(house.own_page("lin@example.org"), b"do=save&list0=1&language=zh")
    person = dossier(house.database, "lin@example.org")
    assert person is not None
    assert person.language == "zh-Hant"


def test_a_list_that_is_not_offered_cannot_be_joined(house: House) -> None:
    house.post(house.own_page(ANN), b"do=save&list0=1&list1=1&list7=1&list=events")
    assert house.lists_of(ANN) == {"readers"}


def test_ones_data_is_handed_over_as_a_file(house: House) -> None:
    answer = house.post(house.own_page(ANN), b"do=download")
    assert json.loads(answer.body) == {"email": ANN}
    assert answer.headers["content-disposition"] == 'attachment; filename="my-data.json"'


def test_erasing_asks_once_more_and_then_nothing_is_left(house: House) -> None:
    page, leave = house.own_page(ANN), house.link(ANN)
    assert "Erase everything about you?" in house.post(page, b"do=erase").text
    assert dossier(house.database, ANN) is not None
    assert "Your data is erased" in house.post(page, b"do=erase-surely").text
    assert dossier(house.database, ANN) is None
    for suffix in ("", "-wal") if is_sqlite(house.database) else ():
        path = Path(house.database.place + suffix)
        assert not path.exists() or b"ann@example.org" not in path.read_bytes()
    assert house.ask("GET", leave).status == 404
    assert "too old" in house.ask("GET", page).text
    with pytest.raises(InputWrong):
        add_person(house.database, house.site.keyring, ANN, "readers", name=None, language=None, attributes={})


def test_a_link_that_is_too_old_opens_nothing(house: House) -> None:
    old = house.own_page(ANN, lasts=timedelta(seconds=-1))
    for answer in (house.ask("GET", old), house.post(old, b"do=erase-surely"), house.post(old, b"do=save")):
        assert "too old" in answer.text
    assert house.lists_of(ANN) == {"readers"}


def test_to_look_at_it_changes_nothing(house: House) -> None:
    before = house.everyone()
    for method in ("GET", "HEAD"):
        house.ask(method, house.own_page(WANG_FANG), b"do=erase-surely")
    house.post(house.own_page(WANG_FANG), b"")
    house.post(house.own_page(WANG_FANG), b"do=nonsense")
    assert house.everyone() == before


def test_who_is_suppressed_may_see_his_data_and_joins_nothing(house: House) -> None:
    suppress(house.database, house.site.keyring, ANN, Cause.COMPLAINED, Channel.COMPLAINT)
    page = house.own_page(ANN)
    assert house.ask("GET", page).status == 200
    house.post(page, b"do=save&list0=1")
    assert house.lists_of(ANN) == set()


def test_a_person_who_returns_after_being_erased_has_new_links(house: House) -> None:
    reader = find_subscriber(house.database, ANN)
    assert reader is not None
    house.post(house.own_page(ANN), b"do=erase-surely")
    house.fill_in("/subscribe", email=ANN)
    house.post(house.confirmation(ANN), b"confirm=1")
    assert house.lists_of(ANN) == {"readers"}
    old = sign_leave(house.site.keyring, LeaveToken(subscriber_id=reader.id, ref=reader.ref, list_id=1))
    assert house.post(f"/u/{old}", b"confirm=1").status == 404
    assert house.lists_of(ANN) == {"readers"}
