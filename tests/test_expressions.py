"""The language of `--where` and `only:`: what it means, what it does not understand, and that it cannot run away."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.content.message.evaluate import Context, compile_fields, reader_values
from dispatcher.content.source.conditions import as_condition
from dispatcher.expressions import (
    And,
    Compare,
    Contains,
    Expression,
    Has,
    Not,
    NotUnderstoodError,
    OneOf,
    Or,
    fits,
    names_in,
    parse,
)
from dispatcher.models import Subscriber

ANN = {"plan": "pro", "age": "41", "language": "en", "tags": "beta; press", "joined": "2026-03-01"}


@pytest.mark.parametrize(
    "text",
    [
        'plan == "pro"',
        "plan == 'pro'",
        'plan != "free"',
        'plan == "pro" and language == "en"',
        'plan == "free" or language == "en"',
        'not plan == "free"',
        'not (plan == "free" or language == "zh")',
        "plan",
        "not phone",
        "age > 9",
        "age >= 41 and age <= 41",
        "age == 41.0",
        'joined >= "2026-01-01"',
        'plan in ("plus", "pro")',
        '"beta" in tags',
        '"press" in tags and not "staff" in tags',
        'plan == "free" and language == "zh" or age > 40',
        ' plan=="pro" ',
    ],
)
def test_ann_is_meant(text: str) -> None:
    assert fits(parse(text), ANN)


@pytest.mark.parametrize(
    "text",
    [
        'plan == "Pro"',
        "age < 9",
        "plan > 1",
        "phone",
        'phone == ""',
        'phone != "1"',
        "phone < 1",
        'phone in ("1", "2")',
        '"x" in phone',
        '"bet" in tags',
        'plan == "free" and (language == "en" or age > 40)',
    ],
)
def test_ann_is_not_meant_and_what_is_missing_is_false_in_every_test(text: str) -> None:
    assert not fits(parse(text), ANN)


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 1, "the end stands where an attribute's name should"),
        ('plan = "pro"', 6, "'=' means nothing here; compare with =="),
        ("plan == pro", 9, "pro stands where a text in quotes should"),
        ("plan ==", 8, "the end stands where a text in quotes should"),
        ('(plan == "pro"', 15, "the end stands where ')' should"),
        ('plan == "pro" language', 15, "language stands where its end should"),
        ('plan == "pro', 9, "means nothing here"),
        ('"pro"', 6, "the end stands where 'in' should"),
        ('"pro" in "plan"', 10, "stands where an attribute's name should"),
        ("plan in (pro)", 10, "pro stands where a text in quotes should"),
        ("plan; drop table", 5, "';' means nothing here"),
        ("__import__('os')", 11, "stands where its end should"),
        ("not " * 30 + "plan", 81, "nested too deep"),
        ("(" * 30 + "plan" + ")" * 30, 21, "nested too deep"),
        ("a or " * 300 + "a", 1000, "longer than 1000 characters"),
    ],
)
def test_what_is_not_understood_is_named_with_its_column(text: str, column: int, message: str) -> None:
    with pytest.raises(NotUnderstoodError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert caught.value.column == column


def test_the_attributes_it_looks_at_are_known() -> None:
    assert names_in(parse('plan == "pro" and not ("a" in tags or age > 3)')) == {"plan", "tags", "age"}


@given(st.text(max_size=200))
def test_any_text_is_understood_or_refused(text: str) -> None:
    with contextlib.suppress(NotUnderstoodError):
        fits(parse(text), ANN)


names = st.sampled_from(["plan", "age", "tags", "phone"])
texts = st.sampled_from(["pro", "", "41", "a b", "beta", 'x"y', "it's", "{{ 1 }}", "\\"])
tests = st.one_of(
    st.builds(Has, name=names),
    st.builds(Compare, name=names, operator=st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
              value=st.one_of(texts, st.integers(-50, 50).map(float))),
    st.builds(OneOf, name=names, values=st.lists(texts, min_size=1, max_size=3).map(tuple)),
    st.builds(Contains, name=names, value=texts),
)  # fmt: skip
expressions = st.recursive(
    tests,
    lambda inner: st.one_of(
        st.builds(Not, inner=inner),
        st.builds(And, parts=st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, parts=st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)
readers = st.dictionaries(names, st.sampled_from(["pro", "41", "-3.5", "beta;press", "a b, x", 'x"y', "1e5"]))


@given(expressions, readers)
def test_as_a_condition_in_an_issue_it_means_the_same(expression: Expression, values: dict[str, str]) -> None:
    template = compile_fields(f"{{% if {as_condition(expression)} %}}yes{{% endif %}}", Context.TEXT)
    reader = Subscriber(id=1, ref=1, email="ann@example.com", name=None, language=None, attributes=values)
    shown = template.render(reader_values(reader, unsubscribe_url="", view_url=""))
    assert (shown == "yes") is fits(expression, values)
