"""Checks that pictures are described, credited, and not instead of words."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from dispatcher.content.checking.proof import Proof, shortened
from dispatcher.content.figures import figures
from dispatcher.content.tree import Figure, Sponsor, plain_text
from dispatcher.errors import Fault

WORDS_PER_PICTURE = 20  # of text; filters distrust a mail that is mostly pictures

_CREDIT = re.compile(
    r"©|\(c\)|\b(?:photo(?:graph)?|picture|image|illustration|drawing|figure|graphic|screenshot|logo|bild|foto|grafik"
    r"|credit|courtesy|source|by|von|par|por)\b|图|圖|摄|攝|来源|來源|写真|画像|사진",
    re.IGNORECASE,
)


def undescribed(proof: Proof) -> Iterator[Fault]:
    for figure in figures(proof.document):
        said = figure.alt.strip()
        if not said:
            message = f"picture {figure.source} has no description for those who do not see it"
            yield _fault(figure, message, "write what it shows between the brackets: ![what it shows](…)")
        elif said.casefold() in {figure.source.casefold(), PurePosixPath(figure.source).name.casefold()}:
            message = f"the description of picture {figure.source} is its file's name"
            yield _fault(figure, message, "write what it shows")


def uncredited(proof: Proof) -> Iterator[Fault]:
    for figure in _own_figures(proof):
        if not (_is_credited(figure) or figure.licence):
            message = f"picture {figure.source} does not say whose it is"
            yield _fault(figure, message, "name its author and licence in the caption, or credit=…; licence=…")


def unlicensed(proof: Proof) -> Iterator[Fault]:
    for figure in _own_figures(proof):
        if _is_credited(figure) and not figure.licence:
            message = f"picture {figure.source} is credited, but not under which licence it may be shown"
            yield _fault(figure, message, "add licence=CC BY 4.0, licence=own or licence=by permission")


def more_pictures_than_words(proof: Proof) -> Iterator[Fault]:
    shown = list(figures(proof.document))
    words = len(re.findall(r"[\u3040-\u9fff\uac00-\ud7af]|[^\W_]+", proof.page.body.text_content()))
    if shown and words < WORDS_PER_PICTURE * len(shown):
        message = f"there are {words} words to {len(shown)} pictures, and filters take that for advertising"
        yield proof.fault(message, "say more in words", line=shown[0].line)


def _own_figures(proof: Proof) -> Iterator[Figure]:
    """Those that are not a sponsor's, who answers for his own."""
    sponsors = {id(sponsor.figure) for sponsor in _sponsors(proof)}
    yield from (figure for figure in figures(proof.document) if id(figure) not in sponsors)


def _sponsors(proof: Proof) -> Iterator[Sponsor]:
    document = proof.document
    stories = (story.body for section in document.sections for story in section.stories)
    for blocks in (document.intro, *stories, *(note.body for note in document.notes), document.colophon):
        yield from (block for block in blocks if isinstance(block, Sponsor))


def _is_credited(figure: Figure) -> bool:
    return bool(figure.credit or figure.source_url or _CREDIT.search(plain_text(figure.caption)))


def _fault(figure: Figure, message: str, remedy: str) -> Fault:
    return Fault(path=figure.path, line=figure.line, message=shortened(message, 160), remedy=remedy)
