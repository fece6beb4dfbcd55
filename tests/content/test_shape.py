from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.content.source.markdown import read_blocks
from dispatcher.content.source.outline import matching_key
from dispatcher.content.source.shape import shape
from dispatcher.content.tree import (
    Block,
    Blocks,
    ContinueReading,
    Document,
    Emphasis,
    Figure,
    Heading,
    Items,
    LinkCard,
    Paragraph,
    Quotation,
    RelatedLinks,
    StoryKind,
    Text,
    plain_text,
)

if TYPE_CHECKING:
    from dispatcher.errors import Fault
    from dispatcher.models import Field

SEED = Path(__file__).parents[3] / "shared/seed/ml-utd-29.zh.md"
BUTTON = "[… go on](https://example.net)"


def document(source: str, title: str | None = None) -> tuple[Document, list[str]]:
    fields: list[Field] = []
    faults: list[Fault] = []
    blocks = read_blocks(source, fields=fields, faults=faults, path="issue.md")
    made = shape(blocks, title=title, fields=fields, faults=faults, path="issue.md")
    return made, [str(fault) for fault in faults]


def whole(source: str, title: str | None = None) -> Document:
    made, faults = document(source, title)
    assert not faults
    return made


def outline(made: Document) -> dict[str, list[str]]:
    sections = {plain_text(section.title): [plain_text(story.title) for story in section.stories]
                for section in made.sections}  # fmt: skip
    return sections | {"notes": [plain_text(note.title) for note in made.notes]}


def kinds(blocks: Blocks) -> list[type[Block]]:
    return [type(block) for block in blocks]


@pytest.mark.skipif(not SEED.is_file(), reason="the seed lies beside the shared checkout only")
def test_the_seed_is_understood_without_a_word_of_configuration() -> None:
    made = whole(SEED.read_text("utf-8"))
    assert plain_text(made.title) == "[ML UTD 29]机器学习最新—数据生活"
    assert made.source_url is not None
    assert made.source_url.startswith("https://medium.datadriveninvestor.com/ml-utd-29")
    assert kinds(made.intro) == [Paragraph, Figure, Paragraph, Paragraph]
    assert [len(section.stories) for section in made.sections] == [3, 3]
    assert outline(made)["notes"] == ["保持最新状态", "不断学习"]
    assert [kinds(note.body) for note in made.notes] == [[Paragraph], [LinkCard] * 3]
    assert kinds(made.colophon) == [Paragraph, Paragraph]
    assert isinstance(made.colophon[0], Paragraph)
    assert isinstance(made.colophon[0].children[0], Emphasis)
    stories = [story for section in made.sections for story in section.stories]
    assert [story.anchor for story in stories] == [f"story-{number}" for number in range(1, 7)]
    figures = [block for block in (*made.intro, *(block for story in stories for block in story.body))
               if isinstance(block, Figure)]  # fmt: skip
    assert [bool(figure.caption) for figure in figures] == [True] * 6 + [False]
    parts = [Figure, Quotation, ContinueReading, RelatedLinks]
    assert [kinds(story.body) for story in stories] == [[*parts, LinkCard] if n == 3 else parts for n in range(6)]
    buttons = [block for story in stories for block in story.body if isinstance(block, ContinueReading)]
    assert {plain_text(button.label) for button in buttons} == {"继续阅读"}
    related = [block for story in stories for block in story.body if isinstance(block, RelatedLinks)]
    assert [len(links.items) for links in related] == [3, 2, 3, 8, 6, 4]
    cards, buttons_too = 4 * 2, 6
    assert str(made).count("Link(url=") == SEED.read_text("utf-8").count("](http") - cards - buttons_too


FLAT = """\
# The issue

> Source: <https://example.net>

Hello

# At home

- The *Kettle!*

# Outdoors

- the bicycle

# The kettle

text

# The walk

text

# The bicycle

text

# Goodbye

text

::: card https://example.net
T
:::

small

print
"""


