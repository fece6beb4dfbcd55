"""Decides which misfortune befalls whom: by probability, from a seed, so that a storm can be had again.

What happens depends on the seed, the reader and how often he was tried, never on which connection was faster.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, auto


class Fault(StrEnum):
    """What may go wrong; each has a probability of its own."""

    BANNER = auto()  # a connection is greeted with nonsense, half a line, nothing, or a 421
    REFUSAL = auto()  # this reader is refused for good, with 550
    GREYLIST = auto()  # this reader's first attempt is answered 451, those after it are not
    GOODBYE = auto()  # 421 after the content, which is not kept
    DEFERRAL = auto()  # 451 after the content, which is not kept
    KEEP = auto()  # the message is kept, and the connection closed without a word
    RESET = auto()  # the message is not kept, and the connection reset after the end of the content
    BODY = auto()  # the connection is reset in mid-content


_AFTER_THE_CONTENT = (Fault.KEEP, Fault.RESET, Fault.DEFERRAL, Fault.GOODBYE, Fault.BODY)
_BANNERS = ("421 4.3.2 too busy\r\n", "what do you want?\r\n", "220 sink.exam", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """The probabilities, from 0 to 1; those after the content exclude each other."""

    seed: int = 0
    odds: Mapping[Fault, float] = field(default_factory=dict)

    def banner(self, connection: int) -> str | None:
        """The wrong greeting of a connection, if it gets one; an incomplete one is followed by the end."""
        draw = self._draw("banner", str(connection))
        odds = self.odds.get(Fault.BANNER, 0.0)
        return _BANNERS[int(draw / odds * len(_BANNERS))] if draw < odds else None

    def before_content(self, recipient: str, attempt: int) -> str | None:
        """The reply to RCPT, unless it is the usual one."""
        if self._befalls(Fault.REFUSAL, recipient):
            return "550 5.1.1 no such user"
        if attempt == 1 and self._befalls(Fault.GREYLIST, recipient):
            return "451 4.7.1 greylisted, come again"
        return None

    def after_content(self, recipient: str, attempt: int) -> Fault | None:
        if not any(fault in self.odds for fault in _AFTER_THE_CONTENT):
            return None
        draw = self._draw("content", recipient, str(attempt))
        for fault in _AFTER_THE_CONTENT:
            draw -= self.odds.get(fault, 0.0)
            if draw < 0:
                return fault
        return None

    def _befalls(self, fault: Fault, recipient: str) -> bool:
        return fault in self.odds and self._draw(fault, recipient) < self.odds[fault]

    def _draw(self, *what: str) -> float:
        return random.Random(f"{self.seed} {' '.join(what)}").random()  # noqa: S311  no secret, and to be repeated
