"""Counts for Prometheus: readers, the queue of each issue, how fast it goes, what relays say, who is sending.

None of them is about one person: a domain with few readers counts among the others, and nobody's address is in it.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta

from dispatcher.models import Kind, State
from dispatcher.storage.database import Database, now
from dispatcher.storage.letters import count_letters
from dispatcher.storage.lock import senders
from dispatcher.storage.measures import replies_by_domain, settled_since
from dispatcher.storage.reports import MailingSummary, summaries
from dispatcher.storage.runs import workers
from dispatcher.storage.statistics import standings
from dispatcher.storage.suppressions import count_suppressions

_MOST_MAILINGS = 10  # of which the queue is told
_MOST_ON_THEIR_WAY = 3  # of which the replies are told
_MOST_DOMAINS = 10
_FEWEST_READERS = 5  # of a domain that is named: a domain may be a person's own
_LATELY = timedelta(minutes=1)
_PATIENCE = 3.0  # seconds; Prometheus' own is 10
_REST = 10.0  # times what the counting took, until it is done again: to look must not slow down what is looked at

_UNSETTLED = (State.QUEUED, State.SENDING, State.DEFERRED)


class Gauges:
    """The counts as they were when they were last counted."""

    def __init__(self, database: Database, ticks: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._ticks = ticks
        self._text = ""
        self._failure: Exception | None = None
        self._fresh_until = float("-inf")
        self._counted = threading.Event()
        self._counted.set()
        self._one_at_a_time = threading.Lock()

    def text(self, patience: float = _PATIENCE) -> str:
        """In Prometheus' text format; who asks waits so many seconds for new counts, for the first as long as it takes.

        Raises LedgerFailed.
        """
        with self._one_at_a_time:
            if self._counted.is_set() and (asked_at := self._ticks()) >= self._fresh_until:
                self._counted.clear()
                threading.Thread(target=self._count, args=[asked_at], name="counting", daemon=True).start()
        self._counted.wait(patience if self._text else None)
        if self._failure is not None:
            raise self._failure
        return self._text

    def _count(self, begun: float) -> None:
        try:
            lines = list(_lines(self._database))
            took = self._ticks() - begun
            lines += _gauge("dispatcher_counting_seconds", "How long these counts took.", [({}, round(took, 6))])
            self._text, self._failure = "\n".join(lines) + "\n", None
            self._fresh_until = begun + took * (1 + _REST)
        except Exception as error:  # noqa: BLE001  whoever asked must hear of it
            self._failure = error
        finally:
            self._counted.set()


def _lines(database: Database) -> Iterator[str]:
    yield from _gauge(
        "dispatcher_readers",
        "People by list and standing.",
        [
            ({"list": name, "standing": standing}, people)
            for name, states in standings(database).items()
            for standing, people in states.items()
        ],
    )
    yield from _gauge(
        "dispatcher_suppressions",
        "Addresses kept from all lists, by cause.",
        [({"cause": cause}, count) for cause, count in count_suppressions(database).items()],
    )
    yield from _gauge(
        "dispatcher_letters",
        "Small mails by state.",
        [({"state": state}, count) for state, count in count_letters(database).items()],
    )
    yield from _mailings(database, summaries(database, most=_MOST_MAILINGS))
    yield from _senders(database)
    yield from _workers(database)


def _mailings(database: Database, mailings: Sequence[MailingSummary]) -> Iterator[str]:
    newest = {(each.issue, each.kind): each for each in mailings}  # staging has several of one issue
    yield from _gauge(
        "dispatcher_deliveries",
        "Deliveries of the newest issues by state.",
        [
            ({"issue": str(each.issue), "kind": each.kind.value, "state": state.value}, each.counts.get(state, 0))
            for each in newest.values()
            for state in State
        ],
    )
    lately = settled_since(database, [each.id for each in newest.values()], now() - _LATELY)
    yield from _gauge(
        "dispatcher_settled_per_second",
        "Deliveries that came to their end, over the last minute.",
        [
            (
                {"issue": str(each.issue), "kind": each.kind.value},
                round(lately.get(each.id, 0) / _LATELY.total_seconds(), 3),
            )
            for each in newest.values()
        ],
    )
    yield from _gauge(
        "dispatcher_replies",
        "Deliveries of the live issues on their way, else of the newest, by domain and the relay's last reply.",
        [
            ({"issue": str(each.issue), "domain": domain, "code": str(code)}, rows)
            for each in _on_their_way(newest.values())
            for (domain, code), rows in _without_small_domains(replies_by_domain(database, each.id)).items()
        ],
    )


def _on_their_way(mailings: Iterable[MailingSummary]) -> list[MailingSummary]:
    live = [each for each in mailings if each.kind is Kind.LIVE]
    unsettled = [each for each in live if any(each.counts.get(state) for state in _UNSETTLED)]
    return unsettled[-_MOST_ON_THEIR_WAY:] or live[-1:]


def _senders(database: Database) -> Iterator[str]:
    yield from _gauge(
        "dispatcher_sender_heartbeat_timestamp_seconds",
        "When each sender last gave a sign of life; it does so every few seconds.",
        [({"host": each.host, "pid": str(each.pid)}, round(each.seen_at.timestamp(), 3)) for each in senders(database)],
    )


def _workers(database: Database) -> Iterator[str]:
    yield from _gauge(
        "dispatcher_worker_heartbeat_timestamp_seconds",
        "When each worker last gave a sign of life; it does so every ten seconds, unless it sends on SQLite.",
        [({"host": each.host, "pid": str(each.pid)}, round(each.seen_at.timestamp(), 3)) for each in workers(database)],
    )


def _without_small_domains(replies: Mapping[tuple[str, int], int]) -> Counter[tuple[str, int]]:
    """The rows of all but the biggest domains under "other"."""
    sizes: Counter[str] = Counter()
    for (domain, _), rows in replies.items():
        sizes[domain] += rows
    named = {domain for domain, rows in sizes.most_common(_MOST_DOMAINS) if rows >= _FEWEST_READERS}
    folded: Counter[tuple[str, int]] = Counter()
    for (domain, code), rows in replies.items():
        folded[domain if domain in named else "other", code] += rows
    return folded


def _gauge(name: str, about: str, values: Sequence[tuple[Mapping[str, str], float]]) -> Iterator[str]:
    yield f"# HELP {name} {about}"
    yield f"# TYPE {name} gauge"
    for labels, value in values:
        named = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{name}{{{named}}} {value}" if named else f"{name} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
