"""The sandbox in which one reader's fields are worked out: bounded, without calls, and naming what is missing."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import Template, nodes
from jinja2.runtime import Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from dispatcher.content.personal import ALLOWED_FILTERS
from dispatcher.expressions import as_number, split_value
from dispatcher.models import Subscriber

_DEFAULTS = frozenset({"default", "d"})  # the filters that give a missing field a value
_MOST_ITEMS = 100  # of a reader's own list
_MOST_CHARACTERS = 100_000  # of one value


class Context(StrEnum):
    """Where a value is written, which decides how it is escaped."""

    HTML = "html"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Nowhere:
    """The link to leave on a page that is nobody's: false in `if`, by which a theme leaves out what is for readers."""

    url: str  # what a theme gets that prints it all the same

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        return self.url


def compile_fields(source: str, context: Context) -> Template:
    """Jinja's source of personal constructs, made ready for rendering with `reader_values`."""
    environment = _environment(context)
    tree = _Bounded().visit(environment.parse(source))
    return Template.from_code(environment, environment.compile(tree), {})


def reader_values(subscriber: Subscriber, *, unsubscribe_url: str | Nowhere, view_url: str) -> dict[str, object]:
    """What personal content may name."""
    known: dict[str, str] = {**subscriber.attributes, "email": subscriber.email}
    if subscriber.name:
        known["name"] = subscriber.name
    if subscriber.language:
        known["language"] = subscriber.language
    return {"subscriber": _Reader(known), "unsubscribe_url": unsubscribe_url, "view_url": view_url}


class _Bounded(NodeTransformer):
    """Puts a bound on what could grow without one: loops, and texts joined again and again."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802  the visitor's naming
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, "own_list", [], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Expr:  # noqa: N802
        return self._joined(node.nodes, node)

    def visit_Add(self, node: nodes.Add) -> nodes.Expr:  # noqa: N802
        return self._joined([node.left, node.right], node, "plus")

    def _joined(self, parts: list[nodes.Expr], node: nodes.Expr, name: str = "joined") -> nodes.Expr:
        parts = [self.visit(part) for part in parts]
        return nodes.Filter(nodes.List(parts), name, [], [], None, None, lineno=node.lineno)


def _environment(context: Context) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        autoescape=context is Context.HTML, undefined=_Missing, finalize=printable, keep_trailing_newline=True
    )
    own = {"split": _split_text, "values": _values, "number": _number(environment)}
    environment.filters = {
        name: own.get(name) or _passing_missing(environment.filters[name]) for name in ALLOWED_FILTERS - _DEFAULTS
    } | {name: environment.filters[name] for name in _DEFAULTS}
    environment.filters |= {
        "in_url": in_url,
        "whole_url": whole_url,
        "own_list": _own_list,
        "joined": _joined,
        "plus": _plus,
    }
    environment.globals = {}
    return environment


class _Reader:
    """A reader's fields to Jinja: names only, no methods."""

    __slots__ = ("_known",)

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known

    def __getitem__(self, name: str) -> str:
        return self._known[name]


class MissingFieldError(Exception):
    """A field without a value was printed; its text is the field's name."""


class BadValueError(Exception):
    """A value that cannot be written where it stands."""


class _Missing(Undefined):
    """A missing attribute: false, smaller and greater than nothing, and not printable."""

    __slots__ = ()

    def _fail_with_undefined_error(self, *_args: Any, **_kwargs: Any) -> Any:
        raise MissingFieldError(self._undefined_name or "of an empty list")

    def __str__(self) -> str:
        raise MissingFieldError(self._undefined_name or "of an empty list")

    def __bool__(self) -> bool:
        return False

    def __lt__(self, _other: object) -> bool:  # type: ignore[override]
        return False

    __le__ = __gt__ = __ge__ = __lt__  # type: ignore[assignment]


def _passing_missing(apply: Callable[..., Any]) -> Callable[..., Any]:
    """A filter through which a missing field stays missing: `length` would make 0 of it, `join` nothing."""

    @wraps(apply)  # which also keeps what Jinja noted on the function
    def passing(*arguments: Any, **options: Any) -> Any:
        for value in arguments[:2]:  # some are given the environment first
            if isinstance(value, Undefined):
                return value
        return apply(*arguments, **options)

    return passing


def _split_text(value: object, separator: str = ";") -> object:
    """A reader's list out of one text: `{% for topic in subscriber.topics | split(";") %}`."""
    if isinstance(value, Undefined):
        return value
    return [item.strip() for item in str(value).split(separator) if item.strip()]


def _values(value: object) -> list[str]:
    """The several values of one attribute; none of a missing one."""
    return [] if isinstance(value, Undefined) else split_value(str(value))


def _number(environment: ImmutableSandboxedEnvironment) -> Callable[[object], object]:
    """A filter that makes a number of a text; what is no number is missing."""

    def number(value: object) -> object:
        if isinstance(value, Undefined | int | float):
            return value
        found = as_number(str(value))
        return environment.undefined(name="that is a number") if found is None else found

    return number


def printable(value: object) -> object:
    if isinstance(value, str):
        if len(value) > _MOST_CHARACTERS or "\x02" in value or "\x03" in value:
            raise BadValueError("a field's value is too long or holds control characters")
        return value
    if isinstance(value, Undefined):
        str(value)
    if isinstance(value, Nowhere):
        return value.url
    if not isinstance(value, int | float):
        raise BadValueError("personal content prints something that is no text and no number")
    return value


def in_url(value: object) -> str:
    return quote(str(value), safe="")


_PLAIN_URL = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?")


def whole_url(value: object) -> str:
    url = str(value).strip()
    if _PLAIN_URL.fullmatch(url):
        return url
    try:
        parts = urlsplit(url)
        hostname = parts.hostname
    except ValueError:
        hostname = None
    if not hostname or parts.scheme.lower() not in {"http", "https"}:
        raise BadValueError("a field that is a link is no http or https URL")
    return quote(url, safe=":/?#[]@!$&'()*+,;=%~-._")


def _joined(values: list[object]) -> str:
    return str(printable("".join(str(value) for value in values)))


def _plus(values: list[object]) -> object:
    left, right = values
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left + right
    if isinstance(left, int | float) or isinstance(right, int | float):
        raise TypeError("a text and a number cannot be added")
    return _joined(values)


def _own_list(value: object) -> Sequence[object]:
    if isinstance(value, Undefined):
        return ()
    if not isinstance(value, list | tuple) or len(value) > _MOST_ITEMS:
        raise BadValueError(f"a for needs a reader's own list of at most {_MOST_ITEMS} items")
    return value
