"""Merging: a reader's fields in their places, escaped as the place needs, and named when they are missing."""

from dataclasses import replace

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.content.message.evaluate import Context, reader_values
from dispatcher.content.message.merge import Unfilled, fill, fill_text, prepare
from dispatcher.content.personal import in_url, mark
from dispatcher.models import Field, Subscriber

HTML, TEXT = Context.HTML, Context.TEXT
HOSTILE = "<script>alert('x')</script> & \"y\""


def reader(name: str | None = "Ann", **attributes: str) -> Subscriber:
    return Subscriber(id=1, ref=2, email="ann@example.com", name=name, language=None, attributes=attributes)


def merged(source: str, context: Context = TEXT, of: Subscriber | None = None, *, url: bool = False) -> str | Unfilled:
    fields: list[Field] = []
    text = mark(source, into=fields, path="issue.md")
    part = prepare(in_url(text) if url else text, fields, context)
    values = reader_values(of or reader(), unsubscribe_url="https://l.example/u/t", view_url="https://l.example/v/t")
    return fill_text(part, values)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Dear {{ subscriber.name }},", "Dear Ann,"),
        ("{{ subscriber.email }}", "ann@example.com"),
        ("{{ subscriber.plan }}", "pro"),
        ("{{ subscriber['plan'] }}", "pro"),
        ("{{ subscriber.none | default('you') }}", "you"),
        ("{{ subscriber.none | d('you') | upper }}", "YOU"),
        ("{{ subscriber.none or 'you' }}", "you"),
        ("{{ subscriber.plan | upper | replace('P', 'B') }}", "BRO"),
        ("{% if subscriber.none %}a{% else %}b{% endif %}", "b"),
        ("{% if not subscriber.none %}a{% endif %}", "a"),
        ("{% if subscriber.none == 'pro' %}a{% else %}b{% endif %}", "b"),
        ("{% if subscriber.none < 3 %}a{% else %}b{% endif %}", "b"),
        ("{% if subscriber.none >= 3 %}a{% else %}b{% endif %}", "b"),
        ("{% if 3 > subscriber.none %}a{% else %}b{% endif %}", "b"),
        ("{% if 'x' in subscriber.none %}a{% else %}b{% endif %}", "b"),
        ("{% if subscriber.none is defined %}a{% else %}b{% endif %}", "b"),
        ("{% if subscriber.plan == 'pro' %}a{% endif %}", "a"),
        ("{% if subscriber.age | int > 18 %}a{% endif %}", "a"),
        ("{% set who = subscriber.name %}{{ who }}", "Ann"),
        ("{% for each in subscriber.none %}a{% else %}b{% endfor %}", "b"),
        ("{{ subscriber.age | int + 1 }}", "21"),
        ("{{ subscriber.name ~ '/' ~ subscriber.plan }}", "Ann/pro"),
        ("{{ unsubscribe_url }}", "https://l.example/u/t"),
    ],
)
def test_a_field_is_what_the_reader_has(source: str, text: str) -> None:
    assert merged(source, of=reader(plan="pro", age="20")) == text


