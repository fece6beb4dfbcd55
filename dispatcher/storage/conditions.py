"""Says a parsed expression in SQL: values stay parameters, and a missing attribute is false in every test."""

import re
from typing import cast

from sqlalchemy import Float, and_, case, false, func, not_, or_, true
from sqlalchemy import cast as as_type
from sqlalchemy.sql import ColumnElement

from dispatcher.expressions import COMPARISONS, And, Compare, Contains, Expression, Has, Not, OneOf, Or
from dispatcher.storage.dialects import ByCodePoint
from dispatcher.storage.schema import subscriber

_NUMBER = r"^[ \t]*[+-]?[0-9]{1,15}(\.[0-9]{1,15})?[ \t]*$"


def meant(where: Expression | None) -> tuple[ColumnElement[bool], ...]:
    """Conditions on subscribers: none for everybody. The same people as `expressions.fits` names one by one."""
    return () if where is None else (_condition(where),)


def value_of(attribute: str) -> ColumnElement[str]:
    """A subscriber's name, language, email or attribute."""
    if attribute in {"name", "language", "email"}:
        column: ColumnElement[str] = subscriber.c[attribute]
        return column
    return ByCodePoint(subscriber.c.attributes[attribute].as_string())


def _condition(expression: Expression) -> ColumnElement[bool]:
    match expression:
        case Not(inner=inner):
            return not_(_condition(inner))
        case And(parts=parts):
            return and_(*map(_condition, parts))
        case Or(parts=parts):
            return or_(*map(_condition, parts))
    value = value_of(expression.name)
    is_there = and_(value.is_not(None), func.trim(value) != "")
    return func.coalesce(and_(is_there, _test(expression, value)), false())


def _test(expression: Has | OneOf | Contains | Compare, value: ColumnElement[str]) -> ColumnElement[bool]:
    match expression:
        case Has():
            return true()
        case OneOf(values=some):
            return value.in_(some)
        case Contains(value=wanted):
            return _holds(value, wanted)
        case Compare(operator=sign, value=str() as wanted):
            return cast("ColumnElement[bool]", COMPARISONS[sign](value, wanted))
        case Compare(operator=sign, value=wanted):
            # Only what is a number is cast; PostgreSQL refuses to cast anything else.
            number = case((value.regexp_match(_NUMBER), as_type(func.trim(value), Float)), else_=None)
            return cast("ColumnElement[bool]", COMPARISONS[sign](number, wanted))


def _holds(value: ColumnElement[str], wanted: str) -> ColumnElement[bool]:
    """Whether one of several values in a cell, parted by commas or semicolons, is this one."""
    if not wanted or wanted != wanted.strip() or re.search("[;,]", wanted):
        return false()
    return value.regexp_match(rf"(^|[;,])\s*{re.escape(wanted)}\s*($|[;,])")
