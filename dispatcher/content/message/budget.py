"""Weighs the HTML of an edition against what Gmail shows: past about 102 KB it cuts a message off."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dispatcher.content.message.encode import encode_pieces
from dispatcher.content.personal import MARK

WARN_BYTES = 90_000  # from here on a theme draws its compact layout
MAX_BYTES = 100_000
LONGEST_VALUE = 200  # bytes of a reader's name or link that a message has to have room for


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """The bytes of an edition's HTML with every personal field at its longest."""

    total: int  # as programs decode it; what Gmail's limit is measured against
    stories: tuple[tuple[str, int], ...]  # anchor and bytes, in the order of the issue

    @property
    def is_over(self) -> bool:
        return self.total > MAX_BYTES

    @property
    def is_near(self) -> bool:
        return self.total > WARN_BYTES

    def largest(self, count: int = 3) -> Sequence[tuple[str, int]]:
        return sorted(self.stories, key=lambda story: -story[1])[:count]


def weigh(html: str, anchors: Iterable[str] = (), *, longest_value: int = LONGEST_VALUE) -> Weight:
    """The weight of finished HTML, and of each story in it whose anchor the theme has drawn.

    A story reaches from its anchor to the next one, whatever wrappers the theme put between. Both branches of a
    personal condition count, so that no reader's copy is larger.
    """
    filled = _filled(html, longest_value)
    return Weight(total=len(filled.encode()), stories=tuple(_stories(filled, frozenset(anchors))))


def encoded_bytes(html: str, *, longest_value: int = LONGEST_VALUE) -> int:
    """The bytes as they travel, in the smaller of quoted-printable and base64."""
    return len(encode_pieces([_filled(html, longest_value)]).join([0]))


def _filled(html: str, longest_value: int) -> str:
    return MARK.sub(lambda mark: "" if mark[2] == "s" else "x" * longest_value, html)


def _stories(html: str, anchors: frozenset[str]) -> Iterable[tuple[str, int]]:
    starts = [(found.start(), found[1]) for found in re.finditer(r'\bid="([^"]+)"', html) if found[1] in anchors]
    ends = [*(start for start, _ in starts), len(html)][1:]
    return ((anchor, len(html[start:end].encode())) for (start, anchor), end in zip(starts, ends, strict=True))