@pytest.mark.parametrize(
    "source",
    [
        "{{ subscriber.city }}", "{{ subscriber['city'] }}", "{{ subscriber.city | upper }}",
        "{{ subscriber.city ~ 'x' }}",
        "{% if true %}{{ subscriber.city }}{% endif %}", "{% set c = subscriber.city %}{{ c }}",
        "{{ subscriber.name | replace('A', subscriber.city) }}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("context", Context)
def test_a_missing_field_that_is_printed_is_named(source: str, context: Context) -> None:
    assert merged(source, context) == Unfilled(reason="field city missing", field="city")


def test_a_missing_field_behind_a_condition_is_not_missed() -> None:
    assert merged("{% if subscriber.plan %}{{ subscriber.city }}{% endif %}") == ""


@pytest.mark.parametrize(
    "source",
    [
        "{% if subscriber.age > 18 %}a{% endif %}", "{{ subscriber.age + 1 }}", "{{ -subscriber.age }}",
        "{{ subscriber.age | round }}", "{{ subscriber.name | upper(3) }}", "{{ subscriber.city - 1 }}",
        "{% if subscriber.city in 'abc' %}a{% endif %}", "{{ subscriber.name | truncate('x') }}",
        "{% for each in subscriber.age %}a{% endfor %}",
    ],
)  # fmt: skip
def test_what_cannot_be_worked_out_is_a_reason_and_no_traceback(source: str) -> None:
    outcome = merged(source, of=reader(age="20"))
    assert isinstance(outcome, str | Unfilled)


@pytest.mark.parametrize("source", ["{{ subscriber.city | join(',') }}", "{{ subscriber.city | length }}"])
def test_a_filter_does_not_hide_a_missing_field(source: str) -> None:
    assert merged(source) == Unfilled(reason="field city missing", field="city")


def test_the_first_of_a_missing_field_is_named() -> None:
    assert merged("{{ subscriber.city | first }}") == Unfilled(reason="field city missing", field="city")


def test_a_for_goes_over_a_readers_own_list() -> None:
    assert (
        merged("{% for each in subscriber.tags | split(',') %}{{ each }};{% endfor %}", of=reader(tags="a, b"))
        == "a;b;"
    )


# --- contexts -------------------------------------------------------------------------------------------------


def test_values_are_escaped_in_html_and_raw_in_text() -> None:
    assert merged("<b>{{ subscriber.name }}</b>", HTML, reader(HOSTILE)) == (
        "<b>&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &#34;y&#34;</b>"
    )
    assert merged("<b>{{ subscriber.name }}</b>", TEXT, reader(HOSTILE)) == f"<b>{HOSTILE}</b>"


def test_a_readers_value_is_data_and_never_a_template() -> None:
    for hostile in ("{{ 7*7 }}", "{% if x %}", "{# #}", "zq0xqz", "zq1sqz", "%s", "{0.__class__}", "\\u0041"):
        assert merged("a {{ subscriber.name }} b", TEXT, reader(hostile)) == f"a {hostile} b"


def test_a_value_in_a_url_is_percent_encoded() -> None:
    hostile = 'a b&c=d"/?#<é'
    expected = "https://example.org/?q=a%20b%26c%3Dd%22%2F%3F%23%3C%C3%A9&x=1"
    for context in Context:
        assert (
            merged("https://example.org/?q={{ subscriber.name }}&x=1", context, reader(hostile), url=True) == expected
        )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("https://example.org/a?b=c&d=e#f", "https://example.org/a?b=c&d=e#f"),
        ("http://example.org", "http://example.org"),
        ("HTTPS://example.org/", "HTTPS://example.org/"),
        ("https://example.org/ü", "https://example.org/%C3%BC"),
        ("https://example.org/%C3%BC", "https://example.org/%C3%BC"),
        ('https://example.org/"onmouseover="x', "https://example.org/%22onmouseover=%22x"),
    ],
)
def test_a_value_that_is_a_whole_url_is_one(value: str, text: str) -> None:
    assert merged("{{ subscriber.site }}", TEXT, reader(site=value), url=True) == text


@pytest.mark.parametrize(
    "value",
    [
        "javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "data:text/html,x", "vbscript:x", "file:///x",
        "//example.org", "/path", "example.org", "https:", "https://", "https:evil", "https:/\\evil", "mailto:a@b.org",
        "ftp://example.org", "http://[::1", "x",
    ],
)  # fmt: skip
def test_a_whole_url_that_is_none_is_refused(value: str) -> None:
    for context in Context:
        outcome = merged("{{ subscriber.site }}", context, reader(site=value), url=True)
        assert isinstance(outcome, Unfilled)
        assert "no http or https URL" in outcome.reason


def test_a_missing_whole_url_is_named() -> None:
    assert merged("{{ subscriber.site }}", url=True) == Unfilled(reason="field site missing", field="site")


