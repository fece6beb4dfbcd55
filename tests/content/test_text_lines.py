"""The text part of every issue that the tests know: no line is too long for a terminal, nothing of HTML is in it."""

import re

import pytest

from dispatcher.content.drawing.text import WIDTH
from dispatcher.content.drawing.wrap import columns
from dispatcher.content.personal import MARK
from tests.content.editions import MADE, make


@pytest.mark.parametrize(("issue", "theme", "language"), MADE)
def test_no_line_is_wider_than_72_columns_but_for_addresses_and_a_readers_values(
    issue: str, theme: str, language: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = make(issue, theme, language, tmp_path_factory.getbasetemp() / "seed").edition.text
    lines = [line for line in text.split("\n") if "://" not in line and not MARK.search(line)]
    assert len(lines) > 50
    assert [line for line in lines if columns(line) > WIDTH] == []
    assert not re.search(r"</?[a-z]+[ />]|&[a-z]+;|\*\*|\]\(", text)
    assert not re.search(r"^[，。、；：！？）】」』”’]", text, re.MULTILINE)
