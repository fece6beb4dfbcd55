"""Makes the ids that headings bear, so that a contents list can lead to them."""

import re
import unicodedata

from dispatcher.content.personal import without_marks
from dispatcher.content.tree import Inlines, plain_text

LONGEST_ANCHOR = 60


def new_anchor(title: Inlines, fallback: str, taken: set[str]) -> str:
    """An id in ASCII, made of the title where that is ASCII but for accents, and new in the document."""
    letters = unicodedata.normalize("NFKD", without_marks(plain_text(title))).casefold()
    plain = "".join(character for character in letters if not unicodedata.combining(character))
    slug = re.sub(r"[^a-z0-9]+", "-", plain)[:LONGEST_ANCHOR].strip("-")
    if not slug or any(character.isalpha() and not character.isascii() for character in plain):
        slug = fallback
    anchor, number = slug, 1
    while anchor in taken:
        number += 1
        anchor = f"{slug}-{number}"
    taken.add(anchor)
    return anchor
