from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.content.source.markdown import read_blocks
from dispatcher.content.tree import (
    Block,
    CodeBlock,
    CodeSpan,
    Divider,
    Emphasis,
    Figure,
    Heading,
    Inline,
    Items,
    LineBreak,
    Link,
    LinkCard,
    Paragraph,
    Quotation,
    Statement,
    StoryKind,
    Strong,
    Struck,
    Table,
    Text,
    plain_text,
)
from dispatcher.errors import Fault

if TYPE_CHECKING:
    from dispatcher.models import Field

URL = "https://example.net/a"


def read(source: str, first_line: int = 1) -> tuple[list[Block], list[Fault]]:
    faults: list[Fault] = []
    fields: list[Field] = []
    placed = read_blocks(source, fields=fields, faults=faults, path="issue.md", first_line=first_line)
    return [one.block for one in placed], faults


def blocks(source: str) -> list[Block]:
    found, faults = read(source)
    assert not faults
    return found


def paragraph(*children: Inline) -> Paragraph:
    return Paragraph(children=children)


def text(words: str) -> Text:
    return Text(text=words)


def em(*children: Inline) -> Emphasis:
    return Emphasis(children=children)


def strong(*children: Inline) -> Strong:
    return Strong(children=children)


def link(*children: Inline, url: str = URL) -> Link:
    return Link(url=url, children=children)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a *b* **c** ~~d~~ `e`", (text("a "), em(text("b")), text(" "), strong(text("c")), text(" "),
                                   Struck(children=(text("d"),)), text(" "), CodeSpan(text="e"))),
        ("a\nb", (text("a b"),)),
        ("a\\\nb", (text("a"), LineBreak(), text("b"))),
        ("你好，\n世界\nand", (text("你好，世界 and"),)),
        ("한국어\n한국어", (text("한국어 한국어"),)),
        ("*中*\n*文*", (em(text("中文")),)),
        ("<b>x</b> & 2 < 3 &#12;", (text("<b>x</b> & 2 < 3  "),)),
        ('"quoted" ... [..] (c)', (text('"quoted" ... [..] (c)'),)),
        ("这是**“重点”**的", (text("这是"), strong(text("“重点”")), text("的"))),
        ("**重点。**后面", (strong(text("重点。")), text("后面"))),
        ("a**“b”**c", (text("a**“b”**c"),)),
        ("snake_case_word", (text("snake_case_word"),)),
        (f"*a*[*b*]({URL})*c*", (em(text("a"), link(text("b")), text("c")),)),
        (f"[**b**]({URL}) c", (strong(link(text("b"))), text(" c"))),
    ],
)  # fmt: skip
def test_text_is_commonmark_and_chinese_too(source: str, expected: tuple[Inline, ...]) -> None:
    assert blocks(source) == [paragraph(*expected)]


def test_a_quotation_that_is_emphasised_as_a_whole_is_not() -> None:
    source = f"> *a*[*b*]({URL})*c*\n>\n> *d* e"
    children = paragraph(text("a"), link(text("b")), text("c")), paragraph(em(text("d")), text(" e"))
    assert blocks(source) == [Quotation(children=children)]


