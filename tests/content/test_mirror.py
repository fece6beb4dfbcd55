"""An Arabic issue is read from right to left in every part of the page, and in both themes."""

import re
from pathlib import Path

import pytest
from lxml import html as lxml_html  # type: ignore[import-untyped]  # premailer's parser

from dispatcher.content.compose import compose
from dispatcher.content.drawing.mirror import mirrored, mirrored_css
from dispatcher.content.drawing.theme import find_theme
from dispatcher.content.drawing.wrap import columns
from dispatcher.content.message.evaluate import Context
from dispatcher.content.message.merge import fill_text, prepare
from dispatcher.content.source.issue import load_issue
from dispatcher.models import Edition
from tests.content.reference_issue import FOLDER, REFERENCE, reference_draft
from tests.content.trees import LETTERHEAD

ARABIC = Path(__file__).parent / "arabic"  # a newsletter's folder


@pytest.fixture(scope="module", params=["default", "letter"])
def made(request: pytest.FixtureRequest) -> Edition:
    issue = load_issue(ARABIC / "issues/1", root=ARABIC, default_language="ar")
    theme = find_theme(request.param, ARABIC)
    return compose(issue.drafts["ar"], number=1, folder=issue.folder, theme=theme, letterhead=LETTERHEAD)


@pytest.fixture(scope="module")
def page(made: Edition) -> lxml_html.HtmlElement:
    return lxml_html.document_fromstring(made.html)


def sides(element: lxml_html.HtmlElement, name: str) -> list[str]:
    """The four sides of the first shorthand in the element's style."""
    found = re.search(rf"(?:^|;)\s*{name}:\s*([^;]+)", element.get("style"))
    return found[1].split() if found else []


def test_the_page_and_its_outer_block_say_their_language_and_direction(page: lxml_html.HtmlElement) -> None:
    (outer,) = page.xpath("/html/body/div[@role='article']")
    for element in (page, outer):
        assert (element.get("lang"), element.get("dir")) == ("ar", "rtl")


def test_nothing_but_code_and_the_far_column_of_a_table_is_set_to_the_left(page: lxml_html.HtmlElement) -> None:
    found = page.xpath("//body//*[contains(@style, 'text-align:left') or contains(@style, 'direction:ltr')]")
    assert {element.tag for element in found} == {"pre", "th", "td"}
    far = [element for element in found if element.tag != "pre"]
    assert [cell.text_content() for cell in far] == ["السكان", "10,025,657", "30,720"]  # written `---:`
    assert "direction:ltr" not in lxml_html.tostring(page, encoding="unicode")


def test_outlook_is_told_the_same(made: Edition) -> None:
    comments = "".join(re.findall(r"<!--.*?-->", made.html, re.DOTALL))
    assert not re.search(r"direction:\s*ltr|text-align:\s*left|margin-left", comments)
    assert re.search(r"ul, ol \{ margin-right: 2\dpx !important \}", comments)


def test_code_keeps_its_direction(page: lxml_html.HtmlElement) -> None:
    assert [element.get("dir") for element in page.iter("pre", "code")] == ["ltr", "ltr"]


def test_rules_of_quotations_lists_and_cells_change_sides(page: lxml_html.HtmlElement) -> None:
    (said,) = page.xpath("//td[@class='said']")
    assert said.getprevious().get("class") == "bar"
    assert (sides(said, "padding")[1], sides(said, "padding")[3]) in {("20px", "0"), ("18px", "0")}
    for listed in page.iter("ul", "ol"):
        assert sides(listed, "padding")[1] in {"24px", "26px"}
        assert sides(listed, "padding")[3] == "0"
    cell = page.xpath("//td[contains(@class, 'cell')]")[0]
    assert (sides(cell, "padding")[1], sides(cell, "padding")[3]) in {("0", "16px"), ("0", "14px")}


def test_arrows_point_where_the_text_goes(made: Edition) -> None:
    assert "←" in made.html
    assert "→" not in made.html


def test_an_address_in_another_script_keeps_its_own_order(page: lxml_html.HtmlElement) -> None:
    assert [element.text for element in page.xpath("//*[@dir='auto']")] == ["Life with Data", "1 Example Street"]


