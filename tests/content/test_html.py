"""What the two engines do to our HTML, each fact pinned."""

import html as entities
import re
import socket
from collections.abc import Iterator

import pytest

from dispatcher.content.drawing.html import html, macro_name
from dispatcher.content.drawing.inline import damage, inline_styles, take_inlined_styles
from dispatcher.content.drawing.mjml import DEEPEST, mjml_to_html
from dispatcher.content.tree import CodeSpan, Emphasis, LineBreak, Link, LinkCard, Strong, Struck, Text
from dispatcher.errors import InputWrong

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: object) -> None:
        raise AssertionError("rendering went to the network")

    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", refuse)
        yield


def page(body: str, head: str = "") -> str:
    return (
        f"<mjml lang='en' dir='ltr'><mj-head><mj-title>T</mj-title>{head}</mj-head><mj-body><mj-section><mj-column>"
        f"<mj-text font-family=\"Roboto, 'Open Sans'\">{body}</mj-text></mj-column></mj-section></mj-body></mjml>"
    )


def finished(body: str, head: str = "") -> str:
    plain, rules = take_inlined_styles(page(body, head))
    return inline_styles(mjml_to_html(plain, path="issue.mjml"), rules)


def test_every_inline_becomes_closed_and_escaped_html() -> None:
    inlines = (
        Text(text="a < b & "),
        Strong(children=(Emphasis(children=(Text(text="c"),)),)),
        Struck(children=(Text(text="d"),)),
        CodeSpan(text="<e>"),
        LineBreak(),
        Link(url='https://example.org/?a=1&b="', children=(Text(text="f"),)),
    )
    assert html(inlines) == (
        "a &lt; b &amp; <strong><em>c</em></strong><s>d</s><code>&lt;e&gt;</code><br />"
        '<a href="https://example.org/?a=1&amp;b=&#34;">f</a>'
    )


def test_a_block_is_drawn_by_the_macro_with_its_name() -> None:
    card = LinkCard(url="https://example.org", title=(), description=(), site="example.org")
    assert macro_name(card) == "link_card"


def test_attributes_keep_emoji_combining_marks_and_backslashes() -> None:
    alt = "❤️ 👩‍👩‍👧 a\\b é نَ \u00a0 中文 \\u{1f600}"
    out = finished(f'<img src="https://example.org/a.png" alt="{alt}" />')
    found = re.search(r'alt="([^"]*)"', out)
    assert found
    assert entities.unescape(found[1]) == alt


def test_a_line_break_in_an_attribute_becomes_a_space() -> None:
    assert 'title="one two"' in finished('<p title="one\n  two">x</p>')


def test_text_may_speak_of_what_the_engine_does_to_attributes() -> None:
    body = r"<p>\u{200d}</p>"
    assert damage(page(body), finished(body)) == []


def test_the_doctype_comes_first() -> None:
    assert finished("<p>x</p>").startswith("<!DOCTYPE html>")


def test_conditional_comments_are_the_same_before_and_after_inlining() -> None:
    raw = "<mj-raw><!--[if mso]><style>td { font-family: Arial !important }</style><![endif]--></mj-raw>"
    rules = '<mj-style inline="inline">p { margin: 0 }</mj-style>'
    before = mjml_to_html(page("<p>x</p>", raw), path="issue.mjml")
    after = finished("<p>x</p>", raw + rules)
    assert _COMMENT.findall(after) == _COMMENT.findall(before)
    assert len(_COMMENT.findall(after)) > 10


def test_media_queries_important_and_data_attributes_stay_in_their_style_block() -> None:
    kept = "@media (prefers-color-scheme:dark){.x{color:#fff!important}}[data-ogsc] .x{margin:0!important}"
    rules = '<mj-style inline="inline">.x { color: #111 }</mj-style>'
    out = finished('<p class="x">x</p>', f"<mj-style>{kept}</mj-style>{rules}")
    assert kept in out
    assert '<p class="x" style="color:#111">' in out
    assert ".x { color: #111 }" not in out
    assert "data-premailer" not in out