def test_blocks_keep_their_kinds_and_lines() -> None:
    source = "# A\n\n- x\n\n  ## y\n- z\n\n3. n\n\n```py\ncode\n```\n\ntext\n---\n"
    faults: list[Fault] = []
    placed = read_blocks(source, fields=[], faults=faults, path="issue.md", first_line=10)
    assert [(one.line, type(one.block)) for one in placed] == [
        (10, Heading), (12, Items), (17, Items), (19, CodeBlock), (23, Paragraph), (24, Divider),
    ]  # fmt: skip
    bullets, numbers, code = (one.block for one in placed[1:4])
    assert bullets == Items(
        items=((paragraph(text("x")), Heading(level=3, children=(text("y"),))), (paragraph(text("z")),))
    )
    assert numbers == Items(items=((paragraph(text("n")),),), start=3)
    assert code == CodeBlock(text="code", language="py")


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("https://example.net/ü?a=1&b", "https://example.net/%C3%BC?a=1&b"),
        ("http://例子.example/", "http://xn--fsqu00a.example/"),
        ("mailto:ann@example.com", "mailto:ann@example.com"),
        ("{{ subscriber.page }}", "zq0wqz"),
        ("https://example.net/{{ subscriber.id }}?n={{ subscriber.name }}", "https://example.net/zq0pqz?n=zq1pqz"),
        ("mailto:{{ subscriber.email }}", "mailto:zq0pqz"),
    ],
)
def test_addresses_are_made_fit_for_mail(written: str, url: str) -> None:
    assert blocks(f"[a]({written})") == [paragraph(link(text("a"), url=url))]


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "JAVASCRIPT:x", "data:text/html,x", "file:///etc/passwd", "page.html", "//example.net",
        "www.example.net", "#story", "", "https://", "http:example.net", "http://[", "mailto:", "tel:112",
        "https://{{ subscriber.host }}/", "https://example.net{{ subscriber.port }}", "{{ subscriber.a }}/b",
        "{{ subscriber.a }}{{ subscriber.b }}", "{% if subscriber.a %}", "<ht\ttps://example.net>",
    ],
)  # fmt: skip
def test_an_address_that_no_mail_program_could_follow_is_a_fault(url: str) -> None:
    end = "{% endif %}" if "{%" in url else ""
    _, faults = read(f"first\n\nsecond\n[a]({url}){end}")
    assert [(fault.line, bool(fault.remedy)) for fault in faults] == [(4, True)]


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        (f"a\n[]({URL})", 2, f"link to {URL} has no text"),
        (f"a [ ]({URL})", 1, f"link to {URL} has no text"),
        ("a\n![b](img/c.png)", 2, "picture img/c.png stands inside a text"),
        (f"[![b](img/c.png)]({URL})", 1, "picture img/c.png stands inside a text"),
        ("![b](img/c.png) ![d](img/e.png)", 1, "picture img/c.png stands inside a text"),
        ("![b]()", 1, "the picture names no file"),
        ("![b]({{ subscriber.face }})", 1, "the picture names no file"),
        ("a\n\n# ", 3, "the heading has no text"),
        (f"see []({URL}) [## t\n\n### d\n\nexample.net]({URL})", 1, "this looks like a broken link card"),
        (f"[]({URL}) [## t\n\n### d\n\nexample.net]({URL}2)", 1, "this looks like a broken link card"),
        (f"[]({URL}) [## t\n\nexample.net]({URL})", 1, "this looks like a broken link card"),
        (f"[]({URL}) [## t\n\n### d\n\nexample.net]({URL}) more", 5, "this looks like a broken link card"),
        (f"[]({URL}) [## t]({URL})", 1, "this looks like a broken link card"),
        ("a\n:::", 2, "this ::: closes nothing"),
        (f"::: card {URL}\nT", 1, "this card is not closed"),
        (f"::: card {URL}\n\n:::", 1, "this card has no title"),
        ("::: card page\nT\n:::", 1, "link page is not http, https or mailto"),
        (f"::: crad {URL}\nT\n:::", 1, "there is no ::: crad"),
        ("# a {.leed}", 1, "a heading cannot be {.leed}"),
        ("# a {.box}", 1, "a heading cannot be {.box}"),
        ("### a {.lead}", 1, "{.lead} stands at a heading that begins no story"),
        ("# {.lead}", 1, "the heading has no text"),
        ("| a | b |\n| c | d |", 1, "this looks like a broken table"),
        ("|a|\n|-|\n|b|\n{% if subscriber.c %}\n|c|\n{% endif %}\n", 5, "this looks like a broken table"),
        (f"|a|\n|-|\n|[b]({URL})|\n|[](x)|", 4, "link to x has no text"),
        ("*a " * 60 + "a*" * 60, 1, "emphasis is nested more than 50 levels deep"),
        ("[" * 51 + "a" + "]" * 51, 1, "brackets are nested more than 50 levels deep"),
        (">" * 51 + "a", 1, "lists or quotations are nested more than 50 levels deep"),
        ("a\n\n" + "- " * 51 + "a", 3, "lists or quotations are nested more than 50 levels deep"),
        ("- > " * 5000 + "a", 1, "lists or quotations are nested more than 50 levels deep"),
        ("a\n\n{{ subscriber.name", 3, "this {{ is not closed"),
    ],
)
def test_what_cannot_be_sent_is_a_fault_with_its_line(source: str, line: int, message: str) -> None:
    _, faults = read(source)
    assert faults
    assert (faults[0].line, faults[0].message.startswith(message), bool(faults[0].remedy)) == (line, True, True), faults


def test_a_table_has_a_header_and_rows_of_the_same_length() -> None:
    source = f"| a | *b* |\n|:--|--:|\n| [c]({URL}) | d \\| e |\n| {{{{ subscriber.f }}}} |\n\nafter"
    assert blocks(source) == [
        Table(
            header=((text("a"),), (em(text("b")),)),
            align=("left", "right"),
            rows=(((link(text("c")),), (text("d | e"),)), ((text("zq0xqz"),), ())),
        ),
        paragraph(text("after")),
    ]


def test_a_heading_may_say_how_much_room_its_story_takes() -> None:
    kinds = [block.kind for block in blocks("# a {.lead}\n## b {.brief} ##\n## c\n## d \\{.e}\n## `f {.g} `")
             if isinstance(block, Heading)]  # fmt: skip
    assert kinds == [StoryKind.LEAD, StoryKind.BRIEF, None, None, None]
    assert blocks("# *a* {.lead}") == [Heading(level=1, children=(em(text("a")),), kind=StoryKind.LEAD)]


