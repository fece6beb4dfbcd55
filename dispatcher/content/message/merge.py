"""Fills an edition with one reader's fields, in Jinja's sandbox, without touching its static text.

The static text between marks is a table of pieces. What Jinja renders per reader holds only the pieces' numbers and the
reader's values, so that a piece can be encoded once per edition and joined as bytes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jinja2 import Template, TemplateError

from dispatcher.content.message.evaluate import BadValueError, Context, MissingFieldError, compile_fields
from dispatcher.content.message.plain import Value, plain_order
from dispatcher.content.personal import MARK
from dispatcher.models import Field

_PIECE = re.compile("\x02(\\d+)\x03")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A text with marks, made ready: its static pieces, and the template that orders them for a reader."""

    pieces: tuple[str, ...]
    template: Template
    is_everybodys: bool  # it has no marks
    plain: tuple[int | Value, ...] | None  # what it comes to without Jinja, where it needs none


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfilled:
    """What kept a reader's fields from filling a part; `field` is the one that is missing, if that is it."""

    reason: str
    field: str | None = None


def prepare(marked: str, fields: Sequence[Field], context: Context) -> Part:
    """Compiles a text with marks; the costly step, once per edition."""
    pieces: list[str] = []
    order: list[int | tuple[Field, str]] = []  # piece numbers, and fields with how they are written
    position = 0
    for found in MARK.finditer(marked):
        _add_piece(marked[position : found.start()], pieces, order)
        position = found.end()
        field = fields[int(found[1])]
        if field.is_statement and context is Context.TEXT and _stands_alone(marked, found.start(), position):
            position += 1  # a statement's own line leaves no empty line behind
        order.append((field, found[2]))
    _add_piece(marked[position:], pieces, order)
    source = "".join(f"\x02{each}\x03" if isinstance(each, int) else _construct(*each) for each in order)
    return Part(
        pieces=tuple(pieces),
        template=compile_fields(source, context),
        is_everybodys=position == 0,
        plain=plain_order(order, context),
    )


def fill(part: Part, values: Mapping[str, object]) -> list[int | str] | Unfilled:
    """The reader's sequence of piece numbers and values, or what is missing."""
    if part.is_everybodys:
        return list(range(len(part.pieces)))
    try:
        if part.plain is not None and values["unsubscribe_url"]:
            filled = (each if isinstance(each, int) else each(values) for each in part.plain)
            return [each for each in filled if each != ""]
        rendered = part.template.render(values)
    except MissingFieldError as error:
        return Unfilled(reason=f"field {error} missing", field=str(error))
    except BadValueError as error:
        return Unfilled(reason=str(error))
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, TemplateError, MemoryError) as error:
        # Values from a list are text: "3" > 2 has no answer, and `| int` gives it one.
        return Unfilled(reason=f"personal content cannot be worked out: {error}; values are text, see `| int`")
    return _split(rendered)


def fill_text(part: Part, values: Mapping[str, object]) -> str | Unfilled:
    """The part as one text for this reader."""
    filled = fill(part, values)
    if isinstance(filled, Unfilled):
        return filled
    return "".join(part.pieces[each] if isinstance(each, int) else each for each in filled)


def _add_piece(text: str, pieces: list[str], order: list[int | tuple[Field, str]]) -> None:
    if text:
        order.append(len(pieces))
        pieces.append(text)


def _stands_alone(text: str, start: int, end: int) -> bool:
    return (start == 0 or text[start - 1] == "\n") and text[end : end + 1] == "\n"


def _construct(field: Field, variant: str) -> str:
    if field.is_statement or variant == "x":
        return field.source
    expression = field.source.removeprefix("{{").removesuffix("}}").strip("+- ")
    return f"{{{{ ({expression}) | {'whole_url' if variant == 'w' else 'in_url'} }}}}"


def _split(rendered: str) -> list[int | str]:
    texts_and_numbers = _PIECE.split(rendered)
    return [int(each) if at % 2 else each for at, each in enumerate(texts_and_numbers) if each]
