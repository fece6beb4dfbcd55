"""CSV files: right rows become people, wrong ones faults with their line, and what we export we can read."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dispatcher.audience.csv_file import read_header, read_people
from dispatcher.audience.export import export_list
from dispatcher.audience.lists import import_file
from dispatcher.errors import Fault, InputWrong, NotFound
from dispatcher.storage.database import Database
from dispatcher.storage.imports import Person
from dispatcher.storage.subscribers import members
from tests.storage.books import enlist, keys, open_at, person


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_at(tmp_path)
    yield database
    database.close()


def read(folder: Path, content: str | bytes) -> tuple[list[Person], list[Fault]]:
    path = folder / "readers.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    faults: list[Fault] = []
    header = read_header(path, shown="readers.csv")
    return list(read_people(path, header, shown="readers.csv", faults=faults)), faults


@pytest.mark.parametrize(
    "content",
    [
        "email,name,language\nann@example.com,Ann,en\n",
        "email,name,language\r\nann@example.com,Ann,en\r\n",
        "email,name,language\nann@example.com,Ann,en",
        "\ufeffemail,name,language\nann@example.com,Ann,en\n",
        '\ufeff"email","name","language"\r\n"ann@example.com","Ann","en"\r\n',
        " Email , NAME,Language\n ann@example.com , Ann , en \n",
        "email,name,language\n\nann@example.com,Ann,en\n\n,,\n",
        "language,email,name\nen,ann@example.com,Ann\n",
        "email,name,language\rann@example.com,Ann,en\r",
    ],
    ids=["plain", "CRLF", "no last line end", "BOM", "BOM and quotes", "spaces", "empty lines", "other order", "CR"],
)
def test_a_file_is_read_however_it_was_saved(tmp_path: Path, content: str) -> None:
    people, faults = read(tmp_path, content)
    assert not faults
    assert [(each.email, each.name, each.language) for each in people] == [("ann@example.com", "Ann", "en")]


@pytest.mark.parametrize("header", ["email;name", "E-Mail;Vorname;Name"])
def test_a_file_with_semicolons_is_named_as_one(tmp_path: Path, header: str) -> None:
    with pytest.raises(InputWrong, match=r"readers\.csv:1: .* separated by ';'; save it with commas"):
        read(tmp_path, f"{header}\nann@example.com;Ann\n")


def test_a_row_of_one_cell_is_told_as_one(tmp_path: Path) -> None:
    _, [fault] = read(tmp_path, "email,name\nann@example.com\n")
    assert fault.message == "1 cell where the header has 2"


def test_other_columns_are_attributes_and_blank_cells_are_missing(tmp_path: Path) -> None:
    people, faults = read(tmp_path, "email,name,plan,City of birth\nann@example.com,  ,pro,\u00a0\n")
    assert not faults
    assert people[0].name is None
    assert people[0].attributes == {"plan": "pro", "City of birth": None}


def test_quotes_hold_commas_quotes_and_the_line_is_that_where_the_row_begins(tmp_path: Path) -> None:
    people, faults = read(tmp_path, 'email,name\nann@example.com,"Smith, ""Ann"""\n"bob@example.com","Bob\n"\nx,y\n')
    assert [each.name for each in people] == ['Smith, "Ann"', "Bob"]
    assert [each.line for each in people] == [2, 3]
    assert [fault.line for fault in faults] == [5]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("bob", "must have an @-sign"),
        (",Bob,en,", "the email is missing"),
        ("bob@example.com,Bob", "2 cells where the header has 4"),
        ("bob@example.com,Smith, Bob,en,", "5 cells where the header has 4"),
        ("bob@example.com,Bob,english language,", "is not a language tag"),
        ("bob@example.com,Bob,zh_CN,", "is not a language tag"),
        ("bob@example.com,B\tob,en,", "the name holds a control character (U+0009)"),
        ("bob@example.com,B\0ob,en,", "U+0000"),
        ("bob@example.com,B\x7fob,en,", "U+007F"),
        ("bob@example.com,B\x85ob,en,", "U+0085"),
        ("bob@example.com,B\u2028ob,en,", "U+2028"),
        ("bob@example.com,Bob,en," + "x" * 65_537, "the plan is longer than 65,536 characters"),
        ('"bob@example.com","B\r\nBcc: eve@example.com",en,', "U+000D"),
        ("bob@example.com,Bob,en,p\x1bro", "the plan holds a control character"),
        ('"bob@example.com\nBcc: eve@example.com",Bob,en,', "invalid characters"),
    ],
)
def test_a_wrong_row_is_a_fault_with_its_line_and_the_others_are_read(tmp_path: Path, row: str, said: str) -> None:
    if row == "bob":
        row = "bob,Bob,en,"
    people, faults = read(
        tmp_path, f"email,name,language,plan\nann@example.com,Ann,en,pro\n{row}\neve@example.com,,,\n"
    )
    assert [each.email for each in people] == ["ann@example.com", "eve@example.com"]
    assert [(fault.path, fault.line) for fault in faults] == [("readers.csv", 3)]
    assert said in faults[0].message
    assert faults[0].remedy


