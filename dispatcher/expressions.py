"""Reads `plan == "pro" and not "beta" in tags`: the small language that says which readers something is for.

    expression   not, and, or, parentheses around
    test         NAME                      has a value
                 NAME == VALUE             also !=, <, <=, >, >=; a number compares as a number
                 NAME in ("a", "b")        is one of these
                 "a" in NAME               a value of several, parted by commas or semicolons, has this one

A name is an attribute of a reader. One that is missing is false in every test.
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

LONGEST = 1000  # characters
DEEPEST = 20  # parentheses and negations


@dataclass(frozen=True, slots=True, kw_only=True)
class Has:
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    name: str
    operator: str  # == != < <= > >=
    value: str | float


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf:
    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contains:
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    inner: "Expression"


@dataclass(frozen=True, slots=True, kw_only=True)
class And:
    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Or:
    parts: tuple["Expression", ...]


Expression = Has | Compare | OneOf | Contains | Not | And | Or

COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class NotUnderstoodError(ValueError):
    """What is wrong with an expression, and in which column, counted from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message)
        self.column = column


def parse(text: str) -> Expression:
    """Raises NotUnderstoodError."""
    if len(text) > LONGEST:
        raise NotUnderstoodError(f"it is longer than {LONGEST} characters", LONGEST)
    return _Parser(text).whole()


def fits(expression: Expression, values: Mapping[str, str]) -> bool:
    """Whether a reader with these values is meant."""
    match expression:
        case Not(inner=inner):
            return not fits(inner, values)
        case And(parts=parts):
            return all(fits(part, values) for part in parts)
        case Or(parts=parts):
            return any(fits(part, values) for part in parts)
    value = values.get(expression.name, "")
    if not value.strip():
        return False
    match expression:
        case Has():
            return True
        case OneOf(values=some):
            return value in some
        case Contains(value=wanted):
            return wanted in split_value(value)
        case Compare(operator=sign, value=float() as wanted):
            number = as_number(value)
            return number is not None and COMPARISONS[sign](number, wanted)
        case Compare(operator=sign, value=wanted):
            return COMPARISONS[sign](value, wanted)


def names_in(expression: Expression) -> set[str]:
    """The attributes that an expression looks at."""
    match expression:
        case Not(inner=inner):
            return names_in(inner)
        case And(parts=parts) | Or(parts=parts):
            return set().union(*map(names_in, parts))
        case _:
            return {expression.name}


def split_value(value: str) -> list[str]:
    """The values in one cell of a list's file."""
    return [part.strip() for part in re.split("[;,]", value) if part.strip()]


def as_number(value: str) -> float | None:
    return float(value) if _NUMBER.fullmatch(value.strip()) else None


_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?")
_TOKEN = re.compile(
    r"""(?P<text>"[^"\n]*"|'[^'\n]*')|(?P<number>-?[0-9]{1,15}(?:\.[0-9]{1,15})?(?![\w.]))"""
    r"""|(?P<sign>==|!=|<=|>=|<|>|\(|\)|,)|(?P<word>[^\W\d][\w-]*)"""
)
_WORDS = {"and", "or", "not", "in"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    kind: str  # "text", "number", "sign", "word", "keyword", "end"
    text: str
    column: int


class _Parser:
    """Descends through one expression."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0

    def whole(self) -> Expression:
        expression = self._any()
        self._expect("end", "")
        return expression

    def _any(self) -> Expression:
        parts = [self._all()]
        while self._take("keyword", "or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Or(parts=tuple(parts))

    def _all(self) -> Expression:
        parts = [self._one()]
        while self._take("keyword", "and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else And(parts=tuple(parts))

    def _one(self) -> Expression:
        self._depth += 1
        if self._depth > DEEPEST:
            raise NotUnderstoodError("it is nested too deep", self._next.column)
        if self._take("keyword", "not"):
            expression: Expression = Not(inner=self._one())
        elif self._take("sign", "("):
            expression = self._any()
            self._expect("sign", ")")
        else:
            expression = self._test()
        self._depth -= 1
        return expression

    def _test(self) -> Expression:
        token = self._next
        self._at += 1
        if token.kind == "text":
            self._expect("keyword", "in")
            return Contains(name=self._name(), value=token.text)
        if token.kind != "word":
            raise NotUnderstoodError(f"{_spoken(token)} stands where an attribute's name should", token.column)
        if self._next.kind == "sign" and self._next.text in COMPARISONS:
            sign = self._next.text
            self._at += 1
            return Compare(name=token.text, operator=sign, value=self._value())
        if self._take("keyword", "in"):
            return OneOf(name=token.text, values=tuple(self._choices()))
        return Has(name=token.text)

    def _choices(self) -> Iterator[str]:
        self._expect("sign", "(")
        yield str(self._text())
        while self._take("sign", ","):
            yield str(self._text())
        self._expect("sign", ")")

    def _name(self) -> str:
        token = self._next
        self._at += 1
        if token.kind != "word":
            raise NotUnderstoodError(f"{_spoken(token)} stands where an attribute's name should", token.column)
        return token.text

    def _text(self) -> str:
        token = self._next
        self._at += 1
        if token.kind != "text":
            raise NotUnderstoodError(f'{_spoken(token)} stands where a text in quotes should, like "pro"', token.column)
        return token.text

    def _value(self) -> str | float:
        if self._next.kind == "number":
            self._at += 1
            return float(self._tokens[self._at - 1].text)
        return self._text()

    @property
    def _next(self) -> _Token:
        return self._tokens[min(self._at, len(self._tokens) - 1)]

    def _take(self, kind: str, text: str) -> bool:
        is_next = self._next.kind == kind and self._next.text == text
        self._at += is_next
        return is_next

    def _expect(self, kind: str, text: str) -> None:
        if not self._take(kind, text):
            wanted = f"{text!r}" if text else "its end"
            raise NotUnderstoodError(f"{_spoken(self._next)} stands where {wanted} should", self._next.column)


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        found = _TOKEN.match(text, at)
        if not found:
            advice = "; compare with ==" if text[at] == "=" else ""
            raise NotUnderstoodError(f"{text[at]!r} means nothing here{advice}", at + 1)
        kind, words = found.lastgroup or "", found[0]
        if kind == "word" and words in _WORDS:
            kind = "keyword"
        yield _Token(kind=kind, text=words[1:-1] if kind == "text" else words, column=at + 1)
        at = found.end()
    yield _Token(kind="end", text="", column=len(text) + 1)


def _spoken(token: _Token) -> str:
    return "the end" if token.kind == "end" else f'"{token.text}"' if token.kind == "text" else token.text
