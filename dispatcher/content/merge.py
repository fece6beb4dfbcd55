"""Fills an edition with one reader's fields, in Jinja's sandbox, without touching its static text.

The static text between marks is a table of pieces. What Jinja renders per reader holds only the pieces' numbers and the
reader's values, so that a piece can be encoded once per edition and joined as bytes.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import Template, TemplateError, nodes
from jinja2.runtime import Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from dispatcher.content.personal import ALLOWED_FILTERS, MARK, closed, grammar
from dispatcher.models import Edition, Field, Subscriber

_PIECE = re.compile("\x02(\\d+)\x03")
_DEFAULTS = frozenset({"default", "d"})  # the filters that give a missing field a value
_MOST_ITEMS = 100  # of a reader's own list
_MOST_CHARACTERS = 100_000  # of one value


class Context(StrEnum):
    """Where a value is written, which decides how it is escaped."""

    HTML = "html"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A text with marks, made ready: its static pieces, and the template that orders them for a reader."""

    pieces: tuple[str, ...]
    template: Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfilled:
    """What kept a reader's fields from filling a part; `field` is the one that is missing, if that is it."""

    reason: str
    field: str | None = None


def prepare(marked: str, fields: Sequence[Field], context: Context) -> Part:
    """Compiles a text with marks; the costly step, once per edition."""
    pieces: list[str] = []
    source: list[str] = []
    position = 0
    for found in MARK.finditer(marked):
        _add_piece(marked[position : found.start()], pieces, source)
        position = found.end()
        field = fields[int(found[1])]
        if field.is_statement and context is Context.TEXT and _stands_alone(marked, found.start(), position):
            position += 1  # a statement's own line leaves no empty line behind
        source.append(_construct(field, found[2]))
    _add_piece(marked[position:], pieces, source)
    environment = _environment(context)
    tree = _Bounded().visit(environment.parse("".join(source)))
    code = environment.compile(tree)
    return Part(pieces=tuple(pieces), template=Template.from_code(environment, code, dict(environment.globals)))


def fill(part: Part, values: Mapping[str, object]) -> list[int | str] | Unfilled:
    """The reader's sequence of piece numbers and values, or what is missing."""
    try:
        rendered = part.template.render(values)
    except _MissingError as error:
        return Unfilled(reason=f"field {error} missing", field=str(error))
    except _BadValueError as error:
        return Unfilled(reason=str(error))
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, TemplateError, MemoryError) as error:
        # Values from a list are text: "3" > 2 has no answer, and `| int` gives it one.
        return Unfilled(reason=f"personal content cannot be worked out: {error}; values are text, see `| int`")
    return list(_split(rendered))


def culprit(fields: Sequence[Field], values: Mapping[str, object]) -> Field | None:
    """The first field that these values cannot fill."""
    environment = _environment(Context.TEXT)
    for field in fields:
        try:
            tree = _Bounded().visit(environment.parse(closed(field.source)))
            Template.from_code(environment, environment.compile(tree), {}).render(values)
        except Exception:  # noqa: BLE001  whatever it is, this is the field
            return field
    return None


def fill_text(part: Part, values: Mapping[str, object]) -> str | Unfilled:
    """The part as one text for this reader."""
    filled = fill(part, values)
    if isinstance(filled, Unfilled):
        return filled
    return "".join(part.pieces[each] if isinstance(each, int) else each for each in filled)


def reader_values(subscriber: Subscriber, *, unsubscribe_url: str, view_url: str) -> dict[str, object]:
    """What personal content may name."""
    known: dict[str, str] = {**subscriber.attributes, "email": subscriber.email}
    if subscriber.name:
        known["name"] = subscriber.name
    if subscriber.language:
        known["language"] = subscriber.language
    return {"subscriber": _Reader(known), "unsubscribe_url": unsubscribe_url, "view_url": view_url}


def attributes_used(edition: Edition) -> dict[str, bool]:
    """Which of a reader's attributes an edition uses, and whether the value matters to whether it can be filled.

    A field that is only printed needs to be there; one that a condition looks at may lead to another branch, and one
    that is a link's whole address must be a good one.
    """
    used = dict.fromkeys(whole_url_attributes(edition), True)
    tree = grammar().parse("".join(field.source for field in edition.fields))
    printed = {id(node) for output in tree.find_all(nodes.Output) for node in _only_printed(output)}
    for node in tree.find_all((nodes.Getattr, nodes.Getitem)):
        name = _attribute(node)
        if name is not None and name != "email":
            used[name] = used.get(name, False) or id(node) not in printed
    return used


