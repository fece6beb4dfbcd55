"""Writes the document as plain text: 72 columns, quotes with `>`, links as `[n]` listed under their story."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from dispatcher.content.addresses import Links, bare, has_statement, is_conditional, links_in, plan, shown_url, spells
from dispatcher.content.personal import MARK
from dispatcher.content.tree import (
    Block,
    Blocks,
    CodeBlock,
    CodeSpan,
    ContinueReading,
    Divider,
    Emphasis,
    Figure,
    Heading,
    Inline,
    Inlines,
    Items,
    LineBreak,
    Link,
    LinkCard,
    Paragraph,
    Quotation,
    RelatedLinks,
    Statement,
    Strong,
    Struck,
    Text,
    plain_text,
)
from dispatcher.content.wrap import columns, wrap

WIDTH = 72

_BRACKETS = re.compile(r"\[([^\[\]\n]+) \[(\d+)\]\]")


def body(blocks: Blocks, strings: Mapping[str, str], title: Inlines = ()) -> str:
    """A story's blocks as text that ends with a blank line; addresses in its title come first.

    Addresses are listed before a statement's mark, so that each goes with the condition it stands under.
    """
    written: list[str] = []
    if addresses := list(dict.fromkeys(shown_url(link.url) for link in links_in(title))):
        written.append("\n".join(addresses) + "\n\n")
    first = 1
    for run in _runs(blocks):
        if isinstance(run, Statement):
            written.append(_mark_lines(run))
            continue
        links = plan(run, first, frozenset(addresses))
        first += len(links.numbers)
        written.append(_write(run, links, strings, WIDTH))
        if links.numbers:
            written.append("".join(f"[{n}] {url}\n" for url, n in links.numbers.items()) + "\n")
    return "".join(written)


def underline(heading: str, stroke: str = "-") -> str:
    """A heading over a rule as wide as its widest line."""
    lines = wrap(heading)
    return "\n".join([*lines, stroke * max((columns(line) for line in lines), default=0)])


def capital(label: str) -> str:
    """The label with a capital letter at its front, unless a reader's field stands there."""
    return label if MARK.match(label) else label[:1].upper() + label[1:]


def _runs(blocks: Blocks) -> Iterator[Blocks | Statement]:
    """The blocks between statements, and the statements."""
    run: list[Block] = []
    for block in blocks:
        if isinstance(block, Statement):
            if run:
                yield tuple(run)
            run = []
            yield block
        else:
            run.append(block)
    if run:
        yield tuple(run)


def _mark_lines(statement: Statement) -> str:
    """Each mark alone on its line: when it is taken out, its line end goes with it."""
    return "".join(f"{mark[0]}\n" for mark in MARK.finditer(statement.marks))


def _write(blocks: Blocks, links: Links, strings: Mapping[str, str], width: int) -> str:
    """Blocks as text, each followed by a blank line; only a statement's line is not."""
    if not links.in_place and has_statement(blocks):
        links = replace(links, numbers={}, on_lines=frozenset(), in_place=True, printed=set())
    written = []
    for block in blocks:
        if isinstance(block, Statement):
            written.append(_mark_lines(block))
        elif text := _block(block, links, strings, width):
            written.append(f"{text}\n\n")
    return "".join(written)


