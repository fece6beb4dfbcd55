"""Imports: planned before they are applied, undone without harm, and other programs' exports taken as they are."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dispatcher.audience.lists import Imported, import_file
from dispatcher.audience.people import everything_about, roll, take_off
from dispatcher.desk import person
from dispatcher.desk.imports import as_text
from dispatcher.errors import NotFound
from dispatcher.storage.database import Database
from dispatcher.storage.dossiers import dossier
from dispatcher.storage.intakes import undo
from dispatcher.storage.standing import Cause, Channel
from dispatcher.storage.suppressions import find_suppression, suppress
from tests.storage.books import folder_of, keys, open_at

ANN, BOB, CLEO, DAN, EVE = (f"{name}@example.de" for name in ("ann", "bob", "cleo", "dan", "eve"))
FOREIGN = Path(__file__).parent / "foreign"


@pytest.fixture
def database(tmp_path: Path, database_url: str) -> Iterator[Database]:
    database = open_at(tmp_path, database_url)
    yield database
    database.close()


def bring(database: Database, *lines: str, only_plan: bool = False, list_name: str = "readers") -> Imported:
    path = folder_of(database) / "some.csv"
    path.write_text("\n".join(["email,name,plan", *lines]) + "\n", encoding="utf-8")
    return bring_file(database, path, only_plan=only_plan, list_name=list_name)


def bring_file(database: Database, path: Path, *, only_plan: bool = False, list_name: str = "readers") -> Imported:
    folder = folder_of(database)
    return import_file(database, keys(database), folder, path, list_name, only_plan=only_plan)


def states(database: Database) -> dict[str, str]:
    try:
        return {str(row["email"]): str(row["state"]) for row in roll(database, "readers")}
    except NotFound:
        return {}


def cause_of(database: Database, address: str) -> Cause | None:
    found = find_suppression(database, keys(database), address)
    return None if found is None else found.cause


# Plan and apply


def test_a_plan_says_what_would_be_and_stores_nothing(database: Database) -> None:
    bring(database, f"{ANN},Ann,pro", f"{BOB},Bob,", f"{CLEO},Cleo,", f"{DAN},Dan,")
    take_off(database, BOB, "readers")
    suppress(database, keys(database), EVE, Cause.COMPLAINED, Channel.COMPLAINT)
    before = [dossier(database, each) for each in (ANN, BOB, CLEO, DAN, EVE)]
    lines = (f"{ANN},Ann,free", f"{BOB},Bob,", f"{CLEO},Cleo,", f"{EVE},Eve,", "fay@example.de,Fay,")
    planned = bring(database, *lines, only_plan=True).changes
    assert planned is not None
    assert (planned.joined, planned.changed, planned.unchanged) == (1, 1, 1)
    assert planned.away == {"unsubscribed": 1, "complained": 1}
    assert [dossier(database, each) for each in (ANN, BOB, CLEO, DAN, EVE)] == before
    assert states(database).keys() == {ANN, BOB, CLEO, DAN}
    assert bring(database, *lines).changes == planned


def test_a_plan_for_a_list_that_is_not_there_makes_none(database: Database) -> None:
    planned = bring(database, f"{ANN},Ann,", only_plan=True).changes
    assert planned is not None
    assert planned.joined == 1
    assert states(database) == {}


def test_the_plan_tells_how_many_addresses_only_some_relays_take(database: Database) -> None:
    imported = bring(database, f"{ANN},Ann,", "王芳@example.com,王芳,", only_plan=True)
    assert imported.changes is not None
    told = as_text("readers", imported.changes, dialect="", only_plan=True)
    assert "beyond ASCII, only a relay that offers SMTPUTF8 takes mail to them: 1" in told
    assert "SMTPUTF8" not in as_text("readers", replace(imported.changes, beyond_ascii=0), dialect="", only_plan=True)


def test_who_is_shown_is_marked_where_his_address_is_beyond_ascii(database: Database) -> None:
    bring(database, f"{ANN},Ann,", "王芳@example.com,王芳,", "bob@münchen.de,Bob,")
    for address, needs in ((ANN, False), ("王芳@example.com", True), ("bob@münchen.de", False)):
        known = everything_about(database, keys(database), address)
        shown = known.address, known.person, known.suppression, known.requests
        assert ("only a relay that offers SMTPUTF8" in person.as_text(*shown)) is needs
        assert person.as_plain(*shown)["needs_smtputf8"] is needs


# Undo


def test_undo_takes_back_who_came_and_what_was_changed(database: Database) -> None:
    bring(database, f"{ANN},Ann,pro")
    bring(database, f"{ANN},Anna,free", f"{BOB},Bob,")
    undone = undo(database, "readers")
    assert undone is not None
    assert (undone.removed, undone.corrected) == (1, 1)
    ann = dossier(database, ANN)
    assert ann is not None
    assert (ann.name, dict(ann.attributes)) == ("Ann", {"plan": "pro"})
    assert dossier(database, BOB) is None
    assert undo(database, "readers") is None


def test_undo_leaves_those_who_left_since_where_they_are(database: Database) -> None:
    bring(database, f"{ANN},Ann,", f"{BOB},Bob,")
    take_off(database, ANN, "readers")
    undo(database, None)
    bring(database, f"{ANN},Ann,", f"{BOB},Bob,")
    assert states(database) == {ANN: "unsubscribed", BOB: "active"}


def test_undo_keeps_what_the_file_said_of_who_must_not_be_mailed(database: Database) -> None:
    bring_file(database, FOREIGN / "listmonk.csv")
    undo(database, None)
    assert cause_of(database, EVE) is Cause.OPERATOR
    bring(database, f"{EVE},Eve,")
    assert EVE not in states(database)


# Other programs' exports


@pytest.mark.parametrize(
    ("name", "dialect", "active", "causes"),
    [
        ("listmonk", "listmonk", {ANN}, {BOB: Cause.LEFT, EVE: Cause.OPERATOR}),
        ("mailchimp-subscribed", "Mailchimp", {ANN}, {}),
        ("mailchimp-unsubscribed", "Mailchimp", set(), {BOB: Cause.LEFT, EVE: Cause.COMPLAINED}),
        ("mailchimp-cleaned", "Mailchimp", set(), {DAN: Cause.BOUNCED}),
        ("substack", "Substack", {ANN}, {BOB: Cause.LEFT}),
        (
            "buttondown", "Buttondown", {ANN},
            {BOB: Cause.LEFT, DAN: Cause.BOUNCED, EVE: Cause.COMPLAINED, "fay@example.de": Cause.LEFT},
        ),
        ("ghost", "Ghost", {ANN}, {BOB: Cause.LEFT}),
    ],
)  # fmt: skip
def test_an_export_is_read_as_it_is_and_who_left_there_is_not_mailed_here(
    database: Database, name: str, dialect: str, active: set[str], causes: dict[str, Cause]
) -> None:
    imported = bring_file(database, FOREIGN / f"{name}.csv")
    assert imported.faults == ()
    assert imported.dialect == dialect
    assert {email.lower() for email, state in states(database).items() if state == "active"} == active
    assert {each: cause_of(database, each) for each in causes} == causes
    bring(database, *(f"{each},Somebody," for each in causes))
    assert not {email for email, state in states(database).items() if state == "active"} & {*causes}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("listmonk", {"plan": "pro", "city": "Bremen", "tags": "beta; press", "age": "41"}),
        ("mailchimp-subscribed", {"address": "1 Road, Bremen", "phone_number": "+49 421 1", "tags": "beta; press"}),
        ("substack", {"active_subscription": "true", "plan": "yearly"}),
        ("buttondown", {"plan": "pro", "tags": "beta; press"}),
        ("ghost", {"labels": "beta; press", "tiers": "Gold"}),
    ],
)
def test_what_it_says_of_a_reader_is_kept_with_the_time_of_his_consent(
    database: Database, name: str, fields: dict[str, str]
) -> None:
    bring_file(database, FOREIGN / f"{name}.csv")
    ann = dossier(database, ANN)
    assert ann is not None
    assert dict(ann.attributes) == fields
    assert ann.memberships[0].consented_at is not None
    assert ann.name in {"Ann", "Ann Archer", None}


def test_a_reader_who_is_listed_twice_and_left_once_has_left(database: Database) -> None:
    path = folder_of(database) / "both.csv"
    rows = ["uuid,email,name,attributes,status", f"1,{ANN},Ann,{{}},enabled", f"2,{ANN.upper()},Ann,{{}},blocklisted"]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert "with other values" in bring_file(database, path).faults[0].message
    assert states(database) == {}
    assert everything_about(database, keys(database), ANN).suppression is not None


def test_the_summary_counts_the_rows_that_were_not_stored(database: Database) -> None:
    imported = bring(database, "ann@example.de,Ann,", "bob@@,Bob,", "cleo@@,Cleo,", "dan@@,Dan,")
    assert imported.changes is not None
    said = as_text("readers", imported.changes, dialect="", only_plan=False, bad_rows=imported.bad_rows)
    assert said.startswith("readers: 1 row read, 1 joined")
    assert "3 bad rows were not stored" in said
