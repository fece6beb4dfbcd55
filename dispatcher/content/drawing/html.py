"""Writes the document's text as well-formed HTML; a theme's macros draw the blocks around it."""

import re

from jinja2 import Environment, Template
from markupsafe import Markup, escape

from dispatcher.content.tree import (
    Block,
    Blocks,
    CodeSpan,
    Emphasis,
    Inline,
    Inlines,
    Items,
    LineBreak,
    Link,
    Note,
    Paragraph,
    Story,
    Strong,
    Struck,
    Text,
)


def html(children: Inlines) -> Markup:
    """A run of inlines as HTML; every tag closed, for MJML is read as XML."""
    return Markup().join(_inline(child) for child in children)


def _inline(inline: Inline) -> Markup:
    match inline:
        case Text(text=text):
            return escape(text)
        case CodeSpan(text=text):
            return Markup("<code>{}</code>").format(text)
        case Emphasis(children=children):
            return Markup("<em>{}</em>").format(html(children))
        case Strong(children=children):
            return Markup("<strong>{}</strong>").format(html(children))
        case Struck(children=children):
            return Markup("<s>{}</s>").format(html(children))
        case Link(url=url, children=children):
            return Markup('<a href="{}">{}</a>').format(url, html(children))
        case LineBreak():
            return Markup("<br />")


def isolated(text: str, direction: str) -> str:
    """A name or an address in whatever script; in a right-to-left page `1 High Street` would else end in its number."""
    return Markup('<span dir="auto">{}</span>').format(text) if direction == "rtl" and text else text


def blocks(environment: Environment, children: Blocks, story: Story | Note | None = None) -> Markup:
    """A run of blocks, each drawn by the macro in the theme's `blocks.mjml` that bears its type's name."""
    macros = environment.get_template("blocks.mjml")
    return Markup().join(_draw(macros, block, story) for block in children)


def item(environment: Environment, children: Blocks, story: Story | Note | None = None) -> Markup:
    """An item of a list; its first paragraph goes without `<p>` where nothing but lists follows."""
    match children:
        case (Paragraph(children=first), *rest) if all(isinstance(block, Items) for block in rest):
            return html(first) + blocks(environment, tuple(rest), story)
        case _:
            return blocks(environment, children, story)


def _draw(macros: Template, block: Block, story: Story | Note | None) -> Markup:
    macro = getattr(macros.module, macro_name(block))
    return Markup(macro(block, story))  # noqa: S704  # a macro of an autoescaping template escapes by itself


def macro_name(block: Block) -> str:
    """`LinkCard` is drawn by `link_card`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(block).__name__).lower()
