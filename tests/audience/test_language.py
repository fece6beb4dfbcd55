"""Languages: which edition a reader gets (RFC 4647 lookup)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.audience.language import best_match, is_tag

TAGS = ["en", "en-GB", "zh", "zh-Hans", "zh-Hant", "zh-TW", "de", "pt-BR", "sr-Latn"]


@pytest.mark.parametrize(
    ("wanted", "available", "expected"),
    [
        (None, ["en", "zh"], "en"),
        ("en", ["en", "zh"], "en"),
        ("zh", ["en", "zh"], "zh"),
        ("ZH", ["en", "zh"], "zh"),
        ("zh-hans-cn", ["en", "zh-Hans"], "zh-Hans"),
        ("de", ["en", "zh"], "en"),
        ("en-GB", ["en", "zh"], "en"),
        ("en-GB", ["en", "en-GB"], "en-GB"),
        ("en", ["en-GB", "fr"], "en"),
        ("de-CH-1996", ["en", "de"], "de"),
        ("de-CH-1996", ["en", "de", "de-CH"], "de-CH"),
        ("zh-TW", ["en", "zh", "zh-Hant"], "zh-Hant"),
        ("zh-TW", ["en", "zh-Hans", "zh-TW", "zh-Hant"], "zh-TW"),
        ("zh-tw", ["en", "zh", "zh-Hant"], "zh-Hant"),
        ("zh-HK", ["en", "zh", "zh-Hant"], "zh-Hant"),
        ("zh-MO", ["en", "zh", "zh-Hant"], "zh-Hant"),
        ("zh-CN", ["en", "zh-Hans", "zh-Hant"], "zh-Hans"),
        ("zh-SG", ["en", "zh-Hans", "zh-Hant"], "zh-Hans"),
        ("zh-TW", ["en", "zh"], "zh"),
        ("zh-TW", ["en", "zh-Hans"], "en"),
        ("zh-Hant", ["en", "zh"], "zh"),
        ("zh-Hant-TW", ["en", "zh-Hant"], "zh-Hant"),
        ("zh-Hans-TW", ["en", "zh-Hans", "zh-Hant"], "zh-Hans"),
        ("en-TW", ["en", "zh-Hant"], "en"),
        ("zh-Hant-x-private", ["en", "zh-Hant"], "zh-Hant"),
        ("en-a-bbb", ["en-a", "en", "zh"], "en"),
        ("fil", ["en", "fi"], "en"),
    ],
)
def test_a_reader_gets_the_edition_that_suits_him(wanted: str | None, available: list[str], expected: str) -> None:
    assert best_match(wanted, available, "en") == expected


@given(st.none() | st.sampled_from(TAGS), st.lists(st.sampled_from(TAGS), min_size=1, unique=True))
def test_everybody_gets_an_edition_and_his_own_if_there_is_one(wanted: str | None, available: list[str]) -> None:
    chosen = best_match(wanted, available, available[0])
    assert chosen in available
    assert wanted not in available or chosen == wanted


@pytest.mark.parametrize("text", ["en", "zh-Hans", "de-CH-1996", "EN-gb", "sr-Latn-RS", "en-x-a"])
def test_a_tag_is_a_tag(text: str) -> None:
    assert is_tag(text)


@pytest.mark.parametrize(
    "text", ["", "e", "english language", "zh_CN", "en-", "-en", "en--GB", "e1", "en\n", "*", "中文", "a" * 36]
)
def test_what_is_no_tag_is_refused(text: str) -> None:
    assert not is_tag(text)
