"""Foretells how long a mailing will take, and which of the limits it waits for."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from dispatcher.delivery.pace import Pacing
from dispatcher.delivery.relay import SmtpRelay

_DAY = 86_400.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    lasts: timedelta
    because: str  # the limit that takes longest, in words


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A relay, and how much of its quota of the day is left."""

    relay: SmtpRelay
    left_today: int | None = None


def forecast(messages: Mapping[str, int], ways: Sequence[Way], pacing: Pacing, *, rate: float, source: str) -> Forecast:
    """For so many messages by recipient domain; `rate` is what the relays took a second without limits, by `source`.

    All limits hold at once, so that the slowest decides. Replies that ask for less, and readers who are deferred,
    are not foreseen.
    """
    waits = list(_waits(messages, ways, pacing, rate, source))
    seconds, because = max(waits, key=lambda wait: wait[0])
    return Forecast(lasts=timedelta(seconds=seconds), because=because)


def _waits(
    messages: Mapping[str, int], ways: Sequence[Way], pacing: Pacing, rate: float, source: str
) -> Iterator[tuple[float, str]]:
    """Seconds that each limit asks for by itself."""
    total = sum(messages.values())
    yield total / rate, f"at {_number(rate)} a second, {source}"
    if pacing.per_second is not None:
        yield total / pacing.per_second, f"at {_number(pacing.per_second)} a second in all, of `pace`"
    connections = sum(way.relay.connections for way in ways)
    for domain, count in messages.items():
        limit = pacing.for_domain(domain)
        if limit.per_second is not None:
            yield count / limit.per_second, f"at {_number(limit.per_second)} a second to {domain}, of `pace`"
        if limit.connections is not None and limit.connections < connections:
            slower = rate * limit.connections / connections
            yield count / slower, f"over {limit.connections} of {connections} connections to {domain}, of `pace`"
    for domains, takers in _groups(messages, ways):
        yield from _waits_for(sum(messages[domain] for domain in domains), takers, rate)


def _groups(messages: Mapping[str, int], ways: Sequence[Way]) -> Iterable[tuple[list[str], tuple[Way, ...]]]:
    """Domains, and the relays that take their mail: those that are there for them in particular, or for all."""
    groups: dict[tuple[int, ...], list[str]] = {}
    for domain in messages:
        own = [at for at, way in enumerate(ways) if domain in way.relay.domains]
        groups.setdefault(tuple(own or [at for at, way in enumerate(ways) if not way.relay.domains]), []).append(domain)
    return [(domains, tuple(ways[at] for at in takers)) for takers, domains in groups.items() if takers]


def _waits_for(count: int, takers: Sequence[Way], rate: float) -> Iterator[tuple[float, str]]:
    names = ", ".join(str(way.relay) for way in takers)
    paces = [way.relay.per_second for way in takers if way.relay.per_second is not None]
    if len(paces) == len(takers):
        rate = min(rate, sum(paces))
        yield count / sum(paces), f"at the {_number(sum(paces))} a second of {names}"
    quotas = [way.relay.per_day for way in takers if way.relay.per_day is not None]
    if len(quotas) == len(takers):
        quota = sum(quotas)
        left = sum(way.relay.per_day or 0 if way.left_today is None else way.left_today for way in takers)
        if count > left:
            days = math.ceil((count - left) / quota)
            last = count - left - (days - 1) * quota
            yield days * _DAY + last / rate, f"with the {quota:,} a day of {names}, {left:,} of them left today"


def _number(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
