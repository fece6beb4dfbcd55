"""Decides where a story's addresses stand in the text part, so that each is printed once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from dispatcher.content.personal import MARK
from dispatcher.content.tree import (
    Block,
    Blocks,
    ContinueReading,
    Emphasis,
    Events,
    Figure,
    Heading,
    Inlines,
    Items,
    Jobs,
    Link,
    LinkCard,
    Paragraph,
    Poll,
    Quotation,
    RelatedLinks,
    Sponsor,
    Statement,
    Strong,
    Struck,
    Table,
    plain_text,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where the addresses of a run of blocks are printed; each is printed once."""

    numbers: Mapping[str, int]  # under the run, as [n]
    on_lines: frozenset[str]  # on a line of their own: buttons, related links, cards
    in_place: bool = False  # straight after their words, because a statement decides whether they show
    printed: set[str] = field(default_factory=set)  # those of `on_lines` that have had their line


def plan(blocks: Blocks, first: int, known: frozenset[str]) -> Links:
    """Buttons, cards and related links keep their address; of the others, each new one is numbered from `first`."""
    on_lines = known | frozenset(map(shown_url, _urls_on_lines(blocks)))
    links = list(_links_in_sentences(blocks))
    elsewhere = on_lines | {shown_url(link.url) for link in links if spells(link)}
    numbered: dict[str, int] = {}
    for url in (shown_url(link.url) for link in links):
        if url not in elsewhere:
            numbered.setdefault(url, first + len(numbered))
    return Links(numbers=numbered, on_lines=on_lines, printed=set(known))


def _urls_on_lines(blocks: Blocks) -> Iterator[str]:
    for block in blocks:
        match block:
            case ContinueReading(url=url) | LinkCard(url=url):
                yield url
            case RelatedLinks(items=items):
                yield from (link.url for item in items if not is_conditional(item) for link in links_in(item))
            case Jobs(items=rows) | Events(items=rows) | Poll(answers=rows):
                yield from (row.url for row in rows)
            case Sponsor(url=url, body=children):
                yield url
                yield from () if has_statement(children) else _urls_on_lines(children)
            case Quotation(children=children) if not has_statement(children):
                yield from _urls_on_lines(children)
            case Items(items=runs):
                for run in runs:
                    yield from () if has_statement(run) else _urls_on_lines(run)
            case _:
                pass


def _links_in_sentences(blocks: Blocks) -> Iterator[Link]:
    for block in blocks:
        match block:
            case Sponsor(figure=figure, body=children):
                yield from () if figure is None else _links_in_sentences((figure,))
                yield from () if has_statement(children) else _links_in_sentences(children)
            case Quotation(children=children) if not has_statement(children):
                yield from _links_in_sentences(children)
            case Items(items=runs):
                for run in runs:
                    yield from () if has_statement(run) else _links_in_sentences(run)
            case _:
                for sentence in _sentences(block):
                    yield from () if is_conditional(sentence) else links_in(sentence)


def _sentences(block: Block) -> tuple[Inlines, ...]:
    """The runs of words in which the text part shows links as `[n]`."""
    match block:
        case Paragraph(children=sentence) | Heading(children=sentence) | RelatedLinks(label=sentence):
            return (sentence,)
        case LinkCard(description=sentence) | Poll(question=sentence):
            return (sentence,)
        case Figure(caption=caption, credit=credit):
            return (caption, credit)
        case Table(header=header, rows=rows):
            return (*header, *(cell for row in rows for cell in row))
        case _:
            return ()


def links_in(children: Inlines) -> Iterator[Link]:
    for child in children:
        if isinstance(child, Link):
            yield child
        elif isinstance(child, Emphasis | Strong | Struck):
            yield from links_in(child.children)


def has_statement(blocks: Blocks) -> bool:
    return any(isinstance(block, Statement) for block in blocks)


def is_conditional(children: Inlines) -> bool:
    return any(mark[2] == "s" for mark in MARK.finditer(plain_text(children)))


def spells(link: Link) -> bool:
    """Whether a link's words are its address."""
    return bare(plain_text(link.children)) == bare(link.url)


def bare(url: str) -> str:
    for scheme in ("https://", "http://", "mailto:"):
        url = url.removeprefix(scheme)
    return url.rstrip("/")


def shown_url(url: str) -> str:
    """An address in ASCII, as text shows it; mail addresses without their scheme, unless they say more than whereto."""
    return quote(url if "?" in url else url.removeprefix("mailto:"), safe="".join(map(chr, range(0x21, 0x7F))))
