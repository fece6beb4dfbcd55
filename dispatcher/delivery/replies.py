"""Reads a relay's replies out of what it sent, and keeps what a relay has shown to dislike."""

import re
from dataclasses import dataclass
from functools import lru_cache

from dispatcher.models import Reply

LONGEST_REPLY = 32_768  # bytes
_LONGEST_KNOWN = 512  # bytes of a reply line that is remembered: RFC 5321 4.5.3.1.5


@dataclass(slots=True, kw_only=True)
class Manners:
    """What a relay has shown to dislike, though it announces it; all connections to it share one."""

    dislikes_chunks: bool = False
    dislikes_company: bool = False  # an envelope in one write with the end of the content before it
    quiet_losses: int = 0


_REPLY_LINE = re.compile(rb"(\d{3})([ -]?)([^\r\n]*)\r?\n")


def parse_reply(received: bytearray) -> tuple[Reply | None, int]:
    """The first whole reply and its length in bytes; (None, n) for n bytes that are none, (None, 0) for too few."""
    end = received.find(b"\n") + 1
    if end == 0:
        return None, 0
    if end <= _LONGEST_KNOWN and (reply := _one_line(bytes(received[:end]))) is not None:
        return reply, end
    position, lines = 0, []
    while line := _REPLY_LINE.match(received, position):
        position = line.end()
        lines.append(_text(line))
        if line[2] != b"-":
            return Reply(code=int(line[1]), text=" ".join(lines)), position
    return None, len(received) if b"\n" in received[position:] else 0


@lru_cache(maxsize=16)  # most replies are the same for every message
def _one_line(line: bytes) -> Reply | None:
    """A reply that is a single line."""
    found = _REPLY_LINE.fullmatch(line)
    return Reply(code=int(found[1]), text=_text(found)) if found and found[2] != b"-" else None


def _text(line: re.Match[bytes]) -> str:
    return line[3].decode("utf-8", "replace").strip()


def is_positive(reply: Reply | None) -> bool:
    return reply is not None and 200 <= reply.code < 300
