"""Recognises in a story's blocks the link to go on reading, and the labelled list of related links."""

import re
from collections.abc import Iterator

from dispatcher.content.tree import (
    Block,
    Blocks,
    ContinueReading,
    Emphasis,
    Inline,
    Inlines,
    Items,
    Link,
    Paragraph,
    Quotation,
    RelatedLinks,
    Strong,
    Text,
    plain_text,
)

LONGEST_LABEL = 80  # characters; a longer paragraph before a list of links is text

_LEADING_DOTS = re.compile(r"\s*(…+|\.{3,})\s*")


def story_body(blocks: Blocks) -> Blocks:
    """The blocks of a story, with its links to go on reading and its related links recognised."""
    body = [part for block in blocks for part in _with_button(block)]
    for index in range(len(body) - 1, 0, -1):
        if related := _related_links(body[index - 1], body[index]):
            body[index - 1 : index + 1] = [related]
    return tuple(body)


def _with_button(block: Block) -> Iterator[Block]:
    """A quotation's last paragraph, or a paragraph by itself, that is only a link beginning with dots is a button."""
    match block:
        case Quotation(children=(*quoted, Paragraph(children=children))) if button := _button(children):
            if quoted:
                yield Quotation(children=tuple(quoted))
            yield button
        case Paragraph(children=children) if button := _button(children):
            yield button
        case _:
            yield block


def _button(children: Inlines) -> ContinueReading | None:
    match children:
        case (Emphasis(children=inner) | Strong(children=inner),):
            return _button(inner)
        case (Link(url=url, children=(Text(text=text), *rest)),):
            if dots := _LEADING_DOTS.match(text):
                label = (Text(text=text[dots.end() :]), *rest) if text[dots.end() :] else tuple(rest)
                return ContinueReading(url=url, label=label) if label else None
    return None


def _related_links(before: Block, block: Block) -> RelatedLinks | None:
    """A short paragraph and the list after it, if every item holds a link."""
    match before, block:
        case Paragraph(children=label), Items(start=None, items=items):
            lines = [item[0].children for item in items if len(item) == 1 and isinstance(item[0], Paragraph)]
            is_all_links = len(lines) == len(items) and all(any(map(_holds_link, line)) for line in lines)
            if is_all_links and len(plain_text(label)) <= LONGEST_LABEL:
                return RelatedLinks(label=label, items=tuple(lines))
    return None


def _holds_link(inline: Inline) -> bool:
    match inline:
        case Link():
            return True
        case Emphasis(children=children) | Strong(children=children):
            return any(map(_holds_link, children))
        case _:
            return False
