"""Warns of pictures that readers wait for, and of those that move, which not every mail program shows."""

import io
from collections.abc import Iterator

from PIL import Image

from dispatcher.content.figures import figures
from dispatcher.content.tree import Document, Figure
from dispatcher.errors import Fault
from dispatcher.models import Picture

HEAVY = 1_000_000  # bytes of one picture
HEAVY_TOGETHER = 3_000_000  # of all that a reader downloads


def picture_warnings(document: Document, path: str) -> tuple[Fault, ...]:
    """What is worth a second thought about the pictures of a document; `path` is the issue's file, for printing."""
    warnings: list[Fault] = []
    weights: dict[str, int] = {}
    for figure in figures(document):
        for source, picture in _shown(figure):
            if picture.name not in weights:
                weights[picture.name] = len(picture.content)
                warnings += _of_one(figure, source, picture)
    if (total := sum(weights.values())) > HEAVY_TOGETHER:
        message = f"the pictures weigh {_megabytes(total)} together, and every reader downloads them"
        remedy = "save photographs as JPEG, or leave some out"
        warnings.append(Fault(path=path, message=message, remedy=remedy, check="NL015"))
    return tuple(warnings)


def _shown(figure: Figure) -> Iterator[tuple[str, Picture]]:
    if figure.picture:
        yield figure.source, figure.picture
    if figure.dark:
        yield figure.dark_source or figure.source, figure.dark


def _of_one(figure: Figure, source: str, picture: Picture) -> Iterator[Fault]:
    if len(picture.content) > HEAVY:
        message = f"image {source} weighs {_megabytes(len(picture.content))} as it is sent"
        remedy = "save it with fewer colours or as JPEG"
        yield Fault(path=figure.path, line=figure.line, message=message, remedy=remedy, check="NL015")
    if picture.media_type == "image/gif" and _moves(picture.content):
        message = f"image {source} moves, and Outlook for Windows shows its first frame only"
        remedy = "let the first frame say it all"
        yield Fault(path=figure.path, line=figure.line, message=message, remedy=remedy, check="NL015")


def _moves(content: bytes) -> bool:
    return bool(getattr(Image.open(io.BytesIO(content)), "is_animated", False))


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"
