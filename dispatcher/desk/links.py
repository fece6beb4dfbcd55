"""Asks the servers of an issue's links whether they answer, and remembers for a day what they said."""

import json
import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from dispatcher.desk.fetch import Page, fetching
from dispatcher.errors import Fault, Finding, Severity

_FRESH_FOR = 24 * 3600  # seconds; a link that did not answer is asked again each time
_AT_ONCE = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a server said."""

    at: float  # seconds since 1970
    status: int  # 0: nothing
    moved_to: str | None
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    url: str
    line: int | None
    said: Said


Answers = tuple[Answer, ...]


def ask(lines: Mapping[str, int | None], *, newsletter: str, may_reach_private: bool = False) -> Answers:
    """The answer of each address, which stands on the line that `lines` tells."""
    now = time.time()
    known = {url: said for url, said in _remembered().items() if now - said.at < _FRESH_FOR}
    if unknown := [url for url in lines if url not in known]:
        with fetching(newsletter, may_reach_private=may_reach_private) as fetcher, ThreadPoolExecutor(_AT_ONCE) as pool:
            pages = pool.map(lambda url: fetcher.get(url, with_body=False), unknown)
            known |= {url: _said(page, now) for url, page in zip(unknown, pages, strict=True)}
        _remember({url: said for url, said in known.items() if 200 <= said.status < 300})
    return tuple(Answer(url=url, line=line, said=known[url]) for url, line in lines.items())


def link_findings(answers: Answers, path: str) -> list[Finding]:
    """What is wrong with the answers; a server that asks who we are, or to come later, has answered."""
    found: list[Finding] = []
    for each in answers:
        shown = each.url if len(each.url) <= 80 else f"{each.url[:79]}…"
        status, moved_to = each.said.status, each.said.moved_to
        if status in {0, 404, 410} or status >= 500:
            why = each.said.problem or f"it answers {status}"
            fault = Fault(path=path, line=each.line, message=f"link {shown} is dead: {why}", remedy="correct it")
            found.append(Finding(check="NL013", severity=Severity.ERROR, fault=fault))
        elif moved_to and moved_to.rstrip("/") != each.url.rstrip("/"):
            message = f"link {shown} has moved for good"
            fault = Fault(path=path, line=each.line, message=message, remedy=f"write {moved_to}")
            found.append(Finding(check="NL041", severity=Severity.WARNING, fault=fault))
    return found


def _said(page: Page, now: float) -> Said:
    return Said(at=now, status=page.status, moved_to=page.moved_to, problem=page.problem)


def _memory() -> Path:
    """Beside the caches of other programs: what a server said is none of the newsletter's business."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "dispatcher/links.json"


def _remembered() -> dict[str, Said]:
    try:
        kept = json.loads(_memory().read_text(encoding="utf-8"))
        return {url: Said(**said) for url, said in kept.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _remember(known: Mapping[str, Said]) -> None:
    """As well as it can: without a memory every link is asked again."""
    memory = _memory()
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        temporary = memory.with_suffix(".new")
        temporary.write_text(json.dumps({url: asdict(said) for url, said in known.items()}), encoding="utf-8")
        temporary.replace(memory)
    except OSError:
        return
