"""Lists: files add and correct, lines that go end a membership, and nobody who left comes back by them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from dispatcher.audience.lists import bring_up_to_date, file_of, import_file
from dispatcher.audience.people import add_person, find_person, roll, take_off
from dispatcher.errors import InputWrong, NotFound
from dispatcher.storage.database import Database
from dispatcher.storage.dossiers import Dossier
from tests.long import many, sequences
from tests.storage.books import SQLITE, Copied, folder_of, keys, open_at

ANN, BOB, CLEO, DAN = (f"{name}@example.de" for name in ("ann", "bob", "cleo", "dan"))


@pytest.fixture
def database(tmp_path: Path, database_url: str) -> Iterator[Database]:
    (tmp_path / "subscribers").mkdir()
    database = open_at(tmp_path, database_url)
    yield database
    database.close()


def write(database: Database, *lines: str, list_name: str = "readers", header: str = "email") -> Path:
    path = folder_of(database) / "subscribers" / f"{list_name}.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def sync(database: Database, *lines: str, header: str = "email", skip_bad_rows: bool = False) -> object:
    write(database, *lines, header=header)
    return bring_up_to_date(
        database, keys(database), folder_of(database), "readers", skip_bad_rows=skip_bad_rows
    ).changes


def states(database: Database, list_name: str = "readers") -> dict[str, str]:
    return {str(row["email"]): str(row["state"]) for row in roll(database, list_name)}


def crowd(size: int, first: int = 0) -> list[str]:
    return [f"r{number}@example.de" for number in range(first, first + size)]


def known(database: Database, email: str = ANN) -> Dossier:
    return find_person(database, email)


def add(database: Database, email: str, list_name: str = "readers", **attributes: str) -> None:
    add_person(database, keys(database), email, list_name, name=None, language=None, attributes=attributes)


# --- coming and going -----------------------------------------------------------------------------------


def test_a_list_is_in_line_with_its_file(database: Database) -> None:
    sync(database, ANN, BOB)
    sync(database, BOB, CLEO)
    assert states(database) == {ANN: "removed", BOB: "active", CLEO: "active"}
    sync(database, ANN, BOB)
    assert states(database) == {ANN: "active", BOB: "active", CLEO: "removed"}
    assert [each.kind for each in known(database).history] == ["joined", "removed", "returned"]


def test_an_unchanged_file_is_not_read_again(database: Database) -> None:
    assert sync(database, ANN) is not None
    assert sync(database, ANN) is None


def test_who_was_added_or_imported_by_hand_stays_without_a_line(database: Database) -> None:
    add(database, ANN)
    other = folder_of(database) / "other.csv"
    other.write_text(f"email\n{BOB}\n")
    import_file(database, keys(database), folder_of(database), other, "readers")
    sync(database, CLEO)
    sync(database, DAN)
    assert states(database) == {ANN: "active", BOB: "active", CLEO: "removed", DAN: "active"}


def test_a_list_without_a_file_is_left_as_it_is(database: Database) -> None:
    add(database, ANN)
    assert bring_up_to_date(database, keys(database), folder_of(database), "readers").changes is None
    with pytest.raises(NotFound, match="no list 'weekly': the lists are readers"):
        bring_up_to_date(database, keys(database), folder_of(database), "weekly")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "x" * 65])
def test_what_cannot_be_a_lists_name_is_not_found(name: str) -> None:
    with pytest.raises(NotFound, match="is not a list's name"):
        file_of(Path("/letter"), name)


# --- the guard against a slip of the hand ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "vanish", "is_refused"),
    [
        (10, 9, False),
        (10, 10, False),
        (11, 11, True),
        (12, 11, True),
        (109, 10, False),
        (109, 11, True),
        (110, 11, False),
        (111, 11, False),
        (111, 12, True),
    ],
)
def test_more_than_ten_people_and_ten_per_cent_do_not_vanish_unasked(
    database: Database, before: int, vanish: int, is_refused: bool
) -> None:
    sync(database, *crowd(before))
    if not is_refused:
        sync(database, *crowd(before - vanish, vanish))
        assert list(states(database).values()).count("removed") == vanish
        return
    with pytest.raises(InputWrong, match=f"{vanish} of {before} people on readers are no longer in the file") as caught:
        sync(database, *crowd(before - vanish, vanish))
    assert "dispatcher subscribers import subscribers/readers.csv --list readers" in str(caught.value)
    assert set(states(database).values()) == {"active"}
    import_file(
        database, keys(database), folder_of(database), folder_of(database) / "subscribers/readers.csv", "readers"
    )
    assert list(states(database).values()).count("removed") == vanish


def test_a_wrong_file_that_is_long_enough_does_not_sweep_a_list_away(database: Database) -> None:
    sync(database, *crowd(100))
    with pytest.raises(InputWrong, match="100 of 100 people"):
        sync(database, *crowd(1000, 5000))


# --- rows that are wrong, and rows that are there twice ---------------------------------------------------


def test_a_bad_row_stops_a_send_and_nothing_is_changed(database: Database) -> None:
    sync(database, ANN)
    with pytest.raises(InputWrong, match=r"subscribers/readers\.csv:3: "):
        sync(database, BOB, "nobody")
    assert states(database) == {ANN: "active"}


def test_without_the_bad_rows_the_good_ones_are_stored_and_nobody_is_removed(database: Database) -> None:
    sync(database, ANN)
    assert sync(database, BOB, "nobody", skip_bad_rows=True) is not None
    assert states(database) == {ANN: "active", BOB: "active"}  # the bad line may have been Ann's
    assert sync(database, BOB, "nobody", skip_bad_rows=True) is not None  # and the file is read again


def test_all_faults_are_told_up_to_a_hundred(database: Database) -> None:
    with pytest.raises(InputWrong) as caught:
        sync(database, *("nobody" for _ in range(150)))
    assert len(caught.value.faults) == 101
    assert "50 more faults" in str(caught.value)


def test_equal_lines_count_once_with_a_warning(database: Database) -> None:
    path = write(database, f"{ANN},Ann", f"{BOB},Bob", f"{ANN.upper()},Ann", header="email,name")
    imported = import_file(database, keys(database), folder_of(database), path, "readers")
    assert imported.changes is not None
    assert not imported.faults
    assert [(each.line, each.message) for each in imported.changes.duplicates] == [(4, "the same address as in line 2")]
    assert states(database) == {ANN: "active", BOB: "active"}


def test_unequal_lines_of_one_person_are_a_fault(database: Database) -> None:
    with pytest.raises(InputWrong, match=r"readers\.csv:3: the address of line 2 with other values"):
        sync(database, f"{ANN},Ann", f"{ANN},Anne", header="email,name")
    path = folder_of(database) / "subscribers/readers.csv"
    assert len(import_file(database, keys(database), folder_of(database), path, "readers").faults) == 1
    assert known(database).name == "Ann"


# --- what is known of a person -----------------------------------------------------------------------------


def test_attributes_of_two_files_are_one_persons(database: Database) -> None:
    write(database, f"{ANN},Ann,pro", header="email,name,plan")
    write(database, f"{ANN},Jena", list_name="weekly", header="email,city")
    for name in ("readers", "weekly"):
        bring_up_to_date(database, keys(database), folder_of(database), name)
    assert known(database).attributes == {"plan": "pro", "city": "Jena"}
    assert known(database).name == "Ann"


def test_a_blank_cell_removes_and_a_missing_column_does_not(database: Database) -> None:
    sync(database, f"{ANN},Ann,en,pro", header="email,name,language,plan")
    sync(database, f"{ANN},", header="email,plan")
    assert (known(database).name, known(database).language, known(database).attributes) == ("Ann", "en", {})
    sync(database, f"{ANN},,", header="email,name,language")
    assert (known(database).name, known(database).language) == (None, None)


def test_a_blank_value_that_is_added_counts_as_missing(database: Database) -> None:
    add_person(database, keys(database), ANN, "readers", name=" ", language=None, attributes={"plan": ""})
    assert known(database).name is None
    assert known(database).attributes == {}


@pytest.mark.parametrize(
    ("email", "name", "language"), [("ann", None, None), (ANN, "A\nnn", None), (ANN, None, "english language")]
)
def test_what_no_file_could_hold_is_not_added_either(
    database: Database, email: str, name: str | None, language: str | None
) -> None:
    with pytest.raises(InputWrong, match=email):
        add_person(database, keys(database), email, "readers", name=name, language=language, attributes={})


# --- leaving --------------------------------------------------------------------------------------------------


def test_leaving_one_list_leaves_the_others_alone(database: Database) -> None:
    add(database, ANN)
    add(database, ANN, "weekly")
    assert take_off(database, ANN.upper(), "weekly") == ["weekly"]
    assert states(database) == {ANN: "active"}
    assert take_off(database, ANN, "weekly") == []
    with pytest.raises(NotFound, match="is not on a list 'staging'"):
        take_off(database, ANN, "staging")
    with pytest.raises(NotFound, match="nobody has this address"):
        take_off(database, BOB, None)


def test_who_is_added_after_he_left_is_told_why_not(database: Database) -> None:
    add(database, ANN)
    take_off(database, ANN, "readers")
    with pytest.raises(InputWrong, match="left readers; only the reader himself can return"):
        add(database, ANN)
    take_off(database, ANN, None)
    with pytest.raises(InputWrong, match="left every list; only the reader himself can return"):
        add(database, ANN, "weekly")


def test_who_stays_away_is_counted(database: Database) -> None:
    add(database, ANN)
    take_off(database, ANN, None)
    path = write(database, ANN, BOB)
    changes = import_file(database, keys(database), folder_of(database), path, "readers").changes
    assert changes is not None
    assert (changes.joined, changes.stayed_away) == (1, 1)


@pytest.mark.parametrize("list_name", ["readers", None], ids=["one list", "all lists"])
def test_no_file_brings_back_who_left(database: Database, list_name: str | None) -> None:
    add(database, ANN)
    take_off(database, ANN, list_name)
    write(database, ANN)
    write(database, ANN, list_name="weekly")
    for name in ("readers", "weekly"):
        bring_up_to_date(database, keys(database), folder_of(database), name)
    assert states(database) == {ANN: "unsubscribed"}
    assert states(database, "weekly") == ({ANN: "active"} if list_name else {})


people, list_names = st.sampled_from([ANN, BOB, CLEO]), st.sampled_from(["readers", "weekly"])


class Lists(RuleBasedStateMachine):
    """Two lists and three people, files and hands that add them, and the people who leave."""

    copied: Copied

    @initialize()
    def begin(self) -> None:
        self.copy = self.copied()
        self.folder, url = self.copy.__enter__()
        (self.folder / "subscribers").mkdir()
        self.database = open_at(self.folder, url)
        self.left: set[tuple[str, str]] = set()
        self.left_all: set[str] = set()
        self.lists: set[str] = set()
        self.version = 0

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.database.close()
            self.copy.__exit__(None, None, None)

    def _lines(self, who: set[str]) -> list[str]:
        self.version += 1
        return [f"{email},{self.version}" for email in sorted(who)]

    @rule(list_name=list_names, who=st.sets(people), bad=st.booleans())
    def the_file_changes_and_the_issue_is_sent(self, list_name: str, who: set[str], bad: bool) -> None:
        rows = self._lines(who) + (["nobody,1"] if bad else [])
        write(self.database, *rows, list_name=list_name, header="email,version")
        bring_up_to_date(self.database, keys(self.database), self.folder, list_name, skip_bad_rows=True)
        self.lists.add(list_name)

    @rule(list_name=list_names, who=st.sets(people, min_size=1), own=st.booleans())
    def a_file_is_imported_by_hand(self, list_name: str, who: set[str], own: bool) -> None:
        path = write(self.database, *self._lines(who), list_name=list_name if own else "other", header="email,version")
        import_file(self.database, keys(self.database), self.folder, path, list_name)
        self.lists.add(list_name)

    @rule(list_name=list_names, email=people)
    def the_operator_adds_someone(self, list_name: str, email: str) -> None:
        is_out = email in self.left_all or (email, list_name) in self.left
        try:
            add(self.database, email.swapcase(), list_name)
        except InputWrong:
            assert is_out
        else:
            assert not is_out
        self.lists |= {each for each in [list_name] if not is_out}

    @rule(list_name=list_names, email=people)
    def someone_leaves_a_list(self, list_name: str, email: str) -> None:
        try:
            take_off(self.database, email, list_name)
        except NotFound:
            return
        self.left.add((email, list_name))

    @rule(email=people)
    def someone_leaves_everything(self, email: str) -> None:
        try:
            left = take_off(self.database, email, None)
        except NotFound:
            return
        self.left_all.add(email)
        self.left |= {(email, list_name) for list_name in left}

    @invariant()
    def nobody_who_left_is_back(self) -> None:
        for list_name in getattr(self, "lists", ()):
            try:
                found = states(self.database, list_name)
            except NotFound:
                continue
            back = [email for email, state in found.items() if state == "active" and email in self.left_all]
            back += [email for email, state in found.items() if state == "active" and (email, list_name) in self.left]
            assert not back


def test_nobody_who_left_is_ever_brought_back(tmp_path: Path, database_url: str, copied: Copied) -> None:
    open_at(tmp_path, database_url).close()
    Lists.copied = staticmethod(copied)
    run_state_machine_as_test(
        Lists,
        settings=sequences(many(12, long=300) if database_url == SQLITE else many(2, long=50), steps=20),
    )
