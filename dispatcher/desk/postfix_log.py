"""Reads in a Postfix log which messages the relay took, by Message-ID and queue id.

`message-id=` alone proves nothing: cleanup logs it while the header streams in, before the final dot. Only when the
queue manager has the same queue id active has Postfix taken the message.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dispatcher.errors import NotFound

_SETTLED_AFTER = timedelta(minutes=10)  # what is not queued by then never was
_ISO = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))\s")
_SYSLOG = re.compile(r"([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)\s")
_MESSAGE_ID = re.compile(r"cleanup\[\d+\]: (\w+): message-id=<([^>]+)>")
_ACTIVE = re.compile(r"qmgr\[\d+\]: (\w+): from=<[^>]*>, size=\d+, nrcpt=\d+ \(queue active\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class PostfixLog:
    taken: Mapping[str, str]  # Message-ID → queue id, of what was queued
    first_at: datetime | None
    last_at: datetime | None

    def covers(self, begun_at: datetime | None, ended_at: datetime | None) -> bool:
        """Whether what is absent from the log cannot have been taken between these moments."""
        if self.first_at is None or self.last_at is None or begun_at is None or ended_at is None:
            return False
        return self.first_at <= begun_at and self.last_at >= ended_at + _SETTLED_AFTER


def read_log(path: Path) -> PostfixLog:
    """Raises NotFound."""
    named: dict[str, str] = {}
    taken: dict[str, str] = {}
    first_at = last_at = None
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            year = datetime.fromtimestamp(path.stat().st_mtime, UTC).astimezone().year
            for line in file:
                if found := _MESSAGE_ID.search(line):
                    named[found[1]] = found[2]
                elif (found := _ACTIVE.search(line)) and found[1] in named:
                    taken[named[found[1]]] = found[1]
                at = _moment(line, year)
                first_at, last_at = first_at or at, at or last_at
    except OSError as error:
        raise NotFound(f"{path}: {error.strerror}") from error
    return PostfixLog(taken=taken, first_at=first_at, last_at=last_at)


def _moment(line: str, year: int) -> datetime | None:
    """When a line was written: RFC 3339, or syslog's own, which names no year and no zone."""
    if found := _ISO.match(line):
        return datetime.fromisoformat(found[1]).astimezone(UTC)
    if found := _SYSLOG.match(line):
        return datetime.strptime(f"{year} {found[1]}", "%Y %b %d %H:%M:%S").astimezone(UTC)
    return None