def whole_url_attributes(edition: Edition) -> set[str]:
    """The attributes that stand for a link's whole address."""
    numbers = {int(found[1]) for found in MARK.finditer(edition.html + edition.text) if found[2] == "w"}
    trees = (grammar().parse(edition.fields[number].source) for number in numbers)
    named = (_attribute(node) for tree in trees for node in tree.find_all((nodes.Getattr, nodes.Getitem)))
    return {name for name in named if name is not None and name != "email"}


def _only_printed(output: nodes.Output) -> Iterator[nodes.Expr]:
    for node in output.nodes:
        while isinstance(node, nodes.Filter) and node.node is not None:
            node = node.node  # noqa: PLW2901  down to what the filters are applied to
        if isinstance(node, nodes.Getattr | nodes.Getitem):
            yield node


def _attribute(node: nodes.Node) -> str | None:
    if not isinstance(node, nodes.Getattr | nodes.Getitem):
        return None
    if not (isinstance(node.node, nodes.Name) and node.node.name == "subscriber"):
        return None
    if isinstance(node, nodes.Getattr):
        return node.attr
    return node.arg.value if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str) else None


def _add_piece(text: str, pieces: list[str], source: list[str]) -> None:
    if text:
        source.append(f"\x02{len(pieces)}\x03")
        pieces.append(text)


def _stands_alone(text: str, start: int, end: int) -> bool:
    return (start == 0 or text[start - 1] == "\n") and text[end : end + 1] == "\n"


def _construct(field: Field, variant: str) -> str:
    if field.is_statement or variant == "x":
        return field.source
    expression = field.source.removeprefix("{{").removesuffix("}}").strip("+- ")
    return f"{{{{ ({expression}) | {'whole_url' if variant == 'w' else 'in_url'} }}}}"


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


def _split(rendered: str) -> Iterator[int | str]:
    position = 0
    for found in _PIECE.finditer(rendered):
        if found.start() > position:
            yield rendered[position : found.start()]
        yield int(found[1])
        position = found.end()
    if position < len(rendered):
        yield rendered[position:]


def _environment(context: Context) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        autoescape=context is Context.HTML, undefined=_Missing, finalize=_printable, keep_trailing_newline=True
    )
    own = {"split": _split_text}
    environment.filters = {
        name: own.get(name) or _passing_missing(environment.filters[name]) for name in ALLOWED_FILTERS - _DEFAULTS
    } | {name: environment.filters[name] for name in _DEFAULTS}
    environment.filters |= {
        "in_url": _in_url,
        "whole_url": _whole_url,
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


class _MissingError(Exception):
    """A field without a value was printed; its text is the field's name."""


class _BadValueError(Exception):
    """A value that cannot be written where it stands."""


class _Missing(Undefined):
    """A missing attribute: false, smaller and greater than nothing, and not printable."""

    __slots__ = ()

    def _fail_with_undefined_error(self, *_args: Any, **_kwargs: Any) -> Any:
        raise _MissingError(self._undefined_name or "of an empty list")

    def __str__(self) -> str:
        raise _MissingError(self._undefined_name or "of an empty list")

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


def _printable(value: object) -> object:
    if isinstance(value, Undefined):
        str(value)
    if not isinstance(value, str | int | float):
        raise _BadValueError("personal content prints something that is no text and no number")
    if isinstance(value, str) and (len(value) > _MOST_CHARACTERS or "\x02" in value or "\x03" in value):
        raise _BadValueError("a field's value is too long or holds control characters")
    return value


def _in_url(value: object) -> str:
    return quote(str(value), safe="")


def _whole_url(value: object) -> str:
    url = str(value).strip()
    try:
        parts = urlsplit(url)
        hostname = parts.hostname
    except ValueError:
        hostname = None
    if not hostname or parts.scheme.lower() not in {"http", "https"}:
        raise _BadValueError("a field that is a link is no http or https URL")
    return quote(url, safe=":/?#[]@!$&'()*+,;=%~-._")


def _joined(values: list[object]) -> str:
    return str(_printable("".join(str(value) for value in values)))


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
        raise _BadValueError(f"a for needs a reader's own list of at most {_MOST_ITEMS} items")
    return value
