"""Writes the document as plain text: 72 columns, quotes with `>`, links as `[n]` listed under their story."""

from collections.abc import Iterator
from dataclasses import replace

from dispatcher.content.drawing import notices
from dispatcher.content.drawing.addresses import Links, has_statement, is_conditional, links_in, plan, shown_url
from dispatcher.content.drawing.lines import prefixed, sentence, with_addresses, wrapped
from dispatcher.content.drawing.wrap import columns, wrap
from dispatcher.content.personal import MARK
from dispatcher.content.tree import (
    Block,
    Blocks,
    CodeBlock,
    ContinueReading,
    Divider,
    Events,
    Figure,
    Heading,
    Inlines,
    Items,
    Jobs,
    LinkCard,
    Paragraph,
    Poll,
    Quotation,
    RelatedLinks,
    Sponsor,
    Statement,
    Table,
    plain_text,
)
from dispatcher.content.wording import Wording, sponsored

WIDTH = 72


def body(blocks: Blocks, wording: Wording, title: Inlines = ()) -> str:
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
        written.append(_write(run, links, wording, WIDTH))
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


def _write(blocks: Blocks, links: Links, wording: Wording, width: int) -> str:
    """Blocks as text, each followed by a blank line; only a statement's line is not."""
    if not links.in_place and has_statement(blocks):
        links = replace(links, numbers={}, on_lines=frozenset(), in_place=True, printed=set())
    written = []
    for block in blocks:
        if isinstance(block, Statement):
            written.append(_mark_lines(block))
        elif text := _block(block, links, wording, width):
            written.append(f"{text}\n\n")
    return "".join(written)


def _block(  # noqa: C901, PLR0912  # one case for each kind of block
    block: Block, links: Links, wording: Wording, width: int
) -> str:
    match block:
        case Paragraph(children=children) | Heading(children=children):
            return wrapped(sentence(children, links), width)
        case Items(items=items, start=start):
            return _items(items, start, links, wording, width)
        case CodeBlock(text=text):
            return "\n".join(f"    {line}".rstrip() for line in text.rstrip("\n").split("\n"))
        case Divider():
            return "* * *"
        case Figure(alt=alt, caption=caption, credit=credit):
            picture = wording.strings["picture"].replace("{alt}", alt) if alt else ""
            under = [picture, sentence(caption, links), sentence(credit, links)]
            return "\n".join(wrapped(each, width) for each in under if each)
        case Quotation(children=children):
            return prefixed(_write(children, links, wording, width - 2), "> ", "> ")
        case ContinueReading(url=url, label=label):
            said = wording.strings["labelled"].replace("{label}", capital(plain_text(label)))
            return with_addresses(said, [shown_url(url)], links, width)
        case LinkCard(url=url, title=title, description=description):
            said = "\n".join(filter(None, [plain_text(title), sentence(description, links)]))
            return with_addresses(said, [shown_url(url)], links, width)
        case RelatedLinks(label=label, items=items):
            listed = "\n".join(filter(None, (_related(item, links, width) for item in items)))
            return "\n".join(filter(None, [wrapped(sentence(label, links), width), listed]))
        case Sponsor():
            return _sponsor(block, links, wording, width)
        case Jobs():
            return notices.jobs(block, links, wording, width)
        case Events():
            return notices.events(block, links, wording, width)
        case Poll():
            return notices.poll(block, links, width)
        case Table():
            return notices.table(block, links, wording, width)
        case Statement():
            return ""


def _items(items: tuple[Blocks, ...], start: int | None, links: Links, wording: Wording, width: int) -> str:
    written = []
    for index, item in enumerate(items):
        bullet = "- " if start is None else f"{start + index}. "
        written.append(prefixed(_write(item, links, wording, width - len(bullet)), bullet, " " * len(bullet)))
    tight = all(len(item) <= 1 or isinstance(item[1], Items) for item in items)
    return ("\n" if tight else "\n\n").join(written)


def _sponsor(sponsor: Sponsor, links: Links, wording: Wording, width: int) -> str:
    """Between two rules, so that nobody takes it for the editor's own words."""
    label = wrapped(f"--- {sponsored(sponsor.name, sponsor.label, wording.strings)} ---", width)
    figure = () if sponsor.figure is None else (sponsor.figure,)
    words = _write((*figure, *sponsor.body), links, wording, width).rstrip("\n")
    address = with_addresses("", [shown_url(sponsor.url)], links, width)
    return "\n\n".join(filter(None, [label, words, address, "---"]))


def _related(item: Inlines, links: Links, width: int) -> str:
    """A line of words and a line for each address; nothing for a lone link whose address is already above."""
    if is_conditional(item) or links.in_place:
        return prefixed(wrapped(sentence(item, replace(links, in_place=True)), width - 2), "- ", "  ")
    urls = list(dict.fromkeys(shown_url(link.url) for link in links_in(item)))
    if len(item) == 1 and urls and links.printed.issuperset(urls):
        return ""
    return prefixed(with_addresses(plain_text(item), urls, links, width - 2), "- ", "  ")
