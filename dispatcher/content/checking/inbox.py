"""Checks what an inbox shows of the issue: subject and preheader."""

import re
from collections.abc import Iterator

from wcwidth import wcswidth

from dispatcher.content.checking.proof import Proof, shortened
from dispatcher.content.personal import MARK
from dispatcher.errors import Fault

LONGEST_SUBJECT = 60  # columns; a phone shows about half of that
SHORTEST_PREHEADER, LONGEST_PREHEADER = 40, 110
MOST_OCTETS = 998

_SHOUTING = re.compile(r"!{2,}|！{2,}|\?{3,}|\${2,}")
_POSING = re.compile(r"\s*(?:re|fwd?|aw|wg|sv|答复|回复|转发)\s*[:：]", re.IGNORECASE)


def impossible_subject(proof: Proof) -> Iterator[Fault]:
    octets = len(proof.subject.encode())
    if octets > MOST_OCTETS:
        message = f"the subject has {octets:,} bytes, and a mail's header holds {MOST_OCTETS}"
        yield proof.fault(message, "say it in 60 columns", line=_line(proof, "subject"))


def long_subject(proof: Proof) -> Iterator[Fault]:
    wide = _columns(proof.subject)
    if wide > LONGEST_SUBJECT and len(proof.subject.encode()) <= MOST_OCTETS:
        message = f"the subject is {wide} columns wide, and inboxes cut it off after about {LONGEST_SUBJECT}"
        yield proof.fault(message, "shorten it, or put what matters first", line=_line(proof, "subject"))


def loud_subject(proof: Proof) -> Iterator[Fault]:
    letters = [character for character in MARK.sub("", proof.subject) if character.isalpha()]
    cased = [letter for letter in letters if letter.lower() != letter.upper()]
    if len(cased) > 8 and all(letter.isupper() for letter in cased):
        message = "the subject is all in capitals, which readers and filters take for shouting"
    elif _SHOUTING.search(proof.subject):
        message = f"the subject “{shortened(proof.subject)}” shouts"
    elif _POSING.match(proof.subject):
        message = f"the subject “{shortened(proof.subject)}” poses as an answer"
    else:
        return
    yield proof.fault(message, "say it in a quiet voice", line=_line(proof, "subject"))


def preheader_of_use(proof: Proof) -> Iterator[Fault]:
    wide = _columns(proof.preheader)
    if not proof.preheader.strip():
        message = "there is no preheader, so that inboxes show whatever comes first"
        remedy = f"write `preheader:` with {SHORTEST_PREHEADER} to {LONGEST_PREHEADER} columns into the front matter"
    elif proof.preheader.strip().casefold() == proof.subject.strip().casefold():
        message, remedy = "the preheader only repeats the subject", "say something more"
    elif wide < SHORTEST_PREHEADER:
        message = f"the preheader is {wide} columns wide, and the inbox fills the rest with other words"
        remedy = f"write {SHORTEST_PREHEADER} columns or more"
    elif wide > LONGEST_PREHEADER:
        message = f"the preheader is {wide} columns wide, and no inbox shows more than {LONGEST_PREHEADER}"
        remedy = "shorten it"
    else:
        return
    yield proof.fault(message, remedy, line=_line(proof, "preheader") or 1)


def _line(proof: Proof, key: str) -> int | None:
    pattern = re.compile(rf"{key}\s*:")
    return next((number for number, text in enumerate(proof.lines, 1) if pattern.match(text)), None)


def _columns(text: str) -> int:
    """As wide as it is shown; Chinese counts double, and a reader's field for a short word."""
    return max(wcswidth(MARK.sub(lambda mark: "" if mark[2] == "s" else "reader", text)), 0)
