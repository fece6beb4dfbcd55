"""Each content type in HTML and in text, in both themes."""

import re
from pathlib import Path

import pytest
from lxml import html as lxml_html  # type: ignore[import-untyped]  # premailer's parser
from PIL import Image

from dispatcher.content.drawing.text import body
from dispatcher.content.drawing.wrap import columns
from dispatcher.content.tree import (
    Block,
    CodeBlock,
    Document,
    Event,
    Events,
    Figure,
    Job,
    Jobs,
    Poll,
    PollAnswer,
    Sponsor,
    Statement,
    StoryKind,
    Table,
    Text,
)
from dispatcher.models import Edition
from tests.content.trees import CHINESE, ENGLISH, document, edition, everything, figure, link, paragraph, story, words
from tests.content.trees import TUESDAY as DAY

SPONSOR = Sponsor(url="https://acme.example", name="Acme", label="", figure=None, body=(paragraph("Buy a database."),))
JOB = Job(role="Editor", url="https://jobs.example/1", company="News", place="Lisbon", pay="€50,000", until=DAY)
EVENT = Event(name="PyData", url="https://pydata.example", on=DAY, place="Berlin")
POLL = Poll(question=words("Longer?"), answers=(PollAnswer(label=words("Yes"), url="https://poll.example/yes"),))
TABLE = Table(
    header=(words("模型"), words("Score")),
    align=("", "right"),
    rows=((words("小"), words("61.4")), ((link("https://x.example", "Big"),), words("7"))),
)


@pytest.fixture(params=["default", "letter"])
def theme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    (tmp_path / "img").mkdir()
    Image.new("RGB", (1200, 560), "white").save(tmp_path / "img" / "a.png")
    Image.new("RGB", (1200, 560), "black").save(tmp_path / "img" / "a-dark.png")
    return tmp_path


def shown(made: Edition) -> lxml_html.HtmlElement:
    return lxml_html.document_fromstring(made.html).find("body")


def drawn(block: Block, theme: str, language: str = "en") -> lxml_html.HtmlElement:
    return shown(edition(document(story(block)), theme=theme, language=language))


def said(element: lxml_html.HtmlElement) -> str:
    return " ".join(element.text_content().split())


def addresses(element: lxml_html.HtmlElement) -> list[str]:
    return [str(address) for address in element.xpath(".//a/@href")]


# --- sponsor --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "label"), [("en", "Sponsored by Acme"), ("zh", "赞助商：Acme")])
def test_a_sponsor_is_never_without_its_label(theme: str, language: str, label: str) -> None:
    page = drawn(SPONSOR, theme, language)
    assert said(page).index(label) < said(page).index("Buy a database.")
    assert "https://acme.example" in addresses(page)


def test_a_label_of_the_authors_own_still_names_the_sponsor(theme: str) -> None:
    sponsor = Sponsor(url=SPONSOR.url, name="Acme", label="Advertisement", figure=None, body=SPONSOR.body)
    assert "Advertisement · Acme" in said(drawn(sponsor, theme))
    assert body((sponsor,), ENGLISH).startswith("--- Advertisement · Acme ---\n")


def test_a_sponsor_stands_between_rules_in_text() -> None:
    expected = "--- Sponsored by Acme ---\n\nBuy a database.\n\nhttps://acme.example\n\n---\n\n"
    assert body((SPONSOR,), ENGLISH) == expected


def test_a_sponsors_picture_is_carried_and_described(theme: str, pictures: Path) -> None:
    sponsor = Sponsor(url=SPONSOR.url, name="Acme", label="", figure=figure(alt="A logo"), body=())
    made = edition(document(story(sponsor)), folder=pictures, theme=theme)
    assert len(made.pictures) == 1
    assert shown(made).find(".//img").get("alt") == "A logo"
    assert "[Picture: A logo]" in made.text


def test_a_sponsors_words_may_differ_by_reader() -> None:
    inner = (Statement(marks="zq0sqz"), paragraph("For you"), Statement(marks="zq1sqz"))
    sponsor = Sponsor(url=SPONSOR.url, name="Acme", label="", figure=None, body=inner)
    assert "\nzq0sqz\nFor you\n\nzq1sqz\n" in body((sponsor,), ENGLISH)


