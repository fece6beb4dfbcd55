"""Shows how all issues go, look by look: drawn on a terminal, told in lines elsewhere."""

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from dispatcher.desk.screen import spoken_counts, spoken_time
from dispatcher.models import State
from dispatcher.storage.driver import Sender

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.table import Table
    from rich.text import Text

_WINDOW = 30.0  # seconds over which a rate is measured
_SILENT = 10.0  # seconds without a sign of life that are worth a word
_TO_COME = (State.QUEUED, State.SENDING)
_UNSETTLED = (*_TO_COME, State.DEFERRED)
_HUES = {State.IN_DOUBT: "bold red", State.REFUSED: "red", State.DEFERRED: "yellow", State.SENT: "green"}


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueSeen:
    """One issue in one kind of mailing, at one look."""

    issue: int
    sent_as: str  # "live", "not yet"
    when: datetime | None
    counts: Mapping[State, int]
    halted: str | None = None  # why nobody goes on with it by himself
    per_second: float | None = None  # None: not known yet

    @property
    def is_on_its_way(self) -> bool:
        return any(self.counts.get(state) for state in _UNSETTLED)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        return self.total - sum(self.counts.get(state, 0) for state in _UNSETTLED)

    @property
    def to_come(self) -> int:
        return sum(self.counts.get(state, 0) for state in _TO_COME)

    @property
    def seconds_left(self) -> float | None:
        """Until all have been tried; deferred readers come when they are due."""
        return self.to_come / self.per_second if self.per_second else None

    def plain(self) -> dict[str, object]:
        return {
            "issue": self.issue,
            "sent_as": self.sent_as,
            "counts": {state.value: rows for state, rows in sorted(self.counts.items())},
            "per_second": None if self.per_second is None else round(self.per_second, 1),
            "seconds_left": None if self.seconds_left is None else round(self.seconds_left),
            "halted": self.halted,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """All that is seen at once."""

    newsletter: str
    at: datetime
    issues: Sequence[IssueSeen]
    senders: Sequence[Sender]


Show = Callable[[Look], None]


class Rates:
    """Remembers how many deliveries had come to their end at the last looks."""

    def __init__(self) -> None:
        self._seen: dict[object, deque[tuple[float, int]]] = {}

    def note(self, what: object, ticks: float, done: int) -> float | None:
        """Deliveries a second over the last half minute; None at the first look."""
        seen = self._seen.setdefault(what, deque())
        if seen and done < seen[-1][1]:  # some were queued again
            seen.clear()
        seen.append((ticks, done))
        while len(seen) > 2 and ticks - seen[1][0] >= _WINDOW:
            seen.popleft()
        (since, before), took = seen[0], ticks - seen[0][0]
        return (done - before) / took if took > 0 and since < ticks else None


def in_lines() -> Show:
    """A line for each issue that stands otherwise than at the last look; at the first, for each."""
    last: dict[tuple[int, str], object] = {}

    def show(look: Look) -> None:
        for each in look.issues:
            now = (dict(each.counts), each.halted)
            if last.get((each.issue, each.sent_as)) != now:
                last[each.issue, each.sent_as] = now
                print(f"{look.at:%H:%M:%S} issue {each.issue}, {each.sent_as}: {_sentence(each, look)}", flush=True)

    return show


def in_json() -> Show:
    """An object for each look, on a line of its own."""

    def show(look: Look) -> None:
        senders = [
            {"pid": each.pid, "host": each.host, "since": each.since.isoformat(), "seen_at": each.seen_at.isoformat()}
            for each in look.senders
        ]
        found = {
            "at": look.at.isoformat(timespec="seconds"),
            "issues": [each.plain() for each in look.issues],
            "senders": senders,
        }
        print(json.dumps(found), flush=True)

    return show


@contextmanager
def on_terminal(console: "Console | None" = None) -> Iterator[Show]:
    """Draws each look over the one before; the last one stays."""
    from rich.console import Console  # noqa: PLC0415  only where there is a terminal to draw on
    from rich.live import Live  # noqa: PLC0415

    console = console or Console()
    with Live(console=console, auto_refresh=False) as live:
        yield lambda look: live.update(drawn(look, lines=console.height - 1), refresh=True)


def drawn(look: Look, *, lines: int) -> "Group":
    """What is on its way first, with a bar, then as many of the others as there is room for."""
    from rich.console import Group  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    newest_first = sorted(look.issues, key=lambda each: -each.issue)
    going = [each for each in newest_first if each.is_on_its_way]
    others = [each for each in newest_first if not each.is_on_its_way]
    head = _row((Text(look.newsletter, style="bold"), f"{look.at:%Y-%m-%d %H:%M:%S}"))
    foot = [Text(sentence, style=style, no_wrap=True, overflow="ellipsis") for sentence, style in _who_sends(look)]
    parts: list[Table | Text] = []
    room = lines - 4 - len(foot)  # head, an empty line after it and after the rest, how many are hidden
    hidden = 0
    for each in (*going, *others):
        drawing = [*_going(each), Text()] if each.is_on_its_way else [_finished(each)]
        room -= len(drawing)
        if room < 0 or hidden:
            hidden += 1
        else:
            parts += drawing
    if hidden:
        parts.append(Text(f"… and {hidden} more: dispatcher status", style="dim"))
    if parts and (hidden or others):
        parts.append(Text())
    return Group(head, Text(), *parts, *foot)


def _going(seen: IssueSeen) -> "Iterator[Table | Text]":
    from rich.progress_bar import ProgressBar  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    bar = ProgressBar(total=max(seen.total, 1), completed=seen.done)
    ends = f"{_percent(seen):>3} %  {_pace(seen):>7}  {_left(seen):>12}"  # of one width, so that bars are
    yield _row((Text(f"issue {seen.issue}", style="bold"), Text(seen.sent_as), bar, ends), ratio_of=2)
    yield _counts(seen)
    if seen.halted:
        yield Text(f"  {seen.halted}", style="bold yellow", no_wrap=True, overflow="ellipsis")


def _finished(seen: IssueSeen) -> "Table":
    from rich.text import Text  # noqa: PLC0415

    when = f"{seen.when:%Y-%m-%d %H:%M}" if seen.when else ""
    counts = _counts(seen) if seen.when else Text()
    return _row((Text(f"issue {seen.issue}", style="bold"), Text(seen.sent_as), when, counts), ratio_of=3)


def _counts(seen: IssueSeen) -> "Text":
    """Each state in its colour, none of them left out for want of room before the last."""
    from rich.text import Text  # noqa: PLC0415

    text = Text("  " if seen.is_on_its_way else "", no_wrap=True, overflow="ellipsis")
    order = (State.IN_DOUBT, State.SENT, State.QUEUED, State.SENDING, State.DEFERRED, State.REFUSED, State.SKIPPED)
    parts = [(state, spoken_counts({state: seen.counts[state]})) for state in order if seen.counts.get(state)]
    for number, (state, spoken) in enumerate(parts):
        text.append(", " if number else "").append(spoken, style=_HUES.get(state, ""))
    return text if parts else text.append("nobody", style="dim")


def _row(cells: "Sequence[object]", *, ratio_of: int = 0) -> "Table":
    """A line over the whole width; the cell number `ratio_of` takes what the others leave."""
    from rich.table import Table  # noqa: PLC0415

    row = Table.grid(padding=(0, 2, 0, 0), expand=True)
    for number in range(len(cells)):
        is_last = number == len(cells) - 1
        row.add_column(
            no_wrap=True, ratio=1 if number == ratio_of else None, justify="right" if is_last and ratio_of != number
            else "left", overflow="ellipsis",
        )  # fmt: skip
    row.add_row(*cells)  # type: ignore[arg-type]  # what rich can draw
    return row


def _sentence(seen: IssueSeen, look: Look) -> str:
    parts = [spoken_counts(seen.counts)] if seen.when else []
    if seen.is_on_its_way:
        said = (_pace(seen), _left(seen), seen.halted, *(sentence for sentence, _ in _who_sends(look)))
        parts += [each for each in said if each]
    return "; ".join(parts) or "nobody was mailed"


def _pace(seen: IssueSeen) -> str:
    return "" if seen.per_second is None or not seen.to_come else f"{seen.per_second:,.0f}/s"


def _left(seen: IssueSeen) -> str:
    """Only deferred readers have to wait, whatever the pace."""
    if not seen.to_come:
        return "some wait"
    return "" if seen.seconds_left is None else f"{spoken_time(seen.seconds_left)} left"


def _percent(seen: IssueSeen) -> int:
    return seen.done * 100 // max(seen.total, 1)


def _who_sends(look: Look) -> Iterator[tuple[str, str]]:
    """Sentences with their style."""
    for each in look.senders:
        silent = (look.at - each.seen_at).total_seconds()
        since = each.since.astimezone(look.at.tzinfo)
        sentence = f"sending: pid {each.pid} on {each.host} since {since:%H:%M:%S}"
        if silent > _SILENT:
            yield f"{sentence}, without a sign of life for {spoken_time(silent)}", "bold red"
        else:
            yield sentence, ""
    if not look.senders:
        yield "nobody is sending", "dim"
