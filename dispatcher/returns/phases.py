"""Tells at which point of the SMTP session a server refused: to the greeting, MAIL, RCPT, or the content.

A refusal of MAIL is about the sender whatever its words are (RFC 5321 3.3), one of the connection about who connects.
Each mail server names the point in its own way; the notice has it even where the report has not.
"""

from enum import StrEnum, auto

from dispatcher.returns.wordings import phases


class Phase(StrEnum):
    """How far the session had come."""

    GREETING = auto()
    MAIL = auto()
    RCPT = auto()
    CONTENT = auto()


_MOST = 8000  # characters


def phase_in(text: str) -> Phase | None:
    """The first point that the text names."""
    unfolded = " ".join(text[:_MOST].split())
    found = [(match.start(), name) for name, pattern in phases() if (match := pattern.search(unfolded))]
    return Phase(min(found)[1]) if found else None
