"""`--where` in SQL: the database finds the same people as the language itself says, whatever they are called."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings

from dispatcher.expressions import Expression, fits, parse
from dispatcher.storage.database import Database
from dispatcher.storage.readers import languages_of, readers, reserved_members
from dispatcher.storage.subscribers import members
from tests.storage.books import enlist, freeze_to, open_at, person, rows
from tests.test_expressions import expressions

VALUES = (
    "pro", "free", "Pro", "9", "10", "-3", " 41.0 ", "1e3", "nan", "0x10", "41", "2026-03-01", "beta; press", "a,b ;c",
    "a", "b", "王芳", "'; DROP TABLE subscriber; --", '"', "%", "_", "(a|b)", "\\", "$", "null", "true", "٣",
)  # fmt: skip


@pytest.fixture
def crowd(tmp_path: Path, database_url: str) -> Iterator[tuple[Database, Mapping[str, Mapping[str, str]]]]:
    """Readers with every value in every attribute, and one who has nothing at all."""
    database = open_at(tmp_path, database_url)
    values: dict[str, dict[str, str]] = {"nobody@example.de": {}}
    for number, value in enumerate(VALUES):
        for at, attributes in enumerate(
            ({"plan": value}, {"age": value, "tags": "a; b"}, {"tags": value, "plan": "a"})
        ):
            values[f"r{number}.{at}@example.de"] = dict(attributes)
    enlist(database, *(person(email, attributes=attributes) for email, attributes in values.items()))
    yield database, {email: attributes | {"email": email} for email, attributes in values.items()}
    database.close()


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(expression=expressions)
@example(expression=parse('"a" in tags or age > 9'))
@example(expression=parse('not ("(a|b)" in plan) and plan != "a"'))
@example(expression=parse("plan == 41 or age < 10"))
def test_the_database_finds_whom_the_language_names(
    crowd: tuple[Database, Mapping[str, Mapping[str, str]]], expression: Expression
) -> None:
    database, values = crowd
    found = {row.email for row in members(database, "readers", expression)}
    assert found == {email for email, theirs in values.items() if fits(expression, theirs)}


@pytest.fixture
def database(tmp_path: Path, database_url: str) -> Iterator[Database]:
    database = open_at(tmp_path, database_url)
    enlist(
        database,
        person("ann@example.de", language="en", attributes={"plan": "pro"}),
        person("bob@example.com", language="en", attributes={"plan": "pro"}),
        person("cleo@example.de", language="zh", attributes={"plan": "free"}),
        person("dan@example.de", language="zh"),
    )
    yield database
    database.close()


def test_a_segment_is_counted_and_read_like_a_list(database: Database) -> None:
    pro = parse('plan == "pro"')
    assert languages_of(database, "readers", pro) == {"en": 2}
    assert reserved_members(database, "readers", pro) == 1
    found = readers(database, "readers", ["en", "zh", None], parse('language == "zh"'), after=0, limit=9)
    assert [each.email for each in found] == ["cleo@example.de", "dan@example.de"]


def test_an_issue_is_made_out_to_whom_the_expression_names_and_nobody_else(database: Database) -> None:
    freeze_to(database, where=parse('plan == "free"'), spoken={"en": ["en", "zh"]})
    assert len(rows(database)) == 1
