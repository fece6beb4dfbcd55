"""Segments: `--where` on send, export and count, and `only:` in an issue's front matter, name the same readers."""

import csv
import io

import pytest

from tests.newsletter import ANN, BOB, CAST, ISSUE, WANG_FANG, Newsletter

PRO = 'plan == "pro"'


@pytest.fixture(autouse=True)
def _two_pay(newsletter: Newsletter) -> None:
    newsletter.replace("subscribers/readers.csv", "wangfang@example.com,王芳,zh,", "wangfang@example.com,王芳,zh,pro")


def mailed(newsletter: Newsletter) -> set[str]:
    return {str(message["To"].addresses[0].addr_spec) for message in newsletter.outbox()}


def test_an_issue_goes_to_whom_the_expression_names(newsletter: Newsletter) -> None:
    said = newsletter.send("--where", f'{PRO} and not language == "zh"')
    assert "to 1 reader of readers" in said
    assert mailed(newsletter) == {ANN}
    newsletter.expect(0, "dispatcher", "audit", "29")


def test_the_front_matter_says_whom_an_issue_is_for_and_the_editor_narrows_it(newsletter: Newsletter) -> None:
    newsletter.write("issues/29/issue.md", ISSUE.replace("number: 29\n", f"number: 29\nonly: '{PRO}'\n"))
    said = newsletter.expect(0, "send-issue", "29", "--dry-run")
    assert "2 messages (1 en, 1 zh)" in said
    assert f"skipped: {BOB}: not whom --where or the issue's `only` names" in said
    newsletter.send("--where", 'language == "zh"')
    assert mailed(newsletter) == {WANG_FANG}


def test_a_trial_that_went_to_everybody_has_nothing_left_to_build(newsletter: Newsletter) -> None:
    newsletter.send()
    said = newsletter.expect(0, "send-issue", "29", "--dry-run")
    assert "nothing to build: this trial has been sent to everybody" in said
    assert "0 messages" not in said


def test_nobody_meant_is_an_error_before_anything_is_stored(newsletter: Newsletter) -> None:
    assert "nobody on readers is whom --where" in newsletter.send("--where", 'plan == "Pro"', code=65)
    assert newsletter.outbox() == []


def test_a_field_that_nobody_has_is_named_with_the_nearest(newsletter: Newsletter) -> None:
    newsletter.expect(0, "dispatcher", "subscribers", "import", "subscribers/readers.csv", "--list", "weekly")
    said = newsletter.send("--where", 'plann == "pro"', "--list", "weekly", code=65)
    assert "weekly: no reader of weekly has a field plann; did you mean plan?" in said
    assert "subscribers/weekly.csv" not in said


def test_what_is_not_understood_is_named_with_its_place(newsletter: Newsletter) -> None:
    assert "--where, column 6: '=' means nothing here; compare with ==" in newsletter.send(
        "--where", "plan = 1", code=2
    )
    newsletter.write("issues/29/issue.md", ISSUE.replace("number: 29\n", "number: 29\nonly: plan = 1\n"))
    assert "issues/29/issue.md:3: only is not understood: '=' means nothing here" in newsletter.send(code=65)


def test_export_and_count_name_the_same_readers(newsletter: Newsletter) -> None:
    run = ("dispatcher", "subscribers")
    newsletter.expect(0, *run, "import", "subscribers/readers.csv", "--list", "readers")
    done = newsletter.run(*run, "export", "--list", "readers", "--where", PRO)
    assert [row["email"] for row in csv.DictReader(io.StringIO(done.stdout))] == [ANN, WANG_FANG]
    count = newsletter.run(*run, "list", "--list", "readers", "--where", f"not {PRO}", "--count")
    assert count.stdout == f"{len(CAST) - 2}\n"