# --- jobs, events, polls --------------------------------------------------------------------------


def test_a_job_says_what_is_known_of_it(theme: str) -> None:
    page = said(drawn(Jobs(items=(JOB,)), theme))
    assert "Editor" in page
    assert "News · Lisbon · €50,000 · until Dec 1, 2026" in page
    sparse = Job(role="Editor", url=JOB.url, company="News", place="", pay="", until=None)
    assert " · " not in said(drawn(Jobs(items=(sparse,)), theme)).split("News")[-1].split("You receive")[0]


def test_jobs_are_rows_with_their_address_in_text() -> None:
    rows = Jobs(
        items=(JOB, Job(role="Cook", url="https://jobs.example/2", company="Inn", place="", pay="", until=None))
    )
    assert body((rows,), ENGLISH) == (
        "- Editor\n  News · Lisbon · €50,000 · until Dec 1, 2026\n  https://jobs.example/1\n\n"
        "- Cook\n  Inn\n  https://jobs.example/2\n\n"
    )


@pytest.mark.parametrize(("language", "day"), [("en", "Dec 1, 2026"), ("zh", "2026年12月1日")])
def test_an_event_has_its_day_as_the_language_spells_it(theme: str, language: str, day: str) -> None:
    page = drawn(Events(items=(EVENT,)), theme, language)
    assert said(page).index(day) < said(page).index("PyData") < said(page).index("Berlin")
    assert "https://pydata.example" in addresses(page)


def test_events_are_rows_in_text() -> None:
    block = Events(items=(EVENT,))
    assert body((block,), ENGLISH) == "- Dec 1, 2026 · PyData\n  Berlin\n  https://pydata.example\n\n"
    assert body((block,), CHINESE).startswith("- 2026年12月1日 · PyData\n")


def test_a_poll_is_answered_by_following_a_link(theme: str) -> None:
    assert "https://poll.example/yes" in addresses(drawn(POLL, theme))
    assert body((POLL,), ENGLISH) == "Longer?\n\n- Yes\n  https://poll.example/yes\n\n"


def test_an_answer_by_mail_keeps_what_it_says() -> None:
    answers = tuple(
        PollAnswer(label=words(label), url=url)
        for label, url in {"Yes": "mailto:poll@x.example?subject=Yes", "No": "mailto:no@x.example"}.items()
    )
    written = body((Poll(question=words("Longer?"), answers=answers),), ENGLISH)
    assert written.endswith("- Yes\n  mailto:poll@x.example?subject=Yes\n- No\n  no@x.example\n\n")


# --- tables and code ------------------------------------------------------------------------------


def test_a_table_is_one_to_those_who_hear_it(theme: str) -> None:
    table = drawn(TABLE, theme).xpath("//table[not(@role='presentation')]")[0]
    assert [cell.text for cell in table.xpath(".//th[@scope='col']")] == ["模型", "Score"]
    assert [cell.get("align") for cell in table.xpath(".//td")] == ["left", "right", "left", "right"]


def test_a_table_too_wide_for_a_phone_scrolls_in_a_frame_that_keys_reach(theme: str) -> None:
    frame = drawn(TABLE, theme).xpath("//div[@tabindex='0']")[0]
    assert "overflow-x:auto" in frame.get("style")
    assert "table-layout:fixed" in frame.xpath("ancestor::table[1]/@style")[0]


def test_a_table_keeps_its_columns_in_text() -> None:
    assert body((TABLE,), ENGLISH) == (
        "模型     Score\n-------  -----\n小        61.4\nBig [1]      7\n\n[1] https://x.example\n\n"
    )


def test_a_link_in_a_tables_heading_has_its_address_too() -> None:
    table = Table(header=((link("https://x.example", "Name"),),), align=("",), rows=((words("Ann"),),))
    assert body((table,), ENGLISH) == "Name [1]\n--------\nAnn\n\n[1] https://x.example\n\n"


