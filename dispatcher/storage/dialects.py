"""What SQLite and PostgreSQL say in different words, each once."""

from typing import Any

from sqlalchemy import FunctionElement, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from dispatcher.storage.columns import Json


class Patched(FunctionElement[Any]):
    """A person's attributes under those of a file: a null removes one, what the file lacks stays (RFC 7396)."""

    inherit_cache = True
    type = Json


@compiles(Patched, "sqlite")
def _patched_in_sqlite(element: Patched, compiler: Any, **options: Any) -> str:
    return f"json_patch({compiler.process(element.clauses, **options)})"


@compiles(Patched, "postgresql")
def _patched_in_postgresql(element: Patched, compiler: Any, **options: Any) -> str:
    base, patch = (compiler.process(clause, **options) for clause in element.clauses)
    return f"jsonb_strip_nulls(CAST({base} AS jsonb) || CAST({patch} AS jsonb))"


class ByCodePoint(FunctionElement[str]):
    """A text that is compared as Python does it, whatever language the database speaks."""

    inherit_cache = True
    type = String()


@compiles(ByCodePoint, "sqlite")
def _by_code_point_in_sqlite(element: ByCodePoint, compiler: Any, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)})"


@compiles(ByCodePoint, "postgresql")
def _by_code_point_in_postgresql(element: ByCodePoint, compiler: Any, **options: Any) -> str:
    return f'({compiler.process(element.clauses, **options)} COLLATE "C")'


class Entries(GenericFunction[Any]):
    """The entries of a JSON object as a table of `key` and `value`."""

    name = "json_each"
    inherit_cache = True


@compiles(Entries, "postgresql")
def _entries_in_postgresql(element: Entries, compiler: Any, **options: Any) -> str:
    return f"jsonb_each({compiler.process(element.clauses, **options)})"
