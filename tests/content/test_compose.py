"""A draft becomes an edition: the default theme, looked at as a mail program would."""

import re
import shutil
import socket
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from lxml import html as lxml_html  # type: ignore[import-untyped]  # premailer's parser
from PIL import Image

from dispatcher.content.compose import compose
from dispatcher.content.drawing.theme import find_theme
from dispatcher.content.drawing.wrap import columns
from dispatcher.content.source.issue import load_issue
from dispatcher.content.tree import Emphasis, Note, Paragraph, Statement, Text
from dispatcher.content.wording import spell_date
from dispatcher.errors import InputWrong
from dispatcher.models import Edition, Field, Letterhead
from tests.content.trees import LETTERHEAD, ROOT, document, edition, figure, full_story, link, paragraph, story, words

SEED = Path(__file__).parents[3] / "shared/seed/ml-utd-29.zh.md"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: object) -> None:
        raise AssertionError("composing went to the network")

    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", refuse)
        yield


@pytest.fixture(scope="module", params=["en", "zh"])
def issue_29(request: pytest.FixtureRequest) -> Edition:
    issue = load_issue(ROOT / "issues" / "29", root=ROOT, default_language="en")
    theme = find_theme("default", ROOT)
    return compose(issue.drafts[request.param], number=29, folder=issue.folder, theme=theme, letterhead=LETTERHEAD)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    (tmp_path / "img").mkdir()
    Image.new("RGB", (1200, 560)).save(tmp_path / "img" / "a.png")
    Image.new("RGB", (300, 100)).save(tmp_path / "img" / "small.png")
    return tmp_path


def page(made: Edition) -> lxml_html.HtmlElement:
    return lxml_html.document_fromstring(made.html)


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_same_draft_gives_the_same_bytes(pictures: Path) -> None:
    made = document(full_story(), intro=(figure(),))
    assert edition(made, folder=pictures) == edition(made, folder=pictures)


def test_the_page_says_its_language_direction_and_title(issue_29: Edition) -> None:
    root = page(issue_29)
    assert issue_29.html.startswith("<!DOCTYPE html>")
    outer = next(div for div in root.find("body") if div.get("role") == "article")
    for element in (root, outer):
        assert (element.get("lang"), element.get("dir")) == (issue_29.language, "ltr")
    assert root.findtext("head/title").startswith("ML UTD 29")
    assert root.xpath("//meta[@name='color-scheme']/@content") == ["light dark"]


def test_layout_tables_are_presentation_and_headings_are_in_order(issue_29: Edition) -> None:
    root = page(issue_29)
    assert root.xpath("count(//table[not(@role='presentation')])") == 0
    levels = [int(element.tag[1]) for element in root.iter("h1", "h2", "h3", "h4")]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_picture_has_alt_width_and_a_hosted_address_of_its_own(issue_29: Edition) -> None:
    images = page(issue_29).findall(".//img")
    names = {picture.name for picture in issue_29.pictures}
    assert len(images) == len(names) == 7
    for image in images:
        assert image.get("alt")
        assert image.get("width").isdigit()
        assert image.get("src").removeprefix("https://news.example.org/pictures/") in names


def test_every_link_has_words_and_every_anchor_a_target(issue_29: Edition) -> None:
    root = page(issue_29)
    for anchor in root.iter("a"):
        assert anchor.text_content().strip()
        if (href := anchor.get("href", "")).startswith("#"):
            assert len(root.xpath(f"//*[@id='{href[1:]}']")) == 1


def test_readers_can_leave_from_top_and_bottom_of_html_and_from_the_text(issue_29: Edition) -> None:
    leaving = {number for number, field in enumerate(issue_29.fields) if "unsubscribe_url" in field.source}
    found = re.findall(r'href="zq(\d+)wqz"', issue_29.html)
    assert len([number for number in found if int(number) in leaving]) == 2
    assert any(re.search(rf"^zq{number}xqz$", issue_29.text, re.MULTILINE) for number in leaving)
    assert LETTERHEAD.postal_address in issue_29.html
    assert LETTERHEAD.postal_address in issue_29.text


