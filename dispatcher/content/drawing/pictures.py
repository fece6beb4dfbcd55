"""Loads the pictures an issue shows, each named after its content, and puts them into the document."""

import hashlib
import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from dispatcher.content.tree import Block, Blocks, Document, Figure, Items, Quotation, Sponsor
from dispatcher.errors import Fault
from dispatcher.models import Picture

MAX_BYTES = 10_000_000
MAX_PIXELS = 50_000_000  # more is a decompression bomb, whatever the file's size
WIDEST = 1280  # pixels: twice the 640 of a theme's column, for sharp screens


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    format: str
    ending: str
    media_type: str
    options: Mapping[str, Any]  # how it is written when it had to be scaled


_JPEG = _Kind(format="JPEG", ending=".jpg", media_type="image/jpeg", options={"quality": 88, "progressive": True})
_KINDS = {
    "PNG": _Kind(format="PNG", ending=".png", media_type="image/png", options={"optimize": True}),
    "GIF": _Kind(format="GIF", ending=".gif", media_type="image/gif", options={}),
    "JPEG": _JPEG,
    "MPO": _JPEG,  # a phone's JPEG with a second picture inside
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """Why a picture cannot be sent, and what to do about it."""

    message: str
    remedy: str


def place_pictures(document: Document, folder: Path) -> tuple[Document, tuple[Fault, ...]]:
    """The document with every figure's picture loaded from `folder`, and a fault for each that cannot be."""
    faults: list[Fault] = []

    def placed(blocks: Blocks) -> Blocks:
        return tuple(place(block) for block in blocks)

    def hung(figure: Figure) -> Figure:
        dark = loaded(figure, figure.dark_source) if figure.dark_source else None
        return replace(figure, picture=loaded(figure, figure.source), dark=dark)

    def loaded(figure: Figure, source: str) -> Picture | None:
        picture = read_picture(folder, source)
        if isinstance(picture, Picture):
            return picture
        message, remedy = picture.message, picture.remedy
        faults.append(Fault(path=figure.path, line=figure.line, message=message, remedy=remedy, check="NL004"))
        return None

    def place(block: Block) -> Block:
        match block:
            case Figure():
                return hung(block)
            case Sponsor(figure=figure):
                return replace(block, figure=hung(figure) if figure else None, body=placed(block.body))
            case Quotation():
                return replace(block, children=placed(block.children))
            case Items():
                return replace(block, items=tuple(placed(item) for item in block.items))
            case _:
                return block

    filled = replace(
        document,
        intro=placed(document.intro),
        sections=tuple(
            replace(section, stories=tuple(replace(story, body=placed(story.body)) for story in section.stories))
            for section in document.sections
        ),
        notes=tuple(replace(note, body=placed(note.body)) for note in document.notes),
        colophon=placed(document.colophon),
    )
    return filled, tuple(faults)


def load_picture(folder: Path, source: str) -> Picture | None:
    """The picture `source` names under `folder`, None when it cannot be used."""
    picture = read_picture(folder, source)
    return picture if isinstance(picture, Picture) else None


def read_picture(folder: Path, source: str) -> Picture | Unusable:
    """The picture as readers get it: at most 1280 pixels wide, or why there is none."""
    if "://" in source:
        return Unusable(message=f"image {source} is on another server", remedy="save it beside the issue")
    try:
        path = (folder / source).resolve()
        if not path.is_relative_to(folder.resolve()):
            return Unusable(
                message=f"image {source} lies outside the issue's folder", remedy="copy it beside the issue"
            )
        if not path.is_file():
            return Unusable(message=f"image {source} is missing", remedy="put it beside the issue or remove it")
        if path.stat().st_size > MAX_BYTES:
            return Unusable(message=f"image {source} is larger than 10 MB", remedy="scale it down to 1280 pixels wide")
        content = path.read_bytes()
    except (OSError, RuntimeError, ValueError) as error:  # no permission, links in a circle, a name too long
        return Unusable(message=f"image {source} cannot be read: {error}", remedy="check its name and permissions")
    return _opened(content, source)


@lru_cache(maxsize=32)  # a preview shows the same ones after every save
def _opened(content: bytes, source: str) -> Picture | Unusable:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is stricter
            image = Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "GIF"))
        if image.width * image.height > MAX_PIXELS:
            return Unusable(
                message=f"image {source} unpacks to {image.width} × {image.height} pixels",
                remedy="scale it down to 1280 pixels wide",
            )
        image.load()
        kind = _KINDS[image.format or ""]
        return _picture(*_fitted(image, kind, content), kind)
    except UnidentifiedImageError:
        return Unusable(
            message=f"image {source} is no PNG, JPEG or GIF, and many mail programs show nothing else",
            remedy="convert it to PNG or JPEG",
        )
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # Pillow's words for a damaged file
        return Unusable(message=f"image {source} is damaged", remedy="export it again")


def _fitted(image: Image.Image, kind: _Kind, content: bytes) -> tuple[bytes, int, int]:
    """The bytes as they are where they fit; else upright and scaled. An animation stays as it is."""
    turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    moves = kind.format == "GIF" and getattr(image, "is_animated", False)
    if moves or (image.width <= WIDEST and not turned):
        return content, image.width, image.height
    upright = ImageOps.exif_transpose(image)
    if upright.mode not in {"RGB", "RGBA", "L", "LA", "CMYK"}:  # a palette has no colours in between to scale with
        upright = upright.convert("RGBA")
    upright.thumbnail((WIDEST, upright.height), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    upright.save(written, kind.format, **kind.options)
    return written.getvalue(), upright.width, upright.height


def _picture(content: bytes, width: int, height: int, kind: _Kind) -> Picture:
    return Picture(
        name=hashlib.sha256(content).hexdigest()[:20] + kind.ending,
        media_type=kind.media_type,
        content=content,
        width=width,
        height=height,
    )
