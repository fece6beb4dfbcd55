"""A translation that has fallen behind is named with file and line; one that says the same in other words is not."""

from pathlib import Path

import pytest

from dispatcher.content.drawing.reading_time import minutes_to_read
from dispatcher.content.source.issue import load_issue
from dispatcher.content.source.translations import drift
from dispatcher.content.wording import Wording, counted
from tests.content.reference_issue import FOLDER, REFERENCE
from tests.content.trees import CHINESE, ENGLISH, ROOT

ORIGINAL = """\
---
date: 2026-11-25
---

# A title

Hello, [there](https://example.org/).

## One {.lead}

> Said.

[A link](https://example.org/1) and [another](https://example.org/2).

## Two

Text.
"""
TRANSLATION = """\
# 标题

你好，[那里](https://example.org/zh)。

## 一 {.lead}

> 说。

[链接](https://example.org/1)和[另一个](https://example.org/2)。

## 二

正文。
"""


def drifts(folder: Path, translation: str) -> list[str]:
    issue_folder = folder / "issues" / "1"
    issue_folder.mkdir(parents=True)
    (issue_folder / "issue.md").write_text(ORIGINAL, encoding="utf-8")
    (issue_folder / "issue.zh.md").write_text(translation, encoding="utf-8")
    issue = load_issue(issue_folder, root=folder, default_language="en")
    original, other = issue.drafts.values()
    return [str(fault) for fault in drift(original, other, path="issues/1/issue.zh.md")]


def test_other_words_and_other_addresses_are_no_drift(tmp_path: Path) -> None:
    assert drifts(tmp_path, TRANSLATION) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("## 二\n\n正文。\n", "", "issues/1/issue.zh.md: 1 story here, 2 in issue.md"),
        ("和[另一个](https://example.org/2)", "", ":5: “一” has 1 link, but 2 in issue.md:9"),
        ("> 说。", "说。", ":5: “一” has no quotations, but 1 in issue.md:9"),
        (" {.lead}", "", ":5: “一” is not of the kind, or not for the readers, of issue.md:9"),
        ("## 二", "## 二 {only: 'plan'}", ":11: “二” is not of the kind, or not for the readers, of issue.md:15"),
        ("你好，[那里](https://example.org/zh)。", "你好。", "outside of its stories the issue has no links, but 1"),
        ("# 标题", "---\ndate: 2026-11-26\n---\n\n# 标题", "the date is not that of issue.md"),
    ],
)
def test_what_is_missing_in_the_translation_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    (found,) = drifts(tmp_path, TRANSLATION.replace(old, new))
    assert said in found
    assert found.endswith("; bring the translation up to date")


def test_the_issues_of_this_repository_have_not_drifted() -> None:
    for folder, root in ((ROOT / "issues" / "29", ROOT), (FOLDER, REFERENCE)):
        original, other = load_issue(folder, root=root, default_language="en").drafts.values()
        assert drift(original, other, path="issue.zh.md") == ()


# --- reading time -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("", 1),
        ("word " * 2380, 10),
        ("字" * 4000, 10),
        ("word " * 1190 + "字" * 2000, 10),
        ("https://example.org/a-long-address-of-many-words " * 1000, 1),
        ("zq7xqz " * 5000, 1),
    ],
)
def test_the_time_to_read_counts_words_or_characters(text: str, minutes: int) -> None:
    assert minutes_to_read(text) == minutes


def test_a_number_takes_the_form_that_the_language_wants() -> None:
    assert [counted("minutes", n, ENGLISH) for n in (1, 2)] == ["1 minute to read", "2 minutes to read"]
    assert counted("minutes", 7, CHINESE) == "约读 7 分钟"
    polish = Wording(
        language="pl",
        strings={"minutes_one": "{count} minuta", "minutes_few": "{count} minuty", "minutes_other": "{count} minut"},
    )
    assert [counted("minutes", n, polish) for n in (1, 2, 5, 22)] == ["1 minuta", "2 minuty", "5 minut", "22 minuty"]
    assert counted("minutes", 2, Wording(language="xx-none", strings=ENGLISH.strings)) == "2 minutes to read"
