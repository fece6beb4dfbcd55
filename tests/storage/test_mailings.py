"""Issues as they were frozen: who gets a row, in which edition, and which readers stand for the others."""

from collections import Counter
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from dispatcher.models import Kind, Picture, State
from dispatcher.storage.database import Database
from dispatcher.storage.mailings import (
    Audience,
    Freeze,
    editions_of,
    enqueue,
    find_mailing,
    find_picture,
    freeze,
    lists_of,
    reported_mailing,
)
from dispatcher.storage.readers import is_reserved, languages_of, readers, representatives, reserved_members
from dispatcher.storage.reports import delivery_lines, planned_readers
from tests.storage.books import ANN, CLEO, DAN, EVE, balance, enlist, freeze_to, leave, person

WANG_FANG = "wangfang@example.de"


def who(database: Database, mailing_id: int) -> Counter[tuple[str, str]]:
    with database.reading() as connection:
        found = connection.execute(
            text(
                "SELECT s.email, e.language FROM delivery AS d JOIN subscriber AS s ON s.id = d.subscriber_id"
                " JOIN edition AS e ON e.id = d.edition_id WHERE d.mailing_id = :mailing"
            ),
            {"mailing": mailing_id},
        ).all()
    return Counter((email, language) for email, language in found)


def test_each_reader_gets_a_row_in_his_edition(database: Database) -> None:
    enlist(database, ANN, person(CLEO, language="en-GB"), person(WANG_FANG, language="zh-TW"))
    assert languages_of(database, "readers") == {None: 1, "en-GB": 1, "zh-TW": 1}
    mailing = freeze_to(database, spoken={"en": [None, "en-GB"], "zh": ["zh-TW"]})
    assert who(database, mailing.id) == {(ANN, "en"): 1, (CLEO, "en"): 1, (WANG_FANG, "zh"): 1}
    assert balance(database, mailing)


def test_who_left_gets_no_row(database: Database) -> None:
    enlist(database, ANN, CLEO, DAN)
    leave(database, CLEO)
    leave(database, DAN, None)
    assert who(database, freeze_to(database).id) == {(ANN, "en"): 1}


def test_staging_readers_get_every_edition_unless_they_name_a_language(database: Database) -> None:
    enlist(database, ANN, person(WANG_FANG, language="zh"), list_name="staging")
    mailing = freeze_to(database, "staging", kind=Kind.STAGING, spoken={"en": [None], "zh": ["zh", None]})
    assert who(database, mailing.id) == {(ANN, "en"): 1, (ANN, "zh"): 1, (WANG_FANG, "zh"): 1}
    assert len({line.message_id for line in delivery_lines(database, mailing)}) == 3
    assert balance(database, mailing)


@pytest.mark.parametrize(
    ("domain", "reserved"),
    [
        ("example.com", True),
        ("example.net", True),
        ("example.org", True),
        ("mail.example.com", True),
        ("a.test", True),
        ("a.b.example", True),
        ("a.invalid", True),
        ("a.localhost", True),
        ("example.edu", False),
        ("myexample.com", False),
        ("test.org", False),
        ("example.com.au", False),
        ("contest", False),
        ("example.de", False),
        ("examplexcom.org", False),
        ("a.xtest", False),
    ],
)
def test_reserved_domains_are_skipped_where_mail_would_leave_the_machine(
    database: Database, domain: str, reserved: bool
) -> None:
    enlist(database, f"ann@{domain}")
    assert reserved_members(database, "readers") == int(reserved)
    assert is_reserved(domain) is reserved
    leaving = freeze_to(database, skip_reserved=True)
    staying = freeze_to(database, kind=Kind.MAILDIR)
    line = next(delivery_lines(database, leaving))
    expected = (State.SKIPPED, "reserved domain") if reserved else (State.QUEUED, None)
    assert (line.state, line.reason) == expected
    assert next(delivery_lines(database, staying)).state is State.QUEUED
    assert balance(database, leaving)


