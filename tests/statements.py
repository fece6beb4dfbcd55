"""Statements are compiled once for each kind of database in a test process, and not anew for each of its databases.

A program that has one database has this by itself: SQLAlchemy keeps what it compiled with the engine. The tests open
thousands, and a quarter of what their tests cost was the same SQL written out once more.
"""

from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.util import LRUCache

_MANY = 4_000  # all of ours, and as many as the property tests make between two others


class _Compiled(LRUCache[Any, Any]):
    """As an engine's own; of the keys, the dialect counts by its kind."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_by_kind(key), default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(_by_kind(key), value)


def _by_kind(key: tuple[Any, ...]) -> tuple[Any, ...]:
    dialect, *statement = key
    return (type(dialect), *statement)


def compile_once() -> None:
    """From here on, in this process and in those it forks."""
    compiled = _Compiled(_MANY)

    def share(connection: Connection) -> None:
        connection.execution_options(compiled_cache=compiled)

    event.listen(Engine, "engine_connect", share)
