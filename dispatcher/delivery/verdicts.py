"""Decides what a relay's reply means for the reader, for the connection and for the whole issue."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, auto

from dispatcher.models import Reply, State


class Phase(StrEnum):
    """How far an attempt had come."""

    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    BODY = auto()  # content is leaving, the final dot is not out yet
    DOT = auto()  # the relay may have the message


class Then(StrEnum):
    """What happens next on the connection, or to the run."""

    GO_ON = auto()
    RECONNECT = auto()
    WAIT = auto()  # the relay wants no mail just now: come back later on a new connection
    STOP = auto()  # it refuses us, not the reader: the issue stops and nobody is marked


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    state: State
    then: Then


_SENT = Verdict(state=State.SENT, then=Then.GO_ON)
_REFUSED = Verdict(state=State.REFUSED, then=Then.GO_ON)
_DEFERRED = Verdict(state=State.DEFERRED, then=Then.GO_ON)
_LOST = Verdict(state=State.QUEUED, then=Then.RECONNECT)
_DEFERRED_421 = Verdict(state=State.DEFERRED, then=Then.RECONNECT)
_IN_DOUBT = Verdict(state=State.IN_DOUBT, then=Then.RECONNECT)


def judge(phase: Phase, reply: Reply | None) -> Verdict:
    """What an attempt that ended in `phase` with `reply` (None: connection lost, or no reply in time) means.

    RFC 5321 4.2: 2yz is responsibility taken, 4yz is not now, 5yz is no. 421 closes the connection.
    """
    if reply is None or not 200 <= reply.code < 600:
        return _IN_DOUBT if phase is Phase.DOT else _LOST
    kind = reply.code // 100
    if phase is Phase.DOT:
        if kind == 4:
            return _DEFERRED_421 if reply.code == 421 else _DEFERRED
        return {2: _SENT, 5: _REFUSED}.get(kind, _IN_DOUBT)  # a 3yz there says neither yes nor no
    if phase is Phase.MAIL:  # the sender is refused, not the reader
        return Verdict(state=State.QUEUED, then=Then.STOP if kind == 5 else Then.WAIT)
    if reply.code == 421:
        return _LOST
    return _REFUSED if kind == 5 else _DEFERRED


_BACKOFF = (timedelta(minutes=5), timedelta(minutes=10), timedelta(minutes=20), timedelta(minutes=40))
_LONGEST = timedelta(hours=1)


def next_attempt(attempts: int, *, now: datetime, jitter: float) -> datetime:
    """When to try a deferred reader again after `attempts` attempts; `jitter` from 0 to 1 adds up to a fifth."""
    wait = _BACKOFF[attempts - 1] if attempts <= len(_BACKOFF) else _LONGEST
    return now + wait * (1 + jitter / 5)


# RFC 3463: these name an address that is wrong, so they are about the reader however many get them in a row.
_ABOUT_THE_ADDRESS = re.compile(r"5\.(1\.[0-36]|1\.10|2\.1)(?![.\d])")


_ABOUT_US = re.compile(r"\d{3} 5\.7\.\d+(?![.\d])")  # policy: who we are, not whom we write to


class Breaker:
    """Notices that every reader is refused with the same words: then it is not about the readers.

    Twenty in a row prove it, or five after the content, where it is the message that is refused. If there were fewer
    in all, then all of them, unless the words could be about single addresses.
    """

    def __init__(self, *, had_others: bool = False) -> None:
        """`had_others`: somebody has been sent this mailing before, so that the relay does not refuse it to all."""
        self.words = ""  # of the reply, for people
        self._alike: list[int] = []
        self._phase: Phase | None = None
        self._gist: str | None = None
        self._has_tripped = False
        self._had_others = had_others

    def note(self, delivery_id: int, phase: Phase, reply: Reply | None, state: State) -> bool:
        """Takes note of an outcome; True as soon as refusals have proved to be meant for all."""
        if state is State.QUEUED:
            return False
        refusal = reply if state is State.REFUSED and reply and not _ABOUT_THE_ADDRESS.match(reply.text) else None
        gist = f"{phase} {refusal.code} {_gist(refusal.text)}" if refusal else None
        if gist is not None and gist == self._gist:
            self._alike.append(delivery_id)
        elif not self._has_tripped:
            self._had_others = self._had_others or bool(self._alike) or gist is None
            self._alike = [delivery_id] if gist is not None else []
            self._phase, self._gist, self.words = phase, gist, str(refusal or "")
        limit = 5 if self._phase is Phase.DOT else 20
        self._has_tripped = self._has_tripped or len(self._alike) >= limit
        return self._has_tripped

    def meant_for_all(self) -> list[int]:
        """The deliveries that were refused alike, if that refusal was meant for all."""
        everybody = not self._had_others and bool(self._alike)
        about_us = self._phase in {Phase.DATA, Phase.DOT} or _ABOUT_US.match(self.words) or len(self._alike) >= 5
        return list(self._alike) if self._has_tripped or (everybody and about_us) else []


def _gist(text: str) -> str:
    """A reply without what differs from reader to reader: addresses, queue ids, numbers; but with its status code."""
    words = text.lower().split()
    return " ".join(word for word in words if _STATUS.fullmatch(word) or not re.search(r"[@\d]", word))


_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
