"""`dispatcher subscribers`: files add and correct, people leave, nobody is revived by a file."""

import csv
import io
import json
import re
from collections.abc import Iterable

import pytest

from tests.newsletter import ANN, BOB, CAST, DAN, EVE, READERS, WANG_FANG, Newsletter

IMPORT = ("dispatcher", "subscribers", "import", "subscribers/readers.csv", "--list", "readers")


def subscribers(newsletter: Newsletter, *command: str, code: int = 0) -> str:
    return newsletter.expect(code, "dispatcher", "subscribers", *command)


def exported(newsletter: Newsletter) -> dict[str, dict[str, str]]:
    """What `export` writes to stdout, by address."""
    done = newsletter.run("dispatcher", "subscribers", "export", "--list", "readers")
    assert done.returncode == 0, done.stderr
    return {row["email"]: row for row in csv.DictReader(io.StringIO(done.stdout))}


def mailed(newsletter: Newsletter) -> set[str]:
    newsletter.expect(0, "send-issue", "29")
    return {str(message["To"].addresses[0].addr_spec) for message in newsletter.outbox()}


def numbered(numbers: Iterable[int]) -> list[list[str]]:
    return [[f"reader{n}@example.com", f"Reader {n}", ""] for n in numbers]


def test_an_import_is_seen_in_list_show_and_export(newsletter: Newsletter) -> None:
    newsletter.expect(0, *IMPORT)
    assert re.search(r"readers\D+6", subscribers(newsletter, "list"))
    shown = subscribers(newsletter, "show", WANG_FANG)
    assert "王芳" in shown
    assert "zh" in shown
    assert exported(newsletter)[ANN]["plan"] == "pro"


def test_list_and_show_speak_json(newsletter: Newsletter) -> None:
    newsletter.expect(0, *IMPORT)
    for command, word in ((("list",), "readers"), (("show", ANN), ANN)):
        done = newsletter.run("dispatcher", "subscribers", *command, "--format", "json")
        assert word in json.dumps(json.loads(done.stdout))


def test_an_import_stores_good_rows_and_lists_bad_ones_by_line(newsletter: Newsletter) -> None:
    newsletter.write("subscribers/readers.csv", READERS.replace("bob@", "bob ").replace("dan@", "dan "))
    said = newsletter.expect(65, *IMPORT)
    assert re.search(r"readers\.csv:3:", said)
    assert re.search(r"readers\.csv:5:", said)
    assert set(exported(newsletter)) == set(CAST) - {BOB, DAN}


def test_a_file_may_open_with_a_byte_order_mark(newsletter: Newsletter) -> None:
    newsletter.write("subscribers/readers.csv", ("\ufeff" + READERS).encode())
    newsletter.expect(0, *IMPORT)
    assert set(exported(newsletter)) == set(CAST)


def test_equal_duplicates_count_once_with_a_warning(newsletter: Newsletter) -> None:
    newsletter.write("subscribers/readers.csv", READERS + "Ann@example.com,Ann,en,pro\n")
    done = newsletter.run(*IMPORT)
    assert done.returncode == 0
    assert len(exported(newsletter)) == len(CAST)
    assert re.search(r"readers\.csv:8", done.stdout + done.stderr)


def test_a_file_corrects_what_it_says_of_a_reader(newsletter: Newsletter) -> None:
    newsletter.expect(0, *IMPORT)
    newsletter.replace("subscribers/readers.csv", ",Ann,en,pro", ",Annie,en,basic")
    newsletter.expect(0, *IMPORT)
    assert (exported(newsletter)[ANN]["name"], exported(newsletter)[ANN]["plan"]) == ("Annie", "basic")


def test_adding_a_file_never_revives_who_left(newsletter: Newsletter) -> None:
    newsletter.bob_leaves()
    newsletter.expect(0, *IMPORT)
    newsletter.replace("subscribers/readers.csv", ",Bob,", ",Robert,")
    newsletter.expect(0, *IMPORT)
    assert BOB not in mailed(newsletter)


def test_a_line_that_goes_and_comes_back_does_not_revive_who_left(newsletter: Newsletter) -> None:
    newsletter.bob_leaves()
    newsletter.write("subscribers/readers.csv", READERS.replace("bob@example.com,Bob,,\n", ""))
    newsletter.expect(0, *IMPORT)
    newsletter.write("subscribers/readers.csv", READERS)
    newsletter.expect(0, *IMPORT)
    assert BOB not in mailed(newsletter)


def test_another_spelling_of_the_address_does_not_revive_who_left(newsletter: Newsletter) -> None:
    newsletter.bob_leaves()
    newsletter.replace("subscribers/readers.csv", "bob@example.com", "BOB@Example.COM")
    assert BOB not in {address.lower() for address in mailed(newsletter)}