def _block(  # noqa: C901  # one case for each kind of block
    block: Block, links: Links, strings: Mapping[str, str], width: int
) -> str:
    match block:
        case Paragraph(children=children) | Heading(children=children):
            return _wrapped(_sentence(children, links), width)
        case Items(items=items, start=start):
            return _items(items, start, links, strings, width)
        case CodeBlock(text=text):
            return "\n".join(f"    {line}".rstrip() for line in text.rstrip("\n").split("\n"))
        case Divider():
            return "* * *"
        case Figure(alt=alt, caption=caption):
            picture = _wrapped(strings["picture"].replace("{alt}", alt), width) if alt else ""
            return "\n".join(filter(None, [picture, _wrapped(_sentence(caption, links), width)]))
        case Quotation(children=children):
            return _prefixed(_write(children, links, strings, width - 2), "> ", "> ")
        case ContinueReading(url=url, label=label):
            return _with_addresses(
                strings["labelled"].replace("{label}", capital(plain_text(label))), [shown_url(url)], links, width
            )
        case LinkCard(url=url, title=title, description=description):
            said = "\n".join(filter(None, [plain_text(title), _sentence(description, links)]))
            return _with_addresses(said, [shown_url(url)], links, width)
        case RelatedLinks(label=label, items=items):
            listed = "\n".join(filter(None, (_related(item, links, width) for item in items)))
            return "\n".join(filter(None, [_wrapped(_sentence(label, links), width), listed]))
        case Statement():
            return ""


def _items(items: tuple[Blocks, ...], start: int | None, links: Links, strings: Mapping[str, str], width: int) -> str:
    written = []
    for index, item in enumerate(items):
        bullet = "- " if start is None else f"{start + index}. "
        written.append(_prefixed(_write(item, links, strings, width - len(bullet)), bullet, " " * len(bullet)))
    tight = all(len(item) <= 1 or isinstance(item[1], Items) for item in items)
    return ("\n" if tight else "\n\n").join(written)


def _related(item: Inlines, links: Links, width: int) -> str:
    """A line of words and a line for each address; nothing for a lone link whose address is already above."""
    if is_conditional(item) or links.in_place:
        return _prefixed(_wrapped(_sentence(item, replace(links, in_place=True)), width - 2), "- ", "  ")
    urls = list(dict.fromkeys(shown_url(link.url) for link in links_in(item)))
    if len(item) == 1 and urls and links.printed.issuperset(urls):
        return ""
    return _prefixed(_with_addresses(plain_text(item), urls, links, width - 2), "- ", "  ")


def _with_addresses(said: str, urls: list[str], links: Links, width: int) -> str:
    fresh = [url for url in urls if url not in links.printed]
    links.printed.update(fresh)
    spelled = len(urls) == 1 and bare(said) == bare(urls[0])
    return "\n".join(filter(None, ["" if spelled and fresh else _wrapped(said, width), *fresh]))


def _wrapped(text: str, width: int) -> str:
    return "\n".join(wrap(text, width=width))


def _prefixed(text: str, first: str, following: str) -> str:
    """Lines behind `> ` or a bullet; a line that is a statement's mark has neither, for it will vanish."""
    written = []
    prefix = first
    for line in text.rstrip("\n").split("\n"):
        if (mark := MARK.fullmatch(line)) and mark[2] == "s":
            written.append(line)
        else:
            written.append((prefix + line).rstrip())
            prefix = following
    return "\n".join(written)


def _sentence(children: Inlines, links: Links) -> str:
    if not links.in_place and is_conditional(children):
        links = replace(links, in_place=True)
    # Credits read `[[source](url)]`; one pair of brackets is enough.
    return _BRACKETS.sub(r"\1 [\2]", "".join(_in_sentence(child, links) for child in children))


def _in_sentence(inline: Inline, links: Links) -> str:
    match inline:
        case Link():
            return _linked(inline, links)
        case Emphasis(children=children) | Strong(children=children):
            return "".join(_in_sentence(child, links) for child in children)
        case Struck(children=children):
            return f"~~{''.join(_in_sentence(child, links) for child in children)}~~"
        case Text(text=text):
            return text
        case CodeSpan(text=text):
            return f"`{text}`"
        case LineBreak():
            return "\n"


def _linked(link: Link, links: Links) -> str:
    label, url = plain_text(link.children), shown_url(link.url)
    if spells(link):
        return label if url in links.on_lines or link.url.startswith("mailto:") else f"<{url}>"
    if links.in_place:
        return f"{label} <{url}>"
    return f"{label} [{links.numbers[url]}]" if url in links.numbers else label