def test_the_marks_of_draft_and_theme_number_into_the_fields(issue_29: Edition) -> None:
    for part in (issue_29.html, issue_29.text):
        used = {int(number) for number in re.findall(r"zq(\d+)[xspw]qz", part)}
        assert 0 in used
        assert used <= set(range(len(issue_29.fields)))


def test_html_of_six_stories_stays_far_from_gmails_clip(issue_29: Edition) -> None:
    assert len(issue_29.html.encode()) <= 52_000


def test_style_blocks_stay_under_what_gmail_keeps(issue_29: Edition) -> None:
    assert sum(map(len, re.findall(r"<style.*?</style>", issue_29.html, re.DOTALL))) < 16_000


def test_html_holds_nothing_mail_programs_refuse(issue_29: Edition) -> None:
    assert not re.search(r"<(script|iframe|form|link|object)\b|@import|@font-face|\\u\{|\{\{|calc\(", issue_29.html)


def test_text_keeps_to_72_columns(issue_29: Edition) -> None:
    assert all(columns(line) <= 72 for line in issue_29.text.split("\n") if "://" not in line)


def test_the_design_stands_when_style_blocks_are_dropped(issue_29: Edition) -> None:
    for name, declaration in {
        "push": "background-color:#4338ca",
        "said": "padding",
        "inside": "background-color",
    }.items():
        assert all(declaration in style for style in page(issue_29).xpath(f"//td[@class='{name}']/@style"))


def test_every_colour_of_text_is_readable_on_its_ground_in_both_schemes() -> None:
    light = ["#1d2130", "#4338ca", "#5b6178", "#343a52"]
    dark = ["#e6e8f0", "#aeb2ff", "#a6acc0"]
    head = (ROOT / "templates/default/head.mjml").read_text(encoding="utf-8")
    assert all(colour in head for colour in light + dark)
    assert min(contrast(text, ground) for text in light for ground in ("#ffffff", "#f4f4fc", "#eef0f6")) >= 4.5
    assert min(contrast(text, ground) for text in dark for ground in ("#181b25", "#222636", "#0e1016")) >= 4.5
    assert min(contrast("#ffffff", ground) for ground in ("#4338ca", "#5750e0")) >= 4.5


def test_every_colour_of_the_letter_is_readable_as_well() -> None:
    light, dark = ["#22211e", "#7a2e1d", "#66625a", "#47443d", "#a3261b"], ["#e8e4dc", "#f0a992", "#b3aca0"]
    head = (ROOT / "templates/letter/head.mjml").read_text(encoding="utf-8")
    assert all(colour in head for colour in light + dark)
    assert min(contrast(text, "#fdfcf9") for text in light) >= 4.5
    assert min(contrast(text, "#171614") for text in dark) >= 4.5


def test_the_inboxs_preview_line_is_the_preheader_and_nothing_after_it() -> None:
    made = edition(document(intro=(paragraph("Hello"),)))
    assert re.search("What is in it(\u034f\u200c\u00a0){50}", made.html)
    assert "\u034f" not in made.text
    assert "\u034f" not in edition(document(), preheader="").html


def test_contents_are_listed_from_two_stories_on() -> None:
    one = document(story(paragraph("x")))
    two = document(story(paragraph("x")), story(paragraph("y"), title="Second", anchor="second"))
    assert "In this issue" not in edition(one).html + edition(one).text
    made = edition(two)
    assert 'href="#second"' in made.html
    assert "In this issue" in made.text


def test_a_wide_picture_opens_the_issue_edge_to_edge_and_a_small_one_keeps_its_size(pictures: Path) -> None:
    made = document(story(figure("img/small.png")), intro=(paragraph("Tagline"), figure(), paragraph("Hello")))
    images = page(edition(made, folder=pictures)).findall(".//img")
    assert [image.get("width") for image in images] == ["640", "300"]


def test_inline_pictures_are_named_by_content_id(pictures: Path) -> None:
    letterhead = Letterhead(
        newsletter="N", sender="s", reply_to=None, postal_address="p", base_url="u", inline_pictures=True
    )
    made = edition(document(intro=(figure(),)), folder=pictures, letterhead=letterhead)
    assert f'src="cid:{made.pictures[0].name}"' in made.html
    assert made.inline_pictures