def test_who_left_one_list_still_gets_the_other(newsletter: Newsletter) -> None:
    newsletter.write("subscribers/friends.csv", f"email\n{BOB}\n")
    newsletter.expect(0, *IMPORT)
    subscribers(newsletter, "import", "subscribers/friends.csv", "--list", "friends")
    subscribers(newsletter, "unsubscribe", BOB, "--list", "readers")
    newsletter.expect(0, "send-issue", "29", "--list", "friends")
    assert len(newsletter.outbox()) == 1


def test_unsubscribing_without_a_list_means_all(newsletter: Newsletter) -> None:
    newsletter.write("subscribers/friends.csv", f"email\n{BOB}\n{ANN}\n")
    newsletter.expect(0, *IMPORT)
    subscribers(newsletter, "import", "subscribers/friends.csv", "--list", "friends")
    subscribers(newsletter, "unsubscribe", BOB)
    newsletter.expect(0, "send-issue", "29", "--list", "friends")
    assert [message["To"].addresses[0].addr_spec for message in newsletter.outbox()] == [ANN]


def test_unsubscribing_a_stranger_is_said(newsletter: Newsletter) -> None:
    newsletter.expect(0, *IMPORT)
    assert newsletter.run("dispatcher", "subscribers", "unsubscribe", "stranger@example.com").returncode != 0


def test_who_is_added_by_hand_is_mailed_though_no_file_names_him(newsletter: Newsletter) -> None:
    newsletter.expect(0, *IMPORT)
    subscribers(newsletter, "add", "fay@example.com", "--list", "readers")
    assert mailed(newsletter) == {*CAST, "fay@example.com"}


def test_adding_by_hand_does_not_revive_who_left(newsletter: Newsletter) -> None:
    newsletter.bob_leaves()
    newsletter.run("dispatcher", "subscribers", "add", BOB, "--list", "readers")
    assert BOB not in mailed(newsletter)


@pytest.mark.parametrize("address", ["bob", "bob@", "bob@@example.com", "b\rob@example.com", "bob@exa mple.com"])
def test_a_bad_address_cannot_be_added(newsletter: Newsletter, address: str) -> None:
    newsletter.expect(0, *IMPORT)
    assert newsletter.run("dispatcher", "subscribers", "add", address, "--list", "readers").returncode in {2, 65}


def test_a_membership_ends_when_its_line_goes(newsletter: Newsletter) -> None:
    newsletter.expect(0, *IMPORT)
    newsletter.write("subscribers/readers.csv", READERS.replace("eve@example.com,,,\n", ""))
    assert mailed(newsletter) == set(CAST) - {EVE}


def test_many_lines_gone_at_once_stop_a_send_but_not_an_import_by_hand(newsletter: Newsletter) -> None:
    newsletter.write_readers(numbered(range(60)))
    newsletter.expect(0, "send-issue", "29", "--dry-run")
    newsletter.expect(0, *IMPORT)
    newsletter.write_readers(numbered(range(49)))
    said = newsletter.expect(65, "send-issue", "29")
    assert "11" in said
    assert newsletter.outbox() == []
    newsletter.expect(0, *IMPORT)
    assert len(mailed(newsletter)) == 49


@pytest.mark.parametrize(("before", "after"), [(30, 20), (200, 181)], ids=["ten people", "less than a tenth"])
def test_a_few_lines_gone_stop_nothing(newsletter: Newsletter, before: int, after: int) -> None:
    newsletter.write_readers(numbered(range(before)))
    newsletter.expect(0, *IMPORT)
    newsletter.write_readers(numbered(range(after)))
    assert len(mailed(newsletter)) == after


def test_formula_cells_are_defused_in_an_export(newsletter: Newsletter) -> None:
    cells = ["=1+1", "+1", "-1", "@SUM(A1)"]
    newsletter.write_readers([[f"reader{n}@example.com", cell, ""] for n, cell in enumerate(cells)])
    newsletter.expect(0, *IMPORT)
    assert {row["name"] for row in exported(newsletter).values()} == {f"'{cell}" for cell in cells}


def test_an_export_can_be_imported_again(newsletter: Newsletter) -> None:
    newsletter.expect(0, *IMPORT)
    text = newsletter.run("dispatcher", "subscribers", "export", "--list", "readers").stdout
    newsletter.write("subscribers/readers.csv", text)
    newsletter.expect(0, *IMPORT)
    assert set(exported(newsletter)) == set(CAST)
    assert exported(newsletter)[WANG_FANG]["name"] == "王芳"


def test_an_unchanged_file_is_not_reported_as_changed(newsletter: Newsletter) -> None:
    newsletter.expect(0, "send-issue", "29", "--dry-run")
    newsletter.bob_leaves()
    assert mailed(newsletter) == set(CAST) - {BOB}
