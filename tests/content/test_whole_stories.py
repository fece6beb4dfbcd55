"""Stories that only some readers get: in the page, in the contents, in the text, with numbers that leave no gap."""

import re
from pathlib import Path

import pytest
from lxml import html as lxml_html  # type: ignore[import-untyped]  # premailer's parser

from dispatcher.content.compose import compose
from dispatcher.content.drawing.theme import find_theme
from dispatcher.content.message.build import make_skeleton, merged_html, merged_text
from dispatcher.content.message.needs import attributes_used
from dispatcher.content.source.issue import load_issue
from dispatcher.errors import InputWrong
from dispatcher.models import Edition, Subscriber
from tests.content.trees import LETTERHEAD, ROOT

ATTRIBUTE = """\
# A title

# News

## For all

One.

## For pro {.brief only: 'plan == "pro"'}

Two.

## For all, too

Three.

# Extras

## For beta {only='"beta" in tags'}

Four.
"""
STATEMENTS = """\
# A title

# News

## For all

One.

{% if subscriber.plan == "pro" %}

## For pro

Two.

{% endif %}

## For all, too

Three.

{% if "beta" in (subscriber.tags | values) %}

# Extras

## For beta

Four.

{% endif %}
"""


def edition(root: Path, source: str, theme: str) -> Edition:
    folder = root / "issues" / "1"
    folder.mkdir(parents=True)
    (folder / "issue.md").write_text(source, encoding="utf-8")
    issue = load_issue(folder, root=root, default_language="en")
    return compose(issue.drafts["en"], number=1, folder=folder, theme=find_theme(theme, ROOT), letterhead=LETTERHEAD)


@pytest.fixture(params=[(way, theme) for way in (ATTRIBUTE, STATEMENTS) for theme in ("default", "letter")])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Edition:
    return edition(tmp_path, *request.param)


def reader(**attributes: str) -> Subscriber:
    return Subscriber(id=1, ref=1, email="ann@example.com", name="Ann", language=None, attributes=attributes)


def page(made: Edition, **attributes: str) -> lxml_html.HtmlElement:
    filled = merged_html(
        make_skeleton(made), reader(**attributes), unsubscribe_url="https://l.example/u", view_url="https://l.example/v"
    )
    assert isinstance(filled, str)
    return lxml_html.document_fromstring(filled)


def text(made: Edition, **attributes: str) -> str:
    filled = merged_text(
        make_skeleton(made), reader(**attributes), unsubscribe_url="https://l.example/u", view_url="https://l.example/v"
    )
    assert isinstance(filled, str)
    return filled


def headings(page: lxml_html.HtmlElement) -> list[str]:
    return [re.sub(r"^[\d.\s]+", "", each.text_content().strip()) for each in page.iter("h2")]


@pytest.mark.parametrize(
    ("attributes", "stories", "numbers"),
    [
        ({}, ["For all", "For all, too"], ["1", "2"]),
        ({"plan": "pro"}, ["For all", "For pro", "For all, too"], ["1", "2", "3"]),
        ({"tags": "press;beta"}, ["For all", "For all, too", "For beta"], ["1", "2", "3"]),
        ({"plan": "pro", "tags": "beta"}, ["For all", "For pro", "For all, too", "For beta"], ["1", "2", "3", "4"]),
    ],
)
def test_each_reader_gets_his_stories_and_no_number_is_left_out(
    made: Edition, attributes: dict[str, str], stories: list[str], numbers: list[str]
) -> None:
    shown = page(made, **attributes)
    assert [each for each in headings(shown) if each.startswith("For")] == stories
    assert [each.text_content() for each in shown.xpath("//ol/li")] == stories
    assert [anchor.text_content() for anchor in shown.xpath("//a[@name]")] == numbers
    assert ("Extras" in headings(shown)) is ("For beta" in stories)
    written = text(made, **attributes)
    listed = [f"{number}. {story}" for number, story in zip(numbers, stories, strict=True)]
    assert [line for line in written.splitlines() if re.match(r"\d+\. For", line)][-len(listed) :] == listed
    assert not re.search(r"\n{4}|zq\d", written)
    assert ("Extras" in written) is ("For beta" in stories)