@pytest.mark.parametrize("name", ["\u200fمحمد\u200e", "א\u05b0", "👩\u200d💻", "王芳", "O\u2019Hara", "a\u202db\u202c"])
def test_every_script_is_welcome(tmp_path: Path, name: str) -> None:
    people, faults = read(tmp_path, f"email,name\nann@example.com,{name}\n")
    assert not faults
    assert people[0].name == name


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b"", 1, "the file is empty"),
        (b"\n\n", 1, "the file is empty"),
        (b"name,plan\nAnn,pro\n", 1, "no column 'email'"),
        (b"ann@example.com,Ann\n", 1, "no column 'email'"),
        (b"email;name\nann@example.com;Ann\n", 1, "no column 'email'"),
        (b"email,name,Name\n", 1, "the column 'name' stands twice"),
        (b"email,,name\n", 1, "column 2 has no name"),
        (b"email,pl\x1ban\n", 1, "control character"),
        (b"email," + b",".join(b"c%d" % number for number in range(100)) + b"\n", 1, "101 columns"),
        (b"email,name\nann@example.com,Ann\nbob@example.com,B\xf6b\n", 3, "not UTF-8"),
        ("email,name\n".encode("utf-16"), 1, "not UTF-8"),
        ("email,name\nann@example.com,王芳\n".encode("gbk"), 2, "not UTF-8"),
        (b'email,name\nann@example.com,"Ann\nbob@example.com,Bob\n', 2, "not valid CSV"),
        (b'email,name\nann@example.com,"Ann"x\n', 2, "not valid CSV"),
    ],
)
def test_a_file_that_cannot_be_read_on_is_named_with_the_line(
    tmp_path: Path, content: bytes, line: int, said: str
) -> None:
    with pytest.raises(InputWrong) as caught:
        read(tmp_path, content)
    assert caught.value.exit_code == 65
    assert [fault.line for fault in caught.value.faults] == [line]
    assert said in caught.value.faults[0].message
    assert caught.value.faults[0].remedy


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"readers\.csv"):
        read_header(tmp_path / "readers.csv", shown="readers.csv")


@pytest.mark.parametrize("cell", ["=1+1", "+49 170", "-1", "@ann", "'quoted", "''", "'=x", "'", "=cmd|' /C calc'!A0"])
def test_a_formula_comes_back_from_the_spreadsheet_as_it_was(tmp_path: Path, database: Database, cell: str) -> None:
    enlist(database, person("ann@example.com", name=cell, attributes={"plan": cell}))
    export_list(database, "readers", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        row = list(csv.reader(file))[1]
    assert not row[1].startswith(("=", "+", "-", "@"))
    people, faults = read(tmp_path, (tmp_path / "out.csv").read_bytes())
    assert not faults
    assert (people[0].name, people[0].attributes) == (cell, {"plan": cell})


cells = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=20).map(str.strip)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=cells, plan=cells)
@example(name='a"b,c', plan="'-")
def test_what_is_exported_is_imported_again_unchanged(tmp_path: Path, database: Database, name: str, plan: str) -> None:
    enlist(database, person("ann@example.com", name=name or None, attributes={"plan": plan} if plan else {}))
    before = [tuple(row) for row in members(database, "readers")]
    export_list(database, "readers", tmp_path / "out.csv")
    imported = import_file(database, keys(database), tmp_path, tmp_path / "out.csv", "readers")
    assert not imported.faults
    assert imported.changes is not None
    assert imported.changes.changed == 0
    assert [tuple(row) for row in members(database, "readers")] == before


def test_an_unknown_list_is_not_exported(tmp_path: Path, database: Database) -> None:
    with pytest.raises(NotFound, match="no list 'nobody'"):
        export_list(database, "nobody", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()