def test_a_flat_issue_takes_its_sections_from_its_contents_lists() -> None:
    made = whole(FLAT)
    assert outline(made) == {
        "At home": ["The kettle", "The walk"],
        "Outdoors": ["The bicycle"],
        "notes": ["Goodbye"],
    }
    assert made.source_url == "https://example.net"
    assert (kinds(made.intro), kinds(made.notes[0].body), kinds(made.colophon)) == (
        [Paragraph],
        [Paragraph, LinkCard],
        [Paragraph, Paragraph],
    )


def test_a_flat_issue_without_contents_knows_stories_by_picture_or_quotation() -> None:
    made = whole(
        "# T\n\n# Welcome\n\nhi\n\n# A\n\n> q\n\n# B\n\ntext\n\n# C\n\n![x](y.png)\n\n# D\n\ntext\n\n---\n\nsmall"
    )
    assert outline(made) == {"": ["A", "B", "C"], "notes": ["D"]}
    assert made.intro[0] == Heading(level=3, children=(Text(text="Welcome"),))
    assert kinds(made.colophon) == [Paragraph]


def test_a_contents_list_that_names_no_story_is_a_fault() -> None:
    _, faults = document("# T\n\n# S\n\n- A\n- Bee\n\n# A\n\ntext\n\n# B\n\ntext")
    assert faults[0].startswith("issue.md:3: the contents list under “S” names a story that no heading bears")


EXPLICIT = """\
Hello

# At home

## The kettle

text

### inside

text

---

## The kettle

text

# Outdoors

## Über *Räder*

text

# Goodbye

text

---

kept

---

small print
"""


def test_an_explicit_issue_is_what_its_headings_say() -> None:
    made = whole(EXPLICIT, "The issue")
    assert outline(made) == {
        "At home": ["The kettle", "The kettle"],
        "Outdoors": ["Über Räder"],
        "notes": ["Goodbye"],
    }
    stories = [story for section in made.sections for story in section.stories]
    assert [story.anchor for story in stories] == ["the-kettle", "the-kettle-2", "uber-rader"]
    assert [story.line for story in stories] == [5, 15, 21]
    assert [kinds(story.body) for story in stories] == [[Paragraph, Heading, Paragraph], [Paragraph], [Paragraph]]
    assert len(made.notes[0].body) == 3
    assert kinds(made.colophon) == [Paragraph]


