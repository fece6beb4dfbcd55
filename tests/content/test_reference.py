"""The reference issue, one of everything, in both languages and both themes."""

import re
from itertools import pairwise

import pytest
from lxml import html as lxml_html  # type: ignore[import-untyped]  # premailer's parser

from dispatcher.content.compose import compose
from dispatcher.content.drawing.theme import find_theme
from dispatcher.content.drawing.wrap import columns
from dispatcher.models import Edition
from tests.content.reference_issue import FOLDER, REFERENCE, reference_draft
from tests.content.trees import LETTERHEAD


@pytest.fixture(
    scope="module", params=[(theme, language) for theme in ("default", "letter") for language in ("en", "zh")]
)
def made(request: pytest.FixtureRequest) -> Edition:
    theme, language = request.param
    draft = reference_draft(language)
    return compose(draft, number=1, folder=FOLDER, theme=find_theme(theme, REFERENCE), letterhead=LETTERHEAD)


@pytest.fixture(scope="module")
def page(made: Edition) -> lxml_html.HtmlElement:
    return lxml_html.document_fromstring(made.html)


def test_it_holds_nothing_literal_and_nothing_that_mail_programs_refuse(made: Edition) -> None:
    assert not re.search(r"<(script|iframe|form|link|object)\b|@import|@font-face|\\u\{|\{\{|calc\(", made.html)
    assert not re.search(r"^:::|\*\*|\]\(|&[a-z]+;|\{\.", made.text, re.MULTILINE)


def test_every_table_is_a_layout_or_has_headings(page: lxml_html.HtmlElement) -> None:
    (table,) = page.xpath("//table[not(@role='presentation')]")
    assert len(table.xpath(".//th[@scope='col']")) == 4


def test_headings_are_in_order(page: lxml_html.HtmlElement) -> None:
    levels = [int(element.tag[1]) for element in page.iter("h1", "h2", "h3", "h4")]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_picture_is_carried_and_described(made: Edition, page: lxml_html.HtmlElement) -> None:
    shown = {image.get("src").rpartition("/")[2] for image in page.iter("img")}
    assert shown == {picture.name for picture in made.pictures}
    assert len(shown) == 4
    assert all(image.get("alt") for image in page.iter("img"))


def test_both_parts_have_the_same_addresses(made: Edition, page: lxml_html.HtmlElement) -> None:
    in_html = {str(url) for url in page.xpath("//a/@href") if url.startswith("http")}
    in_text = set(re.findall(r"https?://[!-~]+[\w/]", made.text))
    assert in_html == in_text


def test_the_text_keeps_to_72_columns(made: Edition) -> None:
    assert all(columns(line) <= 72 for line in made.text.split("\n") if "://" not in line)