def test_a_table_wider_than_the_text_is_told_row_by_row() -> None:
    wide = Table(header=(words("Name"), words("About")), align=("", ""), rows=((words("Ann"), words("long " * 30)),))
    written = body((wide,), ENGLISH)
    assert written.startswith("Name: Ann\nAbout: long long")
    assert all(columns(line) <= 72 for line in written.split("\n"))
    assert body((wide,), CHINESE).startswith("Name：Ann\nAbout：long")


def test_code_keeps_its_lines_and_breaks_where_a_phone_must(theme: str) -> None:
    code = drawn(CodeBlock(text="a <b>\n    c\n"), theme).find(".//pre")
    assert code.text_content() == "a <b>\n    c\n"
    assert "pre-wrap" in code.get("style")
    assert "break-word" in code.get("style")


# --- pictures -------------------------------------------------------------------------------------


def with_credit(**more: object) -> Figure:
    credit = (Text(text="Photo: "), link("https://photos.example/1", "Ann"), Text(text=", CC BY 4.0"))
    return Figure(
        source="img/a.png",
        alt="a",
        caption=words("Seen"),
        picture=None,
        path="i",
        line=1,
        credit=credit,
        **more,  # type: ignore[arg-type]
    )


def test_credit_and_licence_stand_under_the_caption(theme: str, pictures: Path) -> None:
    made = edition(document(story(with_credit())), folder=pictures, theme=theme)
    caption = shown(made).xpath("//p[contains(@class, 'caption')]")[0]
    assert [text for text in caption.itertext() if text.strip()] == ["Seen", "Photo: ", "Ann", ", CC BY 4.0"]
    assert addresses(caption) == ["https://photos.example/1"]
    assert "[Picture: a]\nSeen\nPhoto: Ann [1], CC BY 4.0\n\n[1] https://photos.example/1\n" in made.text


def test_a_dark_screen_gets_the_dark_picture_and_everybody_else_the_light_one(theme: str, pictures: Path) -> None:
    made = edition(document(story(with_credit(dark_source="img/a-dark.png"))), folder=pictures, theme=theme)
    light, dark = shown(made).findall(".//img")
    assert len(made.pictures) == 2
    assert "display:none" in dark.getparent().get("style").replace(" ", "")
    assert "display:none" not in (light.getparent().get("style") or "").replace(" ", "")
    rules = re.findall(r"@media \(prefers-color-scheme:dark\)\{.*?</style>", made.html, re.DOTALL)[0]
    assert ".light{display:none!important}" in rules
    assert ".dark{display:block!important}" in rules
    assert light.get("alt") == dark.get("alt") == "a"


# --- stories --------------------------------------------------------------------------------------


def test_a_lead_is_larger_and_a_brief_smaller_than_other_stories(theme: str) -> None:
    stories = [story(paragraph("x"), title=kind, anchor=f"s-{kind}", kind=kind) for kind in StoryKind]
    page = shown(edition(document(*stories), theme=theme))

    def size(kind: str) -> int:
        heading = next(each for each in page.iter("h2") if kind in each.text_content())
        return int(re.findall(r"font-size:(\d+)px", heading.get("style"))[-1])

    assert size("lead") > size("ordinary") > size("brief")


# --- all together ---------------------------------------------------------------------------------


@pytest.fixture
def all_of_it() -> Document:
    return everything()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_both_themes_show_one_of_everything(all_of_it: Document, theme: str, language: str, pictures: Path) -> None:
    made = edition(all_of_it, folder=pictures, theme=theme, language=language)
    page = shown(made)
    text = " ".join(made.text.split())
    for words_of_it in (
        "The lead story",
        "One line.",
        "Data engineer",
        "PyData",
        "Acme Databases",
        "A card",
        "Made by hand",
    ):
        assert words_of_it in said(page)
        assert words_of_it in text
    in_text = {each for each in addresses(page) if each.startswith("https:")}
    assert all(each in made.text for each in in_text)
    assert all(columns(line) <= 72 for line in made.text.split("\n") if "://" not in line)
    assert not re.search(r"<(script|iframe|form|object)\b|\\u\{|\{\{", made.html)
    assert all(image.get("alt") and image.get("width") for image in page.iter("img"))
    levels = [int(each.tag[1]) for each in page.iter("h1", "h2", "h3", "h4")]
    assert levels.count(1) == 1
