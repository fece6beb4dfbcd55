"""Reads a relay's replies out of what it sent, and keeps what a relay has shown to dislike."""

import re
from dataclasses import dataclass

from dispatcher.models import Reply

LONGEST_REPLY = 32_768  # bytes


@dataclass(slots=True, kw_only=True)
class Manners:
    """What a relay has shown to dislike, though it announces it; all connections to it share one."""

    dislikes_chunks: bool = False
    dislikes_company: bool = False  # an envelope in one write with the end of the content before it
    quiet_losses: int = 0


_REPLY_LINE = re.compile(rb"(\d{3})([ -]?)([^\r\n]*)\r?\n")


def parse_reply(received: bytearray) -> tuple[Reply | None, int]:
    """The first whole reply and its length in bytes; (None, n) for n bytes that are none, (None, 0) for too few."""
    position, lines = 0, []
    while line := _REPLY_LINE.match(received, position):
        position = line.end()
        lines.append(line[3].decode("utf-8", "replace").strip())
        if line[2] != b"-":
            return Reply(code=int(line[1]), text=" ".join(lines)), position
    return None, len(received) if b"\n" in received[position:] else 0


def is_positive(reply: Reply | None) -> bool:
    return reply is not None and 200 <= reply.code < 300
