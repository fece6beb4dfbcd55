"""A content as it comes in: its end is looked for, its octets are counted, its head is kept, the rest is dropped."""

import re

_END = b"\r\n.\r\n"
_HEAD = 1_024  # bytes that are looked at
_HEADER = re.compile(rb"(?im)^(to|message-id):[ \t]*(?:[^\r\n<]*<)?([^\r\n<>]+)")


_LONGEST_ENVELOPE = 2_048  # bytes that may follow an end


class Content:
    """One content, in pieces of whatever length; if not strict, it takes a client's word for line ends and dots."""

    def __init__(self, *, is_strict: bool) -> None:
        self.octets = 0
        self._is_strict = is_strict
        self._head = b""
        self._tail = b"\r\n"  # as if a line had ended: a lone dot is an end, too
        self._line_ends = [0, 0, 0]  # CR, LF, CRLF

    def take_data(self, data: bytes, position: int) -> tuple[int, bool]:
        """Takes from `position` up to the final dot, if it is there; says how far, and whether it was."""
        seam = self._tail + data[position : position + 4]
        found = seam.find(_END)
        if found >= 0:
            end = position + found + len(_END) - len(self._tail)
        else:
            # Looking through all of it would cost half of what the sink costs.
            found = data.find(_END, position if self._is_strict else max(position, len(data) - _LONGEST_ENVELOPE))
            end = found + len(_END) if found >= 0 else len(data)
        self.take(data, position, end)
        if found >= 0:
            self.octets -= 3
        return end, found >= 0

    def take(self, data: bytes, position: int, end: int) -> None:
        part = data[position:end] if position or end < len(data) else data
        if len(self._head) < _HEAD:
            self._head += part[:_HEAD]
        if self._is_strict:
            has_begun_before = self.octets > 0 and self._tail[-1:] + part[:1] == b"\r\n"
            counts = self._line_ends
            counts[0] += part.count(b"\r")
            counts[1] += part.count(b"\n")
            counts[2] += part.count(b"\r\n") + has_begun_before
        self.octets += len(part)
        self._tail = (self._tail + part[-4:])[-4:]

    @property
    def message_id(self) -> str:
        return next(iter(self._headers(b"message-id")), "")

    def complaint(self, recipient: str) -> str:
        """What is wrong with it, now that it is whole."""
        if len(set(self._line_ends)) > 1:
            return "bare CR or LF"
        return "" if self._headers(b"to") == [recipient] else "another's To"

    def _headers(self, name: bytes) -> list[str]:
        found = _HEADER.findall(self._head.partition(b"\r\n\r\n")[0])
        return [value.decode("utf-8", "replace").strip() for key, value in found if key.lower() == name]
