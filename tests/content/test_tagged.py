"""UTM tags: none unless the newsletter asks, on the issue's web links alone, and nothing of a reader in them."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from dispatcher.content.drawing.tagged import tagged
from dispatcher.content.tree import Paragraph
from tests.content.trees import LETTERHEAD, document, edition, everything, link, story

TAGS = "utm_source=weekly&utm_campaign=29"


@pytest.mark.parametrize(
    ("url", "then"),
    [
        ("https://example.net/a", f"https://example.net/a?{TAGS}"),
        ("https://example.net", f"https://example.net?{TAGS}"),
        ("http://example.net/a?b=1#c", f"http://example.net/a?b=1&{TAGS}#c"),
        ("https://example.net/a?utm_source=theirs", "https://example.net/a?utm_source=theirs"),
        ("https://news.example.org/issues/28", "https://news.example.org/issues/28"),
        ("mailto:editor@example.org", "mailto:editor@example.org"),
        ("#second", "#second"),
    ],
)
def test_a_web_link_gets_the_tags_and_what_is_none_or_has_its_own_does_not(url: str, then: str) -> None:
    there = Paragraph(children=(link(url, "words"),))
    assert tagged(there, TAGS, but=LETTERHEAD.base_url) == Paragraph(children=(link(then, "words"),))


def test_without_the_setting_nothing_is_touched() -> None:
    made = everything()
    assert tagged(made, "", but="") is made


def test_an_edition_has_them_in_both_parts_with_its_number(tmp_path: Path) -> None:
    made = document(story(Paragraph(children=(link("https://example.net/a", "words"),))))
    letterhead = replace(LETTERHEAD, utm="utm_source=weekly&utm_campaign={number}")
    drawn = edition(made, folder=tmp_path, letterhead=letterhead)
    assert "https://example.net/a?utm_source=weekly&utm_campaign=29" in drawn.text
    assert re.search(r'href="https://example\.net/a\?utm_source=weekly&(amp;)?utm_campaign=29"', drawn.html)