def test_outlook_sees_whole_tables_whoever_reads(made: Edition) -> None:
    for attributes in ({}, {"plan": "pro"}, {"tags": "beta"}):
        filled = merged_html(
            make_skeleton(made),
            reader(**attributes),
            unsubscribe_url="https://l.example/u",
            view_url="https://l.example/v",
        )
        assert isinstance(filled, str)
        for_outlook = re.sub(r"<!--\[if mso[^\]]*\]>(.*?)<!\[endif\]-->", r"\1", filled, flags=re.DOTALL)
        assert for_outlook.count("<table") == for_outlook.count("</table>")
        assert for_outlook.count("<td") == for_outlook.count("</td>")


def test_the_check_knows_the_attributes_that_conditions_look_at(made: Edition) -> None:
    assert {"plan": True, "tags": True}.items() <= attributes_used(made).items()


def test_an_else_is_for_the_others(tmp_path: Path) -> None:
    source = """\
# A title

{% if subscriber.plan == "pro" %}

## For pro

One.

{% elif subscriber.plan %}

## For paying

Two.

{% else %}

## For the rest

{% if subscriber.name %}Dear {{ subscriber.name }}{% endif %}

{% endif %}

## For all

Four.
"""
    made = edition(tmp_path, source, "default")
    for attributes, first in (({"plan": "pro"}, "For pro"), ({"plan": "x"}, "For paying"), ({}, "For the rest")):
        shown = page(made, **attributes)
        assert [each for each in headings(shown) if each.startswith("For")] == [first, "For all"]
        assert [anchor.text_content() for anchor in shown.xpath("//a[@name]")] == ["1", "2"]


CONTAINERS = """\
# A title

## One

Text.

::: sponsor https://example.com/leaf Leaf {only: 'not plan == "pro"'}
Tea since 1871.
:::

# Notes

::: card https://example.org/c {only: '"beta" in tags'}
For testers
:::

The colophon.
"""


@pytest.mark.parametrize("theme", ["default", "letter"])
@pytest.mark.parametrize(
    ("attributes", "shown"),
    [
        ({}, {"Tea since 1871."}),
        ({"plan": "pro"}, set()),
        ({"tags": "beta"}, {"Tea since 1871.", "For testers"}),
    ],
)
def test_a_container_may_be_for_some_readers_only(
    tmp_path: Path, theme: str, attributes: dict[str, str], shown: set[str]
) -> None:
    made = edition(tmp_path, CONTAINERS, theme)
    for part in (text(made, **attributes), page(made, **attributes).text_content()):
        assert {each for each in ("Tea since 1871.", "For testers") if each in part} == shown
        assert "The colophon." in part
        assert "{only" not in part


def test_a_standing_text_may_be_for_some_readers_only(tmp_path: Path) -> None:
    standing = tmp_path / "templates" / "snippets"
    standing.mkdir(parents=True)
    (standing / "about.md").write_text("About {{ subscriber.plan }}.\n", encoding="utf-8")
    made = edition(tmp_path, "# A title\n\nHello.\n\n::: snippet about {only: 'plan'}\n", "default")
    assert "About pro." in text(made, plan="pro")
    assert "About" not in text(made)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("## One {only: 'plan = 1'}", "only: 'plan = 1' is not understood: '=' means nothing here; compare with =="),
        (
            "::: sponsor https://e.example/ E {only: 'plan =='}",
            "only: 'plan ==' is not understood: the end stands",
        ),
        ("### Small {only: 'plan'}", "{only: 'plan'} stands at a heading that begins no story; remove it"),
        ("{% if subscriber.plan %}", "{% if subscriber.plan %} is not closed; add {% endif %} after what it is about"),
        ("{% for t in subscriber.tags %}\n{% endif %}", "{% endif %} closes nothing that is open; remove it"),
        ("{% else %}", "{% else %} stands outside of an if; remove it"),
        ("{% endif %}", "{% endif %} closes nothing that is open; remove it, or add {% if … %} before it"),
    ],
)
def test_what_is_wrong_with_a_condition_is_told_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(InputWrong) as wrong:
        edition(tmp_path, f"# A title\n\n{line}\n\nText.\n\n## More\n\nText.\n", "default")
    number = 4 if line.startswith("{% for") else 3
    assert str(wrong.value).startswith(f"issues/1/issue.md:{number}: {said}")
