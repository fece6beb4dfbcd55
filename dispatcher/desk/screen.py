"""Talks with the editor during a send: sentences, the confirmation, progress with rate and time left."""

import contextlib
import logging
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from dispatcher.errors import LedgerFailed
from dispatcher.models import Outcome, State

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_LOOKS = 2.0
_REST = 10.0  # times what a look took, until the next one
_TO_COME = frozenset({State.QUEUED, State.SENDING})

Report = Callable[[Outcome], None]
Show = Callable[[int, Mapping[State, int]], None]
"""Shows how many are done, and in which states they are."""

_log = logging.getLogger("dispatcher")


def say(sentence: str) -> None:
    """A sentence of the report."""
    _print(sentence, sys.stdout)


def note(sentence: str, **facts: object) -> None:
    """A sentence beside the report; where the log is kept as JSON, a line of it with the facts."""
    _remark(logging.INFO, sentence, facts)


def complain(sentence: str, **facts: object) -> None:
    """As `note`, of what went wrong."""
    _remark(logging.ERROR, sentence, facts)


def _remark(level: int, sentence: str, facts: Mapping[str, object]) -> None:
    if _log.handlers:  # cli.logs
        _log.log(level, "%s", sentence, extra={"facts": facts})
    else:
        _print(sentence, sys.stderr)


def _print(sentence: str, stream: TextIO) -> None:
    """Prints, unless nobody reads any more: a send goes on without its audience."""
    try:
        print(sentence, file=stream, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def is_attended() -> bool:
    """Whether somebody sits at a terminal and can answer."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def confirm(question: str, expected: str) -> bool:
    """Asks the editor to type what is expected."""
    try:
        return input(question).strip() == expected
    except EOFError:
        return False


def spoken_time(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 20 min`, `2 days 3 h`."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    if minutes >= 48 * 60:
        return f"{minutes // 1440} days {minutes % 1440 // 60} h"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"


def spoken_readers(people: int) -> str:
    return "1 reader" if people == 1 else f"{people:,} readers"


def spoken_counts(counts: Mapping[State, int]) -> str:
    """`200 sent, 1 refused`, in the order of the states' importance to the editor."""
    order = (State.SENT, State.REFUSED, State.SKIPPED, State.IN_DOUBT, State.DEFERRED, State.QUEUED, State.SENDING)
    return ", ".join(f"{counts[state]:,} {state.replace('_', ' ')}" for state in order if counts.get(state)) or "nobody"


@contextmanager
def progress(total: int) -> Iterator[Report]:
    """Shows how a send goes: a bar on a terminal, a line now and then elsewhere."""
    counts: Counter[State] = Counter()
    with _display(total) as show:

        def report(outcome: Outcome) -> None:
            counts[outcome.state] += 1
            show(counts.total() - counts[State.QUEUED], counts)

        yield report


@contextmanager
def progress_of_all(total: int, look: Callable[[], Mapping[State, int]]) -> Iterator[Report]:
    """As `progress`, where several processes send: `look` counts the rows in each state, now and then."""
    ended = threading.Event()
    with _display(total) as show:

        def show_all() -> None:
            counts = dict(look())
            to_come = sum(counts.pop(state, 0) for state in _TO_COME)
            show(max(total - to_come, 0), counts)

        def keep_looking() -> None:
            rest = _SECONDS_BETWEEN_LOOKS
            while not ended.wait(rest):
                begun = time.monotonic()
                with contextlib.suppress(LedgerFailed):  # whoever sends says so
                    show_all()
                rest = max(_SECONDS_BETWEEN_LOOKS, _REST * (time.monotonic() - begun))

        looking = threading.Thread(target=keep_looking, name="progress", daemon=True)
        looking.start()
        try:
            yield lambda _: None
        finally:
            ended.set()
            looking.join()
            with contextlib.suppress(LedgerFailed):
                show_all()


@contextmanager
def _display(total: int) -> Iterator[Show]:
    if sys.stderr.isatty() and not _log.handlers:
        with _bar(total) as show:
            yield show
    else:
        yield _lines(total)


@contextmanager
def _bar(total: int) -> Iterator[Show]:
    from rich.console import Console  # noqa: PLC0415  only where there is a terminal to draw on
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:>8}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[tally]}"),
    )
    begun = time.monotonic()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("sending", total=total, rate="", tally="")

        def show(done: int, counts: Mapping[State, int]) -> None:
            rate = f"{done / max(time.monotonic() - begun, 0.001):,.0f}/s"
            bar.update(task, completed=done, rate=rate, tally=spoken_counts(counts))

        yield show


def _lines(total: int) -> Show:
    begun = last = time.monotonic()

    def show(done: int, counts: Mapping[State, int]) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _SECONDS_BETWEEN_LINES:
            last = now
            rate = done / (now - begun)
            left = spoken_time((total - done) / rate) if rate else "unknown"
            note(
                f"{done:,} of {total:,} ({rate:,.0f}/s, {left} left): {spoken_counts(counts)}",
                done=done, total=total, per_second=round(rate, 1), counts=dict(counts),
            )  # fmt: skip

    return show
