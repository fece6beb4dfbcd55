"""Turns `only: 'plan == "pro"'` into a condition that runs once per reader, as `{% if … %}` does."""

import json

from dispatcher.expressions import And, Compare, Contains, Expression, Has, Not, OneOf, Or


def as_condition(expression: Expression) -> str:
    """The expression in Jinja's words over `subscriber`, with the same answer for every reader."""
    match expression:
        case Not(inner=inner):
            return f"(not {as_condition(inner)})"
        case And(parts=parts):
            return f"({' and '.join(map(as_condition, parts))})"
        case Or(parts=parts):
            return f"({' or '.join(map(as_condition, parts))})"
    value = f"subscriber[{json.dumps(expression.name)}]"
    match expression:
        case Has():
            return value
        case OneOf(values=values):
            return f"({value} in {json.dumps(values)})"
        case Contains(value=wanted):
            return f"({json.dumps(wanted)} in ({value} | values))"
        case Compare(operator=sign, value=wanted):
            compared = value if isinstance(wanted, str) else f"({value} | number)"
            return f"({compared} is defined and {compared} {sign} {json.dumps(wanted)})"