@pytest.mark.parametrize("value", ["a\x02b", "\x020\x03", "x" * 100_001])
def test_a_value_that_would_confuse_the_pieces_is_refused(value: str) -> None:
    outcome = merged("a {{ subscriber.name }}", of=reader(value))
    assert isinstance(outcome, Unfilled)
    assert "too long or holds control characters" in outcome.reason


# --- lines ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "text"),
    [("pro", "one\ntwo\nthree\n"), ("free", "one\nthree\n")],
)
def test_a_statement_alone_on_its_line_leaves_no_empty_line_in_text(plan: str, text: str) -> None:
    source = "one\n{% if subscriber.plan == 'pro' %}\ntwo\n{% endif %}\nthree\n"
    assert merged(source, TEXT, reader(plan=plan)) == text


def test_a_statement_at_the_very_start_or_between_words_keeps_the_lines() -> None:
    assert merged("{% if subscriber.name %}\none\n{% endif %}\n") == "one\n"
    assert merged("a {% if subscriber.name %}b{% endif %}\nc\n") == "a b\nc\n"


# --- properties -----------------------------------------------------------------------------------------------

words = st.text(st.characters(exclude_characters="{}%#\x02\x03\r", exclude_categories=["Cs"]), max_size=12)
values = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@settings(deadline=None, max_examples=50)
@given(pieces=st.lists(words, min_size=1, max_size=6), name=values, context=st.sampled_from(Context))
def test_merging_says_what_jinja_would_say(pieces: list[str], name: str, context: Context) -> None:
    if any("zq" in piece for piece in pieces):
        return
    source = "{{ subscriber.name }}".join(pieces)
    plain = jinja2.Environment(autoescape=context is HTML, keep_trailing_newline=True)  # noqa: S701  both on purpose
    assert merged(source, context, reader(name)) == plain.from_string(source).render(subscriber={"name": name})


@given(st.lists(words, max_size=4))
def test_static_pieces_come_by_number_and_are_never_touched(pieces: list[str]) -> None:
    text = "zq0xqz".join(pieces)
    part = prepare(text, [Field(source="{{ subscriber.name }}", path="a", line=1)], TEXT)
    assert list(part.pieces) == [piece for piece in pieces if piece]
    filled = fill(part, reader_values(reader("\u0394"), unsubscribe_url="", view_url=""))
    assert not isinstance(filled, Unfilled)
    assert [each for each in filled if isinstance(each, int)] == list(range(len(part.pieces)))


@pytest.mark.parametrize("context", Context)
@given(
    words=st.lists(
        st.sampled_from([
            "Dear {{ subscriber.name }},\n", "{{subscriber.plan|default('<none> & \"all\"')}}", "{{ view_url }}", " < ",
            "{% if unsubscribe_url %}\nLeave: {{ unsubscribe_url }}\n{% endif %}\n", "{{ subscriber.email }}", "a\n",
            '<a href="{{ subscriber.site }}">', '<a href="https://example.org/?of={{ subscriber.name }}">',
        ])
    ),
    values=st.lists(st.text(max_size=20) | st.sampled_from([HOSTILE, "https://example.org/?a=b&c='d'"]), max_size=3),
)  # fmt: skip
@settings(deadline=None)
def test_what_needs_no_jinja_is_what_jinja_makes_of_it(context: Context, words: list[str], values: list[str]) -> None:
    fields: list[Field] = []
    part = prepare(in_url(mark("".join(words), into=fields, path="issue.md")), fields, context)
    assert part.plain is not None
    has = {name: value for name, value in zip(("name", "plan", "site"), values, strict=False) if value}
    known = reader_values(
        reader(has.pop("name", None), **has),
        unsubscribe_url="https://l.example/u/t",
        view_url="https://l.example/v/t?a=b&c",
    )
    assert fill_text(part, known) == fill_text(replace(part, plain=None), known)


def test_what_leaves_out_the_link_to_leave_is_left_to_jinja() -> None:
    fields: list[Field] = []
    part = prepare(mark("{% if unsubscribe_url %}leave{% endif %}", into=fields, path="issue.md"), fields, HTML)
    known = reader_values(reader(), unsubscribe_url="", view_url="")
    assert fill_text(part, known) == ""