@pytest.mark.parametrize("title", [None, "the issue"])
def test_a_first_heading_that_is_the_title_is_not_a_section(title: str | None) -> None:
    made = whole("# The Issue\n\nhi\n\n## A\n\ntext\n\n# S\n\n## B\n\ntext", title)
    assert plain_text(made.title) == (title or "The Issue")
    assert outline(made) == {"": ["A"], "S": ["B"], "notes": []}
    assert kinds(made.intro) == [Paragraph]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("hello", "1: the issue has no title"),
        ("## A\n\ntext", "1: the issue has no title"),
        ("# T\n\n# S\n\ntext\n\n## A\n\ntext", "5: text stands between the section “S” and its first story"),
        ("# T\n\n# S\n\n## A\n\n## B\n\ntext", "5: there is nothing under the heading “A”"),
        ("# T\n\n## A\n\ntext\n\n# N", "7: there is nothing under the heading “N”"),
        ("# T\n\n# N", "3: there is nothing under the heading “N”"),
        ("# T\n\n## A\n\na\n\n# N\n\nn\n\n# S\n\n## B\n\nb", "7: “N” has no ## under it and stands between sections"),
        ("# T\n\n{% if subscriber.a %}\n# N\n\nn\n{% endif %}",
         "4: “N” is no story, and cannot be for some readers only"),
        ("# T\n\n## A {only: 'plan ='}\n\na", "3: only: 'plan =' is not understood: '=' means nothing here"),
        ("# T\n\n## A\n\na\n\n### B {only: 'plan'}\n\nb", "7: {only: 'plan'} stands at a heading that begins no story"),
        ("# T\n\n## A\n\na\n\n{% for x in subscriber.l %}\n\n## B\n\nb\n\n{% endfor %}",
         "7: {% for x in subscriber.l %} opens here and does not close in the same story"),
        ("# T\n\na {% if subscriber.a %}b\n\nc{% endif %}",
         "3: {% if subscriber.a %} opens here and does not close in the same paragraph"),
        ("# T\n\na {% if subscriber.a %} *b {% endif %}* c", "3: {% if subscriber.a %} opens here"),
        ("# T\n\n[a {% if subscriber.a %}](https://example.net/{% endif %})", "3: {% if subscriber.a %} opens here"),
        ("# T\n\n> {% if subscriber.a %}\n> b\n\n{% endif %}",
         "3: {% if subscriber.a %} opens here and does not close in the same quotation"),
        ("# T\n\n{% if subscriber.a %}\n- b\n\n  {% endif %}", "3: {% if subscriber.a %} opens here"),
        ("# T\n\nzq0x&#113;z", " the word zq0xqz is used by Dispatcher itself"),
    ],
)  # fmt: skip
def test_what_has_no_shape_is_a_fault(source: str, expected: str) -> None:
    _, faults = document(source)
    assert [fault.startswith(f"issue.md:{expected}") for fault in faults] == [True], faults


def test_statements_that_close_where_they_opened_are_no_fault() -> None:
    whole("# T\n\n{% if subscriber.a %}\n- b {% if subscriber.c %}c{% else %}d{% endif %}\n{% elif subscriber.d %}\n"
          "[x](https://example.net/{% if subscriber.a %}a{% endif %})\n{% endif %}\n{% set x = 1 %}\n")  # fmt: skip


@pytest.mark.parametrize("dots", ["…", "……", "...", " … "])
@pytest.mark.parametrize("wrap", ["{}", "*{}*", "> text\n>\n> {}", "> text\n>\n> **{}**"])
def test_a_link_that_begins_with_dots_becomes_the_button(dots: str, wrap: str) -> None:
    body = wrap.format(f"[{dots} go *on*](https://example.net)")
    made = whole(f"# T\n\n## A\n\nintro\n\n{body}")
    button = made.sections[0].stories[0].body[-1]
    assert isinstance(button, ContinueReading)
    assert (button.url, plain_text(button.label)) == ("https://example.net", "go on")


@pytest.mark.parametrize("line", [f"see {BUTTON}", "[go on …](https://example.net)", "[…](https://example.net)"])
def test_other_links_stay_in_their_quotation(line: str) -> None:
    assert kinds(whole(f"# T\n\n## A\n\n> text\n>\n> {line}").sections[0].stories[0].body) == [Quotation]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("Dig in\n\n- by *[a](https://example.net)*\n- [b](https://example.net)", [RelatedLinks]),
        ("Dig in\n\n- [a](https://example.net)\n- b", [Paragraph, Items]),
        ("Dig in\n\n1. [a](https://example.net)", [Paragraph, Items]),
        (f"{'Dig in ' * 20}\n\n- [a](https://example.net)", [Paragraph, Items]),
        ("- [a](https://example.net)", [Items]),
    ],
)
def test_a_label_and_a_list_of_links_belong_together(body: str, expected: list[type[Block]]) -> None:
    assert kinds(whole(f"# T\n\n## A\n\n{body}").sections[0].stories[0].body) == expected


def test_titles_match_by_letters_and_digits() -> None:
    assert matching_key((Text(text="Ｗav2vec 2.0： 音频!zq1xqz"),)) == "wav2vec20音频"


