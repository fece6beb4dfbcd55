"""How readers came and went: counted once each, in words, for programs, and as a page."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from dispatcher.audience.people import add_person, take_off
from dispatcher.desk.plots import growth_plots
from dispatcher.desk.statistics import as_page, as_plain, as_text, collect
from dispatcher.storage.columns import as_text as time_text
from dispatcher.storage.database import Database
from dispatcher.storage.standing import Cause, Channel
from dispatcher.storage.statistics import Growth, growth
from dispatcher.storage.suppressions import lift, suppress
from tests.storage.books import keys, open_at

ANN, BOB, DAN, EVE = (f"{name}@example.de" for name in ("ann", "bob", "dan", "eve"))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_at(tmp_path)
    yield database
    database.close()


def join(database: Database, *people: str, name: str = "readers") -> None:
    for each in people:
        add_person(database, keys(database), each, name, name=None, language="en", attributes={})


def move_to(database: Database, month: int) -> None:
    """What has just happened, happened then."""
    at = time_text(datetime(2026, month, 15, tzinfo=UTC))
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE event SET at = ? WHERE at > '2026-10-16'", (at,))


@pytest.fixture
def grown(database: Database) -> Database:
    """Three in August; Dan leaves in September and complains of it; Ann bounces, and comes back in October with Eve."""
    join(database, ANN, BOB, DAN)
    move_to(database, 8)
    take_off(database, DAN, "readers")
    suppress(database, keys(database), DAN, Cause.COMPLAINED, Channel.COMPLAINT)
    suppress(database, keys(database), ANN, Cause.BOUNCED, Channel.BOUNCE)
    move_to(database, 9)
    assert lift(database, keys(database), ANN, Channel.OPERATOR) is not None
    join(database, EVE)
    move_to(database, 10)
    return database


def test_who_comes_and_goes_counts_once_in_his_month(grown: Database) -> None:
    assert growth(grown) == [
        Growth(month="2026-08", list_name="readers", came=3, went=0),
        Growth(month="2026-09", list_name="readers", came=0, went=2),
        Growth(month="2026-10", list_name="readers", came=2, went=0),
    ]
    [plot] = growth_plots(growth(grown), ["readers", "others"])
    assert plot.words == "From 2026-08 to 2026-10 5 came and 2 went; 3 at the end."


def test_the_figures_are_told_by_list_state_language_and_domain(grown: Database) -> None:
    told = as_text(collect(grown))
    assert told.startswith("readers: 3 active, 1 complained\nkept from all lists: 1 complained\n")
    assert "languages: 3 en\ndomains: 3 example.de\n2026-08 readers: +3 -0" in told
    assert json.loads(json.dumps(as_plain(collect(grown))))["lists"] == {"readers": {"active": 3, "complained": 1}}


def test_the_page_has_a_plot_for_each_list_and_fits_a_phone(grown: Database, browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "readers.html"
    page.write_text(as_page(collect(grown), newsletter="<b>Letter</b>"), encoding="utf-8")
    tab = browser.new_page(viewport={"width": 375, "height": 800})
    tab.goto(page.as_uri())
    assert tab.locator("h1").inner_text() == "<b>Letter</b>: readers"
    assert tab.locator("svg").count() == 1
    assert tab.locator("script").count() == 0
    assert tab.evaluate("document.documentElement.scrollWidth") <= 375
    tab.close()