def test_fifty_levels_are_not_too_deep() -> None:
    assert blocks(">" * 50 + "a")
    assert blocks("- " * 50 + "a")


def test_code_and_escapes_may_look_like_a_broken_card() -> None:
    assert blocks("`[## t` \\[## u \\## v")


def test_lines_count_from_the_first_line_of_the_body() -> None:
    _, faults = read("a\n\n> b\n> c\n> [](https://example.net)", first_line=7)
    assert [fault.line for fault in faults] == [11]


def test_medium_s_link_cards_are_read_though_several_share_a_line() -> None:
    other = "https://www.example.net/b_(c)"
    source = (
        f"[]({URL}) [## T\n\n### D *d*\n\nwww.example.net]({URL}) []({other}) [## U\n\n### E\n\nx]({other}) \n\nafter"
    )
    found = read_blocks(source, fields=[], faults=[], path="issue.md")
    assert [(one.line, one.block) for one in found] == [
        (1, LinkCard(url=URL, title=(text("T"),), description=(text("D "), em(text("d"))), site="example.net")),
        (5, LinkCard(url=other, title=(text("U"),), description=(text("E"),), site="example.net")),
        (11, paragraph(text("after"))),
    ]


def test_a_card_is_written_between_colons() -> None:
    source = f"before\n::: card {URL}\n\nT *t*\none\ntwo\n:::\nafter"
    card = LinkCard(url=URL, title=(text("T "), em(text("t"))), description=(text("one two"),), site="example.net")
    assert blocks(source) == [paragraph(text("before")), card, paragraph(text("after"))]


def test_a_card_needs_no_description_and_may_stand_in_a_list() -> None:
    card = LinkCard(url=URL, title=(text("T"),), description=(), site="example.net")
    assert blocks(f"- ::: card {URL}\n  T\n  :::") == [Items(items=((card,),))]


def test_statements_on_a_line_of_their_own_stand_between_blocks() -> None:
    opening, closing = "{% if subscriber.a %}", "{% endif %}"
    source = f"before\n{opening} {opening}\nwithin {opening}c{closing}\n{closing}{closing}\nafter"
    assert blocks(source) == [
        paragraph(text("before")),
        Statement(marks="zq0sqz zq1sqz"),
        paragraph(text("within zq2sqzczq3sqz")),
        Statement(marks="zq4sqzzq5sqz"),
        paragraph(text("after")),
    ]


@pytest.mark.parametrize(
    ("after", "caption"),
    [
        ("c\n\n> d", "c"),
        ("c\n\nd", "c"),
        ("c", ""),
        ("c\n\n## d", ""),
        ("c\n\n---", ""),
        ("> c\n\nd", ""),
        ("- c\n\nd", ""),
        ("# c\n\nd", ""),
        ("c" * 301 + "\n\nd", ""),
    ],
)
def test_a_short_paragraph_after_a_picture_is_its_caption_if_more_follows(after: str, caption: str) -> None:
    figure = blocks(f"![a *b* {{{{ subscriber.c }}}}](img/d%20ü.png)\n\n{after}")[0]
    assert isinstance(figure, Figure)
    assert plain_text(figure.caption) == caption
    assert (figure.source, figure.alt, figure.picture) == ("img/d%20ü.png", "a b zq0xqz", None)
    assert (figure.path, figure.line) == ("issue.md", 1)


PIECES = [
    "[", "]", "(", ")", "](", "![", "*", "**", "_", "~~", "`", "\n", "\n\n", "> ", "- ", "1. ", "# ", "---\n", "    ",
    "::: card https://example.net\n", ":::\n", "https://example.net", "<", ">", "{% if subscriber.a %}", "{% endif %}",
    "{{ subscriber.name }}", "{% else %}", "a", "中", "。", "“", "…", "\t", "\\", "&#12;", "\u2028",
    "[](u) [## t\n\n### d\n\nh](u)",
]  # fmt: skip


@settings(deadline=None)
@given(st.text(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_any_text_is_read_and_faults_lie_within_it(source: str) -> None:
    source = source.replace("\r", "")
    _, faults = read(source)
    assert all(fault.line and 1 <= fault.line <= source.count("\n") + 1 for fault in faults)


@pytest.mark.parametrize("note", ["<!-- a note -->", "<!-- a note\nof two lines -->", "<!-- a\n\nlong one -->"])
def test_a_note_among_editors_reaches_nobody(note: str) -> None:
    assert blocks(f"One.\n\n{note}\n\nTwo.") == blocks("One.\n\nTwo.")
    assert blocks(f"{note}\nTwo.") == blocks("Two.")


def test_a_note_within_a_sentence_reaches_nobody_and_an_unfinished_one_does() -> None:
    assert blocks("One <!-- a note -->and two.") == blocks("One and two.")
    assert blocks("<!-- unfinished\n\nTwo.") != blocks("Two.")
    assert blocks("    <!-- code -->") != blocks("")
