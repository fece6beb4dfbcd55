"""Works out the fields that need no Jinja: a name, with or without a default, and the reader's links.

Most newsletters have no others, and Jinja takes four times as long; what it makes of them is the same.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from markupsafe import escape

from dispatcher.content.message.evaluate import Context, MissingFieldError, in_url, printable, whole_url
from dispatcher.models import Field

Value = Callable[[Mapping[str, Any]], str]
"""Works out one field of `evaluate.reader_values`. Raises MissingFieldError, BadValueError."""

_NAME = re.compile(r"\{\{ *subscriber\.([a-z][a-z0-9_]*)(?: *\| *default\('([^'\\\r\n]*)'\))? *\}\}")
_LINK = re.compile(r"\{\{ *(unsubscribe_url|view_url) *\}\}")
_OF_READERS = ("{% if unsubscribe_url %}", "{% endif %}")  # by which a theme leaves out what is for nobody else
_WRITTEN: dict[str, Callable[[str], str]] = {"x": str, "p": in_url, "w": whole_url}  # see personal.MARK


def plain_order(order: Sequence[int | tuple[Field, str]], context: Context) -> tuple[int | Value, ...] | None:
    """For readers with a link to leave: piece numbers and what stands for fields; None where it takes Jinja to tell."""
    statements = [each[0].source for each in order if not isinstance(each, int) and each[0].is_statement]
    if statements != list(_OF_READERS) * (len(statements) // 2):
        return None
    plain = [
        each if isinstance(each, int) else _value_of(*each, context)
        for each in order
        if isinstance(each, int) or not each[0].is_statement
    ]
    return None if None in plain else tuple(each for each in plain if each is not None)


def _value_of(field: Field, variant: str, context: Context) -> Value | None:
    find: Value
    if (link := _LINK.fullmatch(field.source)) is not None:
        find = itemgetter(link[1])
    elif (name := _NAME.fullmatch(field.source)) is not None:
        find = _named(name[1], name[2])
    else:
        return None
    shown = _showing(variant, context)
    return lambda values: shown(find(values))


@lru_cache
def _showing(variant: str, context: Context) -> Callable[[str], str]:
    """How a value stands in the text; a reader's link stands there several times."""
    written = _WRITTEN[variant]
    if context is Context.HTML:
        return lru_cache(maxsize=8)(lambda value: str(escape(printable(written(value)))))
    return lru_cache(maxsize=8)(lambda value: str(printable(written(value))))


def _named(name: str, otherwise: str | None) -> Callable[[Mapping[str, Any]], str]:
    def find(values: Mapping[str, Any]) -> str:
        try:
            found: str = values["subscriber"][name]
        except KeyError:
            if otherwise is None:
                raise MissingFieldError(name) from None
            return otherwise
        return found

    return find