PIECES = [
    "# a\n\n", "# b\n\n", "## c\n\n", "### d\n\n", "- a\n\n", "- b\n", "> q\n\n", "---\n\n", "text\n\n",
    "![](x.png)\n\n",
    f"> {BUTTON}\n\n", "- [l](https://example.net)\n\n", "::: card https://example.net\nT\n:::\n\n",
    "> Source: <https://e.org>\n\n",
    "{% if subscriber.a %}\n", "{% endif %}\n", "{% else %}\n", "{{ subscriber.name }}",
]  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join), st.none() | st.sampled_from(["a", "other"]))
def test_any_order_of_blocks_has_a_shape_with_unique_anchors(source: str, title: str | None) -> None:
    made, _ = document(source, title)
    anchors = [section.anchor for section in made.sections]
    anchors += [story.anchor for section in made.sections for story in section.stories]
    anchors += [note.anchor for note in made.notes]
    assert len(anchors) == len(set(anchors))
    assert all(anchor.isascii() for anchor in anchors)


def test_a_story_is_ordinary_unless_its_heading_says_otherwise() -> None:
    made = whole("# T\n\n# S\n\n## A {.lead}\n\na\n\n## B\n\nb\n\n## C {.brief}\n\nc")
    assert [story.kind for story in made.sections[0].stories] == [StoryKind.LEAD, StoryKind.ORDINARY, StoryKind.BRIEF]
    assert outline(made) == {"S": ["A", "B", "C"], "notes": []}


def test_in_a_flat_issue_a_heading_that_says_so_is_a_story_whatever_stands_under_it() -> None:
    made = whole("# T\n\n# A {.brief}\n\na\n\n# B {.brief}\n\nb\n\n# C\n\nc")
    assert outline(made) == {"": ["A", "B"], "notes": ["C"]}


def test_a_picture_in_a_brief_is_named_and_not_dropped() -> None:
    _, faults = document("# T\n\n# S\n\n## A {.brief}\n\n![a](a.png)\n\na")
    assert [fault for fault in faults if ":7: a brief has no picture" in fault]


def test_a_brief_whose_title_is_a_link_needs_no_text() -> None:
    made = whole("# T\n\n# S\n\n## [A](https://example.net) {.brief}\n\n## [B](https://example.net) {.brief}")
    assert [story.body for story in made.sections[0].stories] == [(), ()]
    _, faults = document("# T\n\n# S\n\n## A {.brief}")
    assert faults == ["issue.md:5: there is nothing under the heading “A”; write it, or remove the heading"]


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("# T {.lead}\n\n# S\n\n## A\n\na", "issue.md:1: “T” is no story, and cannot be {.lead}"),
        ("# T\n\n# S {.brief}\n\n## A\n\na", "issue.md:3: “S” is no story, and cannot be {.brief}"),
        ("# T\n\n# S\n\n## A\n\na\n\n# N {.brief}\n\nn", "issue.md:9: “N” is no story, and cannot be {.brief}"),
    ],
)
def test_only_a_story_can_be_lead_or_brief(source: str, fault: str) -> None:
    _, faults = document(source)
    assert [each.partition("; ")[0] for each in faults] == [fault]


@pytest.mark.parametrize(
    ("source", "line", "place"),
    [
        ("::: jobs\n- [a](https://example.net), {% if subscriber.b %}c, d{% endif %}\n:::", 4, "job"),
        ("::: sponsor https://example.net a\n{% if subscriber.b %}\nc\n:::\n{% endif %}", 4, "sponsor"),
        ("|a|b|\n|-|-|\n|{% if subscriber.b %}|{% endif %}|", 5, "table"),
    ],
)
def test_a_statement_does_not_cross_the_parts_of_a_container(source: str, line: int, place: str) -> None:
    _, faults = document(f"# T\n\n{source}\n\nlast")
    opens = "{% if subscriber.b %} opens here and does not close in the same"
    assert faults == [f"issue.md:{line}: {opens} {place}; repeat it in each"]
