"""Finds the figures of a document, in the order of the page."""

from collections.abc import Iterator

from dispatcher.content.tree import Block, Blocks, Document, Figure, Items, Quotation, Sponsor


def figures(document: Document) -> Iterator[Figure]:
    yield from _figures_in(document.intro)
    for section in document.sections:
        for story in section.stories:
            yield from _figures_in(story.body)
    for note in document.notes:
        yield from _figures_in(note.body)
    yield from _figures_in(document.colophon)


def _figures_in(blocks: Blocks) -> Iterator[Figure]:
    for block in blocks:
        yield from _figures_of(block)


def _figures_of(block: Block) -> Iterator[Figure]:
    match block:
        case Figure():
            yield block
        case Sponsor(figure=Figure() as figure, body=body):
            yield from _figures_in((figure, *body))
        case Sponsor(body=body):
            yield from _figures_in(body)
        case Quotation(children=children):
            yield from _figures_in(children)
        case Items(items=items):
            for item in items:
                yield from _figures_in(item)
        case _:
            pass
