"""Lines are broken as each script is broken."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.content.drawing.wrap import columns, wrap

_PROSE = st.text(st.sampled_from("ab c，。、（）《》“”…—！中文字漢テ한글 🙂e\u0301-.,()[]19"), max_size=200)


def test_latin_is_broken_at_spaces() -> None:
    assert wrap("the quick brown fox", width=10) == ["the quick", "brown fox"]


def test_chinese_is_broken_anywhere_and_counts_double() -> None:
    assert wrap("机器学习最新数据", width=8) == ["机器学习", "最新数据"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("机器学习，最新", ["机器学", "习，最新"]),
        ("机器学（习最）新", ["机器学", "（习最）", "新"]),
        ("机器学习……最新", ["机器学", "习……最新"]),
        ("机器学习)最新", ["机器学", "习)最新"]),
    ],
)
def test_closing_punctuation_begins_no_line_and_opening_ends_none(text: str, lines: list[str]) -> None:
    assert wrap(text, width=8) == lines


def test_a_url_is_never_broken() -> None:
    url = "https://example.org/a-very-long-path/with-hyphens?and=a&query=too"
    assert url in wrap(f"见{url} 然后", width=20)


def test_a_mark_is_never_broken_and_a_statement_takes_no_room() -> None:
    assert wrap("zq1sqzabc def", width=7) == ["zq1sqzabc def"]
    assert "zq123xqz" in wrap("机器 zq123xqz 学习", width=4)


def test_a_break_of_the_author_stays() -> None:
    assert wrap("one\ntwo", width=72) == ["one", "two"]


def test_an_emoji_family_stays_together() -> None:
    assert wrap("aa 👩‍👩‍👧 bb", width=3) == ["aa", "👩‍👩‍👧", "bb"]


@given(_PROSE, st.integers(min_value=6, max_value=40))
def test_nothing_is_lost_and_no_line_is_wider_than_it_must_be(text: str, width: int) -> None:
    lines = wrap(text, width=width)
    assert re.sub(r"\s", "", "".join(lines)) == re.sub(r"\s", "", text)
    for line in lines:
        assert line == line.strip(" ")
        assert columns(line) <= width or " " not in line


@given(_PROSE, st.integers(min_value=6, max_value=40))
def test_kinsoku_holds_unless_the_author_put_a_space(text: str, width: int) -> None:
    solid = re.sub(r"\s", "", text)
    for line in wrap(solid, width=width)[1:]:
        assert line[0] not in "，。、）》”…—！"
    for line in wrap(solid, width=width)[:-1]:
        assert line[-1] not in "（《“"
