"""What came back about an issue: by domain and cause with the remedy, and an alarm when it is too much."""

import json
from pathlib import Path

import pytest

from dispatcher.audience.people import everything_about
from dispatcher.desk import person
from dispatcher.desk.remedies import sentence
from dispatcher.desk.report import as_text
from dispatcher.desk.report_page import report_page
from dispatcher.models import Kind, State
from dispatcher.recipes.newsletter import open_newsletter
from dispatcher.returns.policy import alarm
from dispatcher.storage.came_back import Rates, came_back, rates_since
from dispatcher.storage.control import forget_stop, stop_because
from dispatcher.storage.database import now
from dispatcher.storage.mailings import find_mailing
from tests.returns.house import ANN, CLEO, DAN, EVE, FULL, SPAM, House, bounce, complaint, plain


def test_what_came_back_is_counted_by_domain_and_cause(tmp_path: Path, database_url: str) -> None:
    house = House(tmp_path / "letter", database=database_url)
    copies, began = house.send(), now()
    house.receive(
        bounce(copies[DAN]), bounce(copies[CLEO], FULL), bounce(copies[ANN], SPAM), complaint(copies[EVE]),
        bounce(copies[DAN], ("5.1.1", "550 5.1.1 no such user here")),
    )  # fmt: skip
    with open_newsletter(house.settings) as newsletter:
        found = {(each.domain, each.kind, each.cause): each.readers for each in came_back(newsletter.database, 1)}
        [rates] = rates_since(newsletter.database, began)
    assert found == {
        ("example.com", "bounce", "unknown user"): 1,
        ("example.com", "bounce", "mailbox full"): 1,
        ("example.com", "bounce", "spam"): 1,
        ("example.com", "complaint", "abuse"): 1,
    }
    assert rates == Rates(mailing_id=1, issue=29, sent=5, dead=1, complained=1)


def test_replies_are_counted_once_and_stay_in_the_mailbox(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    house = House(tmp_path / "letter")
    copies = house.send()
    reply = b"In-Reply-To: <%s>\n" % copies[ANN].message_id.encode() + plain(ANN, "letter@example.org", "Re: 29", "Hm!")
    for _ in range(2):
        house.receive(reply, plain(EVE, "letter@example.org", "Another matter", "Who are you?"))
    assert len(list((house.inbox / "new").iterdir())) == 4
    with open_newsletter(house.settings) as newsletter:
        mailing = find_mailing(newsletter.database, 29, Kind.LIVE)
        assert mailing is not None
        as_text(newsletter.database, mailing, "UTC")
    assert "1 reply from people, left in the mailbox for you" in capsys.readouterr().out


def test_the_page_tells_what_came_back_with_the_remedy(tmp_path: Path) -> None:
    house = House(tmp_path / "letter")
    copies = house.send()
    house.receive(
        bounce(copies[DAN], ("5.1.1", "550 5.1.1 <b>gone</b>, no such user")),
        plain(ANN, "letter@example.org", "Re: 29", f"Hm! {copies[ANN].header}"),
    )
    with open_newsletter(house.settings) as newsletter:
        mailing = find_mailing(newsletter.database, 29, Kind.LIVE)
        assert mailing is not None
        page = report_page(newsletter.database, mailing, newsletter="Test Letter", timezone="UTC")
    assert "What came back, and what to do about it" in page
    assert "&lt;b&gt;gone&lt;/b&gt;" in page
    assert "1 reply from people" in page


def test_a_paused_issue_says_why_until_somebody_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    house = House(tmp_path / "letter")
    house.send(outcomes={CLEO: State.QUEUED})
    with open_newsletter(house.settings) as newsletter:
        mailing = find_mailing(newsletter.database, 29, Kind.LIVE)
        assert mailing is not None
        stop_because(newsletter.database, mailing.id, "half of it came back")
        as_text(newsletter.database, mailing, "UTC")
        assert "paused: half of it came back; to go on: send-issue 29" in capsys.readouterr().out
        page = report_page(newsletter.database, mailing, newsletter="Test Letter", timezone="UTC")
        assert "paused: half of it came back" in page
        forget_stop(newsletter.database, mailing.id)
        as_text(newsletter.database, mailing, "UTC")
        assert "paused" not in capsys.readouterr().out


def test_a_person_is_shown_with_what_came_back_about_him(tmp_path: Path) -> None:
    house = House(tmp_path / "letter")
    copies = house.send()
    house.receive(bounce(copies[CLEO], FULL))
    with open_newsletter(house.settings) as newsletter:
        known = everything_about(newsletter.database, newsletter.keyring, CLEO)
    shown = known.address, known.person, known.suppression, known.requests
    assert "bounce about issue 29 (mailbox full, counted): 552 5.2.2 mailbox full" in person.as_text(*shown)
    [back] = json.loads(json.dumps(person.as_plain(*shown)))["came_back"]
    assert (back["what"], back["issue"], back["cause"], back["action"]) == ("bounce", 29, "mailbox full", "counted")


def test_the_remedy_is_told_in_words() -> None:
    said = sentence("hotmail.com", "bounce", "authentication", "5.7.515", "550 5.7.515 Access denied")
    assert said == "Outlook refuses: SPF and DKIM must both pass: 550 5.7.515 Access denied"


@pytest.mark.parametrize(
    ("dead", "complained", "is_alarming"),
    [(0, 0, False), (49, 0, False), (51, 0, True), (0, 9, False), (0, 10, True)],
)
def test_too_many_dead_addresses_or_complaints_raise_an_alarm(dead: int, complained: int, is_alarming: bool) -> None:
    assert bool(alarm(Rates(mailing_id=1, issue=29, sent=1000, dead=dead, complained=complained))) is is_alarming
