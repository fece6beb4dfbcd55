"""The weight of an edition, and what is done when Gmail would cut it off."""

from dataclasses import replace
from functools import cache

import pytest

from dispatcher.content.compose import compose
from dispatcher.content.drawing.theme import find_theme
from dispatcher.content.message.budget import LONGEST_VALUE, MAX_BYTES, encoded_bytes, weigh
from dispatcher.content.source.issue import Draft, load_issue
from dispatcher.content.tree import Document, Section
from dispatcher.errors import InputWrong
from dispatcher.models import Edition
from tests.content.trees import LETTERHEAD, ROOT, document, edition, paragraph, story, words


@cache
def seeds_kind() -> Draft:
    """Issue 29 in Chinese: six stories with quotes, buttons, pictures and cards."""
    return load_issue(ROOT / "issues" / "29", root=ROOT, default_language="en").drafts["zh"]


def of_stories(count: int) -> Draft:
    """An issue of so many stories of the seed's kind, each with an anchor of its own."""
    document = seeds_kind().document
    told = [each for section in document.sections for each in section.stories]
    many = tuple(
        replace(told[number % len(told)], anchor=f"story-{number}", title=words(f"故事 {number}"))
        for number in range(count)
    )
    section = Section(title=words("应用"), anchor="applications", stories=many)
    return replace(seeds_kind(), document=replace(document, sections=(section,)))


def composed(draft: Draft, theme: str = "default") -> Edition:
    folder = ROOT / "issues" / "29"
    return compose(draft, number=29, folder=folder, theme=find_theme(theme, ROOT), letterhead=LETTERHEAD)


def is_compact(made: Edition) -> bool:
    return made.html.count("max-width:640px") <= 6


def test_a_readers_fields_count_at_their_longest_and_statements_not_at_all() -> None:
    assert weigh("中zq0xqzzq1sqz").total == 3 + LONGEST_VALUE
    assert weigh("zq0wqz", longest_value=70).total == 70


def test_each_story_weighs_what_lies_between_its_anchor_and_the_next() -> None:
    weight = weigh('<p id="a">12</p><p id="other">3</p><p id="b">中</p>', ["a", "b"])
    assert weight.stories == (("a", len('id="a">12</p><p id="other">3</p><p ')), ("b", len('id="b">') + 3 + 4))
    assert weight.largest(1) == [weight.stories[0]]


def test_the_encoded_size_is_that_of_the_smaller_encoding() -> None:
    assert encoded_bytes("plain " * 100) < 640
    assert 400 < encoded_bytes("中" * 100) < 420


def test_twenty_stories_of_the_seeds_kind_stay_whole_by_the_compact_layout() -> None:
    made = composed(of_stories(20))
    assert weigh(made.html).total < MAX_BYTES
    assert is_compact(made)
    assert made.html.count("故事 19") >= 2


def test_an_issue_within_the_budget_keeps_the_roomy_layout() -> None:
    made = composed(of_stories(6))
    assert weigh(made.html).total <= 52_000
    assert not is_compact(made)


def test_an_issue_that_cannot_be_shown_whole_is_refused_with_its_largest_stories() -> None:
    stories = [
        story(paragraph("word " * size), title=f"Of {size}", anchor=f"of-{size}") for size in (100, 14_000, 9_000)
    ]
    with pytest.raises(
        InputWrong, match=r"Gmail cuts it off after 100,000; the largest stories: “Of 14000” 7\d,\d\d\d, “Of 9000” 4\d,"
    ):
        edition(document(*stories))


def test_one_long_note_without_stories_is_refused_as_well() -> None:
    empty: Document = document(intro=(paragraph("word " * 25_000),))
    with pytest.raises(InputWrong, match=r"cuts it off after 100,000; shorten the issue"):
        edition(empty)


def test_the_letter_carries_twenty_stories_too() -> None:
    assert weigh(composed(of_stories(20), "letter").html).total < MAX_BYTES