def test_a_further_list_adds_only_those_without_a_row(database: Database) -> None:
    enlist(database, ANN, CLEO)
    enlist(database, CLEO, DAN, list_name="weekly")
    mailing = freeze_to(database)
    assert enqueue(database, mailing.id, Audience(list_name="weekly", spoken={"en": [None]})) == 1
    assert who(database, mailing.id) == {(ANN, "en"): 1, (CLEO, "en"): 1, (DAN, "en"): 1}
    assert lists_of(database, mailing.id) == {"readers", "weekly"}
    assert planned_readers(database, mailing.id) == 3
    assert balance(database, mailing)


def test_freezing_afresh_leaves_nothing_of_what_it_replaces(database: Database) -> None:
    enlist(database, ANN)
    first = freeze_to(database, spoken={"en": [None], "zh": []})
    enlist(database, CLEO)
    second = freeze_to(database, replace=first.id)
    assert find_mailing(database, 29, Kind.LIVE) == second
    assert second.salt != first.salt
    assert [each.language for each in editions_of(database, second.id).values()] == ["en"]
    assert planned_readers(database, second.id) == 2
    assert balance(database, second)
    assert who(database, second.id) == {(ANN, "en"): 1, (CLEO, "en"): 1}


def test_an_issue_has_one_live_mailing_and_any_number_of_trials(database: Database) -> None:
    enlist(database, ANN)
    trials = [freeze_to(database, kind=Kind.MAILDIR) for _ in range(2)]
    assert reported_mailing(database, 29) == trials[1]
    live = freeze_to(database)
    assert reported_mailing(database, 29) == live
    with pytest.raises(Exception, match=r"(?i)unique constraint"):
        freeze_to(database)
    assert find_mailing(database, 29, Kind.LIVE) == live
    assert find_mailing(database, 30, Kind.LIVE) is None


def test_a_picture_is_kept_once_and_found_by_name(database: Database) -> None:
    enlist(database, ANN)
    picture = Picture(name="3f.png", media_type="image/png", content=b"png", width=1, height=1)
    for kind in (Kind.MAILDIR, Kind.LIVE):
        frozen = Freeze(
            issue=29, kind=kind, content_hash="c", sender_domain="example.org", sources={}, editions=[],
            pictures=[picture, picture],
        )  # fmt: skip
        freeze(database, frozen, Audience(list_name="readers", spoken={}), replace=None)
    assert find_picture(database, "3f.png") == ("image/png", b"png")
    assert find_picture(database, "4f.png") is None


def test_readers_are_read_a_page_at_a_time_in_their_languages(database: Database) -> None:
    enlist(database, ANN, person(CLEO, language="en"), DAN, person(EVE, language="zh"))
    assert [each.email for each in readers(database, "readers", [None, "en"], after=0, limit=2)] == [ANN, CLEO]
    assert [each.email for each in readers(database, "readers", [None, "en"], after=2, limit=2)] == [DAN]
    assert [each.email for each in readers(database, "readers", ["zh"], after=0, limit=9)] == [EVE]


numbers = count()
values = st.one_of(st.none(), st.sampled_from(["pro", "free", 'a"b', "ö", " x "]))
crowds = st.lists(st.tuples(values, values, st.sampled_from([None, "en", "zh"])), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(crowd=crowds)
def test_the_representatives_show_every_combination_and_how_many_have_it(
    database: Database, crowd: list[tuple[str | None, str | None, str | None]]
) -> None:
    own = f"crowd{next(numbers)}"
    people = [
        person(f"r{number}.{own}@example.de", name=name, language=language, attributes={"plan": plan} if plan else {})
        for number, (name, plan, language) in enumerate(crowd)
    ]
    enlist(database, *people, list_name=own)
    found = representatives(database, own, [None, "en"], {"name": False, "plan": True})
    expected = Counter((name is not None, plan) for name, plan, language in crowd if language != "zh")
    shown = Counter({(each.name is not None, each.attributes.get("plan")): people for each, people in found})
    assert shown == expected
    assert len(found) == len(expected)


def test_without_conditions_one_reader_stands_for_all(database: Database) -> None:
    enlist(database, ANN, CLEO, DAN)
    leave(database, ANN)
    assert [(each.email, people) for each, people in representatives(database, "readers", [None], {})] == [(CLEO, 2)]
    assert representatives(database, "readers", ["zh"], {}) == []
