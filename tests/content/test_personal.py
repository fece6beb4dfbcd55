"""Personal fields: what may run per reader, and that everything else is an error with its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.content.personal import MARK, has_mark, in_url, mark, without_marks
from dispatcher.errors import InputWrong
from dispatcher.models import Field


def marked(source: str, *, personal_only: bool = False) -> tuple[str, list[Field]]:
    fields: list[Field] = []
    return mark(source, into=fields, path="issue.md", personal_only=personal_only), fields


@pytest.mark.parametrize(
    "source",
    [
        "{{ subscriber.name }}",
        '{{ subscriber.name | default("reader") }}',
        '{{ subscriber["first name"] | d("you", true) | upper }}',
        "{{ subscriber.name | trim | title | truncate(20) }}",
        "{{ unsubscribe_url }} {{ view_url }}",
        '{% if subscriber.plan == "pro" %}a{% elif subscriber.plan %}b{% else %}c{% endif %}',
        "{% if subscriber.age | int >= 18 and not subscriber.plan %}a{% endif %}",
        '{% if subscriber.plan in ["pro", "free"] %}a{% endif %}',
        "{% if subscriber.plan is defined %}a{% endif %}",
        "{% for tag in subscriber.tags %}{{ loop.index }} {{ tag }}{% else %}none{% endfor %}",
        "{% set who = subscriber.name | default('you') %}{{ who }}",
        "{{ subscriber.first ~ ' ' ~ subscriber.last }}",
        "{{ 'pro' if subscriber.plan == 'pro' else 'free' }}",
    ],
)
def test_the_language_of_the_contract_is_taken(source: str) -> None:
    text, fields = marked(source)
    assert fields
    assert "{" not in text
    assert len(MARK.findall(text)) == len(fields)


SSTI = [
    "{{ 7*7 }}",
    "{{ 'a' * 10**10 }}",
    "{{ config }}",
    "{{ self }}",
    "{{ self._TemplateReference__context }}",
    "{{ cycler.__init__.__globals__.os }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ request.application }}",
    "{{ namespace() }}",
    "{{ range(99999) }}",
    "{{ subscriber.name|attr('__class__') }}",
    "{{ subscriber.name|attr('format')('{0.__class__}') }}",
    "{{ '{0.__class__}'.format(subscriber) }}",
    "{{ '%s' % subscriber }}",
    "{{ '%s' | format(subscriber) }}",
    "{{ [subscriber.name] | map('upper') | list }}",
    "{{ [subscriber] | map(attribute='__class__') | join }}",
    "{{ subscriber.name | safe }}",
    "{{ subscriber.name | pprint }}",
    "{{ subscriber.name[1:2] }}",
    "{{ {'a': 1} }}",
    "{% for i in range(10) %}x{% endfor %}",
    "{% for i in [1, 2] %}x{% endfor %}",
    "{% for i in 'abc' %}x{% endfor %}",
    "{% for a in subscriber.x recursive %}{{ loop(a) }}{% endfor %}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% extends 'base' %}",
    "{% macro m() %}x{% endmacro %}",
    "{% call m() %}x{% endcall %}",
    "{% filter upper %}x{% endfilter %}",
    "{% block b %}x{% endblock %}",
    "{% with a = 1 %}x{% endwith %}",
    "{% set subscriber = 1 %}",
    "{{ subscriber.name is callable }}",
    "{{ 1 / 0 }}",
    "{{ 2 ** 99 }}",
    "{{ 7 // 2 }}",
    "{{ 7 % 2 }}",
]


@pytest.mark.parametrize("source", SSTI)
def test_what_has_no_bound_or_leaves_the_sandbox_is_an_error_with_its_line(source: str) -> None:
    with pytest.raises(InputWrong) as caught:
        marked(f"first line\n\n{source}\n")
    assert {fault.line for fault in caught.value.faults} == {3}
    assert all(fault.path == "issue.md" and fault.remedy for fault in caught.value.faults)


def test_autoescape_cannot_be_switched_off() -> None:
    with pytest.raises(InputWrong, match="is not allowed"):
        marked("{% autoescape false %}x{% endautoescape %}")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{{ name }}", "unknown template variable 'name'; write it as subscriber.name"),
        ("{{ plan }}", "unknown template variable 'plan'; did you mean subscriber.plan?"),
        ("{{ subscriber.name | uper }}", "there is no filter 'uper'; the filters are"),
        ("{{ subscriber.name is prime }}", "there is no test 'prime'"),
        ("{{ subscriber.name", "close it"),
        ("{% if subscriber.name %}", "add {% endif %}"),
        ("{% endif %}", "closes nothing that is open"),
        ("{{ }}", "close it"),
        ("the word zq7xqz stands here", "is used by Dispatcher itself"),
    ],
)
def test_a_fault_says_what_and_how(source: str, said: str) -> None:
    with pytest.raises(InputWrong, match=r"issue\.md:1: ") as caught:
        marked(source)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "source",
    ["{{ subscriber }}", "{{ subscriber.name.upper }}", "{{ subscriber.name.format }}", "{{ 'a'.join }}", "{{ loop }}"],
)
def test_what_prints_an_object_instead_of_a_value_is_an_error(source: str) -> None:
    with pytest.raises(InputWrong):
        marked(source)


def test_all_faults_are_told_with_their_lines() -> None:
    with pytest.raises(InputWrong) as caught:
        marked("{{ name }}\n\n{{ subscriber.name | uper }}\n")
    assert [fault.line for fault in caught.value.faults] == [1, 3]


def test_marks_keep_the_lines_and_remember_where_they_stood() -> None:
    text, fields = marked("a\n{{ subscriber.name\n }}\nb\n{% if subscriber.plan %}\nc\n{% endif %}\n{# a\nnote #}\nd")
    assert text.count("\n") == 9
    assert text.split("\n")[9] == "d"
    assert [field.line for field in fields] == [2, 5, 7]
    assert fields[0].source == "{{ subscriber.name }}"
    assert [field.is_statement for field in fields] == [False, True, True]


def test_raw_is_not_personal() -> None:
    text, fields = marked("{% raw %}{{ subscriber.name }}{% endraw %}")
    assert text == "{{ subscriber.name }}"
    assert not fields


def test_of_a_theme_only_what_is_personal_is_marked() -> None:
    source = "{% if numbers %}{{ title }}{% if subscriber.plan %}{{ subscriber.name }}{% else %}b{% endif %}{% endif %}"
    text, fields = marked(source, personal_only=True)
    assert text == "{% if numbers %}{{ title }}zq0sqzzq1xqzzq2sqzbzq3sqz{% endif %}"
    assert [field.source for field in fields][2:] == ["{% else %}", "{% endif %}"]


def test_whitespace_control_takes_no_lines_away() -> None:
    text, fields = marked("a\n{%- if subscriber.plan -%}\nb\n{%- endif -%}\nc {{- subscriber.name -}} d")
    assert without_marks(text) == "a\n\nb\n\nc  d"
    assert len(fields) == 3


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.org/", "https://example.org/"),
        ("zq0xqz", "zq0wqz"),
        ("https://example.org/?q=zq0xqz&r=zq12xqz", "https://example.org/?q=zq0pqz&r=zq12pqz"),
        ("zq0xqz/path", "zq0pqz/path"),
        ("zq0sqzhttps://a/zq1xqzzq2sqz", "zq0sqzhttps://a/zq1pqzzq2sqz"),
    ],
)
def test_a_mark_in_a_link_says_how_it_is_encoded(url: str, expected: str) -> None:
    assert in_url(url) == expected


@given(st.text(st.characters(exclude_characters="{}%#", exclude_categories=["Cs"])))
def test_text_without_fields_stays_as_it_is(text: str) -> None:
    if has_mark(text):
        return
    assert marked(text.replace("\r", ""))[0] == text.replace("\r", "")
