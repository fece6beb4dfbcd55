"""What came back about an issue: by domain and cause with the remedy, and an alarm when it is too much."""

from pathlib import Path

import pytest

from dispatcher.desk.remedies import sentence
from dispatcher.recipes.newsletter import open_newsletter
from dispatcher.returns.policy import alarm
from dispatcher.storage.came_back import Rates, came_back, rates_since
from dispatcher.storage.database import now
from tests.returns.house import ANN, CLEO, DAN, EVE, FULL, SPAM, House, bounce, complaint


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


def test_the_remedy_is_told_in_words() -> None:
    said = sentence("hotmail.com", "bounce", "authentication", "5.7.515", "550 5.7.515 Access denied")
    assert said == "Outlook refuses: SPF and DKIM must both pass: 550 5.7.515 Access denied"


@pytest.mark.parametrize(
    ("dead", "complained", "is_alarming"),
    [(0, 0, False), (49, 0, False), (51, 0, True), (0, 9, False), (0, 10, True)],
)
def test_too_many_dead_addresses_or_complaints_raise_an_alarm(dead: int, complained: int, is_alarming: bool) -> None:
    assert bool(alarm(Rates(mailing_id=1, issue=29, sent=1000, dead=dead, complained=complained))) is is_alarming