def test_fonts_are_not_fetched_from_google() -> None:
    assert "googleapis" not in finished("<p>x</p>")


def test_marks_survive_and_those_in_addresses_are_told_apart() -> None:
    out = finished('<p>zq0xqz</p>zq1sqz<a href="https://example.org/?q=zq2xqz">x</a><a href="zq3xqz">y</a>')
    assert "<p>zq0xqz</p>" in out
    assert "zq1sqz" in out
    assert 'href="https://example.org/?q=zq2pqz"' in out
    assert 'href="zq3wqz"' in out


def test_a_lost_mark_is_noticed() -> None:
    assert damage("zq0xqz zq0xqz zq1xqz", "<!DOCTYPE html>zq0xqz zq1xqz") == ["the mark of field 0"]


@pytest.mark.parametrize("body", ["<p>x", "<p class=a>x</p>", "a < b", "<p>x</div>"])
def test_mjml_that_is_not_well_formed_is_named(body: str) -> None:
    with pytest.raises(InputWrong, match=r"^templates/issue\.mjml: the MJML is not well-formed"):
        mjml_to_html(page(body), path="templates/issue.mjml")


def test_tags_nested_too_deep_are_refused_before_they_end_the_process() -> None:
    with pytest.raises(InputWrong, match="nested more than"):
        mjml_to_html(page("<div>" * 100_000 + "</div>" * 100_000), path="issue.mjml")


def test_tags_nested_as_deep_as_allowed_come_through() -> None:
    depth = DEEPEST - 5
    assert "innermost" in finished("<div>" * depth + "innermost" + "</div>" * depth)


def laid_out(body: str) -> str:
    return f"<mjml><mj-head><mj-title>t</mj-title></mj-head><mj-body>{body}</mj-body></mjml>"


IN_COLUMN = "<mj-section><mj-column>{}</mj-column></mj-section>"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (IN_COLUMN.format("<mj-txt>x</mj-txt>"), "there is no <mj-txt> in MJML; did you mean <mj-text>?"),
        ("<mj-section><mj-text>x</mj-text></mj-section>", "<mj-text> stands in <mj-section>; its place is <mj-column>"),
        ("<mj-column><mj-text>x</mj-text></mj-column>", "<mj-column> stands in <mj-body>; its place is <mj-section>"),
        (IN_COLUMN.format("<p>x</p>"), "<p> stands in <mj-column>; put HTML into <mj-text> or <mj-raw>"),
        (IN_COLUMN.format('<mj-image hreff="a" />'), "<mj-image> has no hreff; did you mean href?"),
        (IN_COLUMN.format('<mj-text paddng="0">x</mj-text>'), "<mj-text> has no paddng; did you mean padding?"),
        (IN_COLUMN.format("<mj-text><mj-image src='a' /></mj-text>"), "<mj-image> stands in <mj-text>"),
    ],
)
def test_mjml_that_the_engine_would_take_for_granted_is_refused(body: str, said: str) -> None:
    with pytest.raises(InputWrong) as wrong:
        mjml_to_html(laid_out(body), path="templates/mine/issue.mjml")
    assert str(wrong.value).startswith(f"templates/mine/issue.mjml: {said}")


def test_all_that_mjml_has_may_stand_where_it_belongs() -> None:
    column = (
        '<mj-text css-class="a"><p class="b">x</p></mj-text><mj-image src="https://e.example/a.png" alt="" />'
        '<mj-button href="https://e.example/">x</mj-button><mj-divider /><mj-spacer height="4px" />'
        "<mj-table><tr><td>x</td></tr></mj-table><mj-raw><!-- x --></mj-raw>"
    )
    body = f"<mj-wrapper>{IN_COLUMN.format(column)}</mj-wrapper><mj-raw><hr /></mj-raw>"
    assert "e.example" in mjml_to_html(laid_out(body), path="issue.mjml")
