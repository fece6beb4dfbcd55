"""The text part, block by block."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.content.drawing.text import body, capital, underline
from dispatcher.content.drawing.wrap import columns
from dispatcher.content.tree import (
    Blocks,
    CodeBlock,
    ContinueReading,
    Figure,
    Inlines,
    Items,
    LinkCard,
    Paragraph,
    Quotation,
    RelatedLinks,
    Statement,
    Text,
)
from tests.content.trees import ENGLISH, document, edition, full_story, link, paragraph, story, words

ARTICLE = "https://example.org/article"
CODE = "https://example.org/code"


def written(*blocks: object, title: Inlines = ()) -> str:
    return body(blocks, ENGLISH, title)  # type: ignore[arg-type]


def sentence(*inlines: object) -> Paragraph:
    return Paragraph(children=inlines)  # type: ignore[arg-type]


def merged(text: str, *, condition: bool) -> str:
    """What a reader sees of `zq0sqz … zq1sqz`: a mark alone on its line goes with its line end."""
    if not condition:
        text = re.sub(r"zq0sqz.*?(?=zq1sqz)", "", text, flags=re.DOTALL)
    return re.sub(r"zq\dsqz", "", re.sub(r"^zq\dsqz\n", "", text, flags=re.MULTILINE))


def test_a_link_in_a_sentence_is_numbered_and_listed_under_the_story() -> None:
    text = written(sentence(Text(text="Read "), link(ARTICLE, "this"), Text(text=".")), paragraph("More."))
    assert text == f"Read this [1].\n\nMore.\n\n[1] {ARTICLE}\n\n"


def test_the_same_address_has_one_number() -> None:
    text = written(sentence(link(ARTICLE, "a")), sentence(link(ARTICLE, "b"), Text(text=" "), link(CODE, "c")))
    assert text == f"a [1]\n\nb [1] c [2]\n\n[1] {ARTICLE}\n[2] {CODE}\n\n"


def test_a_link_whose_words_are_its_address_is_printed_once() -> None:
    assert written(sentence(link("https://example.org/", "example.org"))) == "<https://example.org/>\n\n"
    assert written(sentence(link("mailto:ann@example.com", "ann@example.com"))) == "ann@example.com\n\n"


def test_an_address_on_its_own_line_has_no_number() -> None:
    text = written(sentence(link(ARTICLE, "source")), ContinueReading(url=ARTICLE, label=words("continue reading")))
    assert text == f"source\n\nContinue reading:\n{ARTICLE}\n\n"


def test_brackets_around_a_source_link_are_not_doubled() -> None:
    assert written(sentence(Text(text="CC BY ["), link(CODE, "source"), Text(text="]"))).startswith(
        "CC BY source [1]\n"
    )


def test_related_links_stand_over_their_address_and_one_already_printed_is_left_out() -> None:
    credit = (Text(text="Credit: "), link("https://example.org/ann", "Ann"), Text(text=" & "), link(ARTICLE, "Eve"))
    text = written(
        ContinueReading(url=ARTICLE, label=words("Continue reading")),
        RelatedLinks(label=words("Dig in"), items=((link(ARTICLE, "Article"),), (link(CODE, "Code"),), credit)),
    )
    assert text.endswith(f"Dig in\n- Code\n  {CODE}\n- Credit: Ann & Eve\n  https://example.org/ann\n\n")
    assert text.count(ARTICLE) == 1


def test_a_card_is_title_description_and_address() -> None:
    card = LinkCard(url=CODE, title=words("Title"), description=words("About"), site="example.org")
    assert written(card) == f"Title\nAbout\n{CODE}\n\n"


def test_a_quotation_is_marked_on_every_line() -> None:
    long = "word " * 30
    lines = written(Quotation(children=(paragraph(long), paragraph("end")))).strip().split("\n")
    assert all(line.startswith(">") for line in lines)
    assert max(map(columns, lines)) <= 72
    assert lines[-2:] == [">", "> end"]


def test_a_picture_is_its_alt_and_caption_and_a_decorative_one_is_nothing() -> None:
    figure = Figure(source="a.png", alt="a cat", caption=words("Our cat."), picture=None, path="i.md", line=1)
    assert written(figure) == "[Picture: a cat]\nOur cat.\n\n"
    bare = Figure(source="a.png", alt="", caption=(), picture=None, path="i.md", line=1)
    assert written(bare) == ""


def test_lists_hang_and_keep_their_numbers() -> None:
    items = Items(items=((paragraph("a " * 40),), (paragraph("b"),)), start=9)
    lines = written(items).split("\n")
    assert lines[0].startswith("9. a a")
    assert lines[1].startswith("   a")
    assert lines[2] == "10. b"


def test_code_is_indented_and_never_wrapped() -> None:
    assert written(CodeBlock(text="x = 1\n\n" + "y" * 90 + "\n")) == f"    x = 1\n\n    {'y' * 90}\n\n"


def test_the_address_of_a_linked_title_comes_first() -> None:
    assert written(sentence(link(ARTICLE, "again")), title=(link(ARTICLE, "Title"),)) == f"{ARTICLE}\n\nagain\n\n"


CONDITIONAL = (
    paragraph("Before."),
    Statement(marks="zq0sqz"),
    sentence(Text(text="Secret: "), link(CODE, "gift")),
    Statement(marks="zq1sqz"),
    paragraph("After."),
)


def test_a_block_under_a_condition_leaves_no_gap() -> None:
    assert merged(written(*CONDITIONAL), condition=False) == "Before.\n\nAfter.\n\n"
    assert merged(written(*CONDITIONAL), condition=True) == f"Before.\n\nSecret: gift [1]\n\n[1] {CODE}\n\nAfter.\n\n"


@pytest.mark.parametrize(
    "hidden",
    [
        CONDITIONAL,
        (Quotation(children=CONDITIONAL), paragraph("After.")),
        (Items(items=(CONDITIONAL,)),),
        (sentence(Text(text="zq0sqz"), link(CODE, "gift"), Text(text="zq1sqz")),),
        (RelatedLinks(label=(), items=((Text(text="zq0sqz"), link(CODE, "gift"), Text(text="zq1sqz")),)),),
    ],
)
def test_an_address_goes_with_the_condition_it_stands_under(hidden: Blocks) -> None:
    text = written(*hidden)
    assert CODE in merged(text, condition=True)
    assert CODE not in merged(text, condition=False)


def test_an_address_seen_only_on_a_condition_is_printed_again_outside_it() -> None:
    text = merged(written(*CONDITIONAL, sentence(link(CODE, "open"))), condition=False)
    assert CODE in text


def test_a_heading_stands_over_a_rule_as_wide_as_it() -> None:
    assert underline("机器学习") == "机器学习\n--------"


def test_a_label_begins_with_a_capital_unless_it_begins_with_a_field() -> None:
    assert capital("read on") == "Read on"
    assert capital("zq0xqz, read on") == "zq0xqz, read on"
    assert capital("继续") == "继续"


def test_the_whole_part_has_contents_sections_and_a_footer() -> None:
    first, second = full_story(), story(paragraph("Short."), title="Another", anchor="another")
    text = edition(document(first, second, intro=(paragraph("Hello."),))).text
    assert text.startswith(
        "Issue 29\n========\nLife with Data · #29 · December 30, 2020 · 1 minute to read\n\nHello.\n\nIn this issue\n"
    )
    assert "Applications\n1. A story\n2. Another\n" in text
    assert "\n1. A story\n----------\n\n" in text
    footer = text.split("\n-- \n")[1]
    assert "You receive this because you subscribed to Life with Data." in footer
    assert "1 Example Street" in footer
    assert re.search(r"^Unsubscribe:\nzq\d+xqz$", footer, re.MULTILINE)
    assert text.endswith("qz\n")


def test_no_line_is_wider_than_72_columns_but_for_addresses() -> None:
    text = edition(document(full_story(), intro=(paragraph("机器学习" * 60), paragraph("word " * 60)))).text
    assert all(columns(line) <= 72 for line in text.split("\n") if "://" not in line)


def test_no_blank_line_is_doubled_within_a_story() -> None:
    assert "\n\n\n" not in written(*full_story().body, *CONDITIONAL)


@given(st.lists(st.sampled_from(full_story().body + CONDITIONAL[:1]), max_size=12))
def test_every_address_is_printed_once_a_story(blocks: Blocks) -> None:
    text = written(*blocks)
    addresses = re.findall(r"https://\S+", text)
    assert len(addresses) == len(set(addresses))