@pytest.mark.parametrize("part", [Context.HTML, Context.TEXT])
def test_personal_fields_come_through(made: Edition, part: Context) -> None:
    values = {
        "subscriber": {"name": "ليلى"},
        "unsubscribe_url": "https://example.org/u",
        "view_url": "https://example.org/v",
    }
    filled = fill_text(prepare(made.html if part is Context.HTML else made.text, made.fields, part), values)
    assert isinstance(filled, str)
    assert "أهلًا ليلى، هذه" in filled
    assert "الخطة الكاملة" not in filled
    assert not re.search(r"zq\d+\w?qz|\{[{%]", filled)


def test_the_text_needs_no_marks_of_direction_but_those_of_its_dates(made: Edition) -> None:
    dates = re.compile(r"\d+\u200f/\d+\u200f/\d+")  # as Arabic's locale data spell them
    assert not re.search("[\u200e\u200f\u202a-\u202e\u2066-\u2069]", dates.sub("", made.text))


def test_the_text_is_wrapped_and_its_addresses_end_their_lines(made: Edition) -> None:
    lines = made.text.split("\n")
    assert all(columns(line) <= 72 for line in lines if "://" not in line)
    assert all(re.fullmatch(r"\s*(?:\[\d+\] )?https://\S+", line) for line in lines if "://" in line)


@pytest.mark.parametrize("theme", ["default", "letter"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_page_that_is_written_from_the_left_is_not_touched(theme: str, language: str) -> None:
    found = find_theme(theme, REFERENCE)
    html = compose(reference_draft(language), number=1, folder=FOLDER, theme=found, letterhead=LETTERHEAD).html
    assert "rtl" not in html
    assert 'dir="auto"' not in html
    assert "<pre" in html


@pytest.mark.parametrize(
    ("css", "turned"),
    [
        ("padding:1px 2px 3px 4px", "padding:1px 4px 3px 2px"),
        ("margin: 0 0 0 8px !important; color: red", "margin: 0 8px 0 0 !important; color: red"),
        ("padding:1px 2px 3px", "padding:1px 2px 3px"),
        ("border-color:red rgb(0, 0, 0) blue green", "border-color:red green blue rgb(0, 0, 0)"),
        ("border-left:1px solid; PADDING-right :0", "border-right:1px solid; PADDING-left :0"),
        ("border-radius:1px 2px 3px 4px", "border-radius:2px 1px 4px 3px"),
        ("border-radius:1px 2px 3px", "border-radius:2px 1px 2px 3px"),
        ("border-radius:8px 0", "border-radius:0 8px"),
        ("border-radius:1px 2px / 3px 4px", "border-radius:1px 2px / 3px 4px"),
        ("border-top-left-radius:3px", "border-top-right-radius:3px"),
        ("direction:ltr;float:left", "direction:rtl;float:right"),
        ("font-family:'Left Hand'; background:url(left.png)", "font-family:'Left Hand'; background:url(left.png)"),
        ("@media (max-width:9px) { a:hover { left: 0 } }", "@media (max-width:9px) { a:hover { right: 0 } }"),
        (".left { /* a note; */ float: left }", ".left { /* a note; */ float: right }"),
        (".a { /* a note */ float: left }", ".a { /* a note */ float: right }"),
    ],
)
def test_sides_are_exchanged_in_declarations_and_nowhere_else(css: str, turned: str) -> None:
    assert mirrored_css(css) == turned


@pytest.mark.parametrize(
    ("html", "turned"),
    [
        ('<td align="left" valign="top">left</td>', '<td align="right" valign="top">left</td>'),
        ('<img alt=\'style="float:left"\' align="right">', '<img alt=\'style="float:left"\' align="left">'),
        ("<p style='float:left'>text-align:left</p>", "<p style='float:right'>text-align:left</p>"),
        ("<style>.a { float: left }</style>", "<style>.a { float: right }</style>"),
        ('<!--[if mso]><td style="float:left"><![endif]-->', '<!--[if mso]><td style="float:right"><![endif]-->'),
        ("<pre>x</pre>", '<pre dir="ltr" style="text-align:left">x</pre>'),
        ('<pre dir="auto" style="a:b">x</pre>', '<pre dir="auto" style="text-align:left; a:b">x</pre>'),
        ("<code>x</code>", '<code dir="ltr">x</code>'),
    ],
)
def test_tags_styles_and_comments_are_turned_and_text_is_not(html: str, turned: str) -> None:
    assert mirrored(html) == turned