def test_a_picture_shown_twice_is_carried_once(pictures: Path) -> None:
    made = edition(document(story(figure(), figure())), folder=pictures)
    assert len(made.pictures) == 1
    assert len(page(made).findall(".//img")) == 2


def test_a_missing_picture_stops_the_edition_unless_it_is_to_be_labelled(tmp_path: Path) -> None:
    made = document(story(figure("img/none.png")))
    with pytest.raises(InputWrong, match=r"^issues/29/issue\.md:14: image img/none\.png is missing"):
        edition(made, folder=tmp_path)
    assert "Picture missing: img/none.png" in edition(made, folder=tmp_path, label_missing=True).html


def test_odd_characters_in_an_authors_attributes_come_through(pictures: Path) -> None:
    alt = 'quote " ❤️ 👩‍👩‍👧 a\\b <&> é'
    made = edition(document(intro=(figure(alt=alt),)), folder=pictures)
    assert page(made).find(".//img").get("alt") == alt


def test_statements_stay_around_the_blocks_they_govern() -> None:
    fields = tuple(Field(source="{% if subscriber.plan %}", path="issue.md", line=1) for _ in range(2))
    body = (Statement(marks="zq0sqz"), paragraph("Secret"), Statement(marks="zq1sqz"), paragraph("Open"))
    made = edition(document(story(*body)), fields=fields)
    assert re.search(r"zq0sqz\s*<p[^>]*>Secret</p>\s*zq1sqz\s*<p[^>]*>Open", made.html)
    assert "zq0sqz\nSecret\n\nzq1sqz\nOpen\n" in made.text


def test_a_title_with_a_field_keeps_it_wherever_it_is_shown() -> None:
    field = Field(source="{{ subscriber.name }}", path="issue.md", line=1)
    made = edition(document(title="For zq0xqz"), fields=(field,))
    assert "<title>For zq0xqz</title>" in made.html
    assert made.text.startswith("For zq0xqz\n")


def test_everything_that_is_not_a_story_is_there_too() -> None:
    note = Note(title=words("Goodbye"), anchor="goodbye", body=(Paragraph(children=(link("https://x.example", "x"),)),))
    made = edition(document(notes=(note,)))
    assert "Goodbye</h2>" in made.html
    assert "Goodbye\n-------\n\nx [1]\n\n[1] https://x.example\n" in made.text


@pytest.mark.parametrize(
    ("day", "language", "spelled"),
    [
        (date(2020, 12, 30), "en", "December 30, 2020"),
        (date(2020, 12, 30), "zh", "2020年12月30日"),
        (date(2020, 12, 30), "zh-Hant-TW", "2020年12月30日"),
        (date(2020, 12, 30), "tlh", "December 30, 2020"),
        (None, "en", ""),
    ],
)
def test_dates_are_spelled_as_the_language_does(day: date | None, language: str, spelled: str) -> None:
    assert spell_date(day, language) == spelled


def test_emphasis_is_upright_in_chinese() -> None:
    made = document(intro=(Paragraph(children=(Emphasis(children=(Text(text="重点"),)),)),))
    assert 'style="font-style:italic">重点' in edition(made, language="en").html
    assert 'style="font-style:normal' in edition(made, language="zh").html


@pytest.mark.skipif(not SEED.is_file(), reason="the seed lies beside the shared checkout only")
def test_the_seed_is_composed_with_boxes_for_its_missing_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "issues" / "29"
    folder.mkdir(parents=True)
    shutil.copy(SEED, folder / "issue.md")
    issue = load_issue(folder, root=tmp_path, default_language="zh")
    made = compose(
        issue.drafts["zh"],
        number=29,
        folder=folder,
        theme=find_theme("default", tmp_path),
        letterhead=LETTERHEAD,
        label_missing=True,
    )
    assert made.html.count("缺少图片：") == 7
    assert made.text.count("继续阅读：") == 6
    assert len(made.html.encode()) <= 52_000
