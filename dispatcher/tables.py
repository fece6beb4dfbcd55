"""The tables of settings below `[tool.dispatcher]`, and how a table is read by a dataclass's fields."""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import TypeVar, cast

_Table = TypeVar("_Table")
_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_SELECTOR = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class DkimTable:
    """`[tool.dispatcher.dkim]`: what signs messages, for relays that do not."""

    selector: str
    key: str  # a PEM file, relative to the folder
    domain: str | None = None  # unset: that of `from`
    ed25519_selector: str | None = None  # of a second signature
    ed25519_key: str | None = None

    def faults(self) -> Iterator[str]:
        for name in ("selector", "ed25519_selector"):
            value = getattr(self, name)
            if value is not None and not _SELECTOR.fullmatch(value):
                yield f"{name} {value!r} cannot be a part of a domain name; use letters, digits and -"
        if self.domain is not None and not _DOMAIN.fullmatch(self.domain):
            yield f"domain {self.domain!r} is not a domain in lower case"
        if (self.ed25519_key is None) != (self.ed25519_selector is None):
            yield "ed25519_key and ed25519_selector need each other"
        if self.ed25519_selector is not None and self.ed25519_selector == self.selector:
            yield "two keys need two selectors"


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUpTable:
    """How the messages of a new relay grow from day to day, until they are `per_day`."""

    start: int  # messages on the first day
    growth: float = 1.5  # the next day's, by those of the busiest so far

    def faults(self) -> Iterator[str]:
        yield from _not_positive(start=self.start)
        if not 1 < self.growth <= 10:
            yield f"growth {self.growth} is not between 1 and 10: 1.5 is half as many again each day"


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayTable:
    """One of `[[tool.dispatcher.relays]]`."""

    url: str
    password_env: str | None = None  # the environment variable that holds its password
    connections: int = 16  # at most, opened as needed
    per_second: float | None = None  # messages
    per_day: int | None = None  # messages in any 24 hours
    warm_up: WarmUpTable | None = None  # towards per_day
    domains: tuple[str, ...] = ()  # of recipients; empty: all that no other relay is there for
    weight: float = 1.0

    def faults(self) -> Iterator[str]:
        if not 1 <= self.connections <= 1000:
            yield f"connections {self.connections} is not from 1 to 1000"
        yield from _not_positive(per_second=self.per_second, per_day=self.per_day, weight=self.weight)
        if self.warm_up is not None and self.per_day is None:
            yield "warm_up needs per_day, where it ends"
        elif self.warm_up is not None and self.per_day is not None and self.warm_up.start > self.per_day:
            yield f"warm_up.start {self.warm_up.start} is more than per_day {self.per_day}"
        yield from _not_domains(self.domains)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitTable:
    """A limit of a recipient domain."""

    per_second: float | None = None  # messages
    connections: int | None = None

    def faults(self) -> Iterator[str]:
        yield from _not_positive(per_second=self.per_second, connections=self.connections)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceTable:
    """`[tool.dispatcher.pace]`: limits over all relays together: in all, for each recipient domain, for single ones."""

    per_second: float | None = None  # messages
    each_domain: LimitTable = field(default_factory=LimitTable)
    domains: Mapping[str, LimitTable] = field(default_factory=dict)

    def faults(self) -> Iterator[str]:
        yield from _not_positive(per_second=self.per_second)
        yield from _not_domains(self.domains)


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryTable:
    """`[tool.dispatcher.canary]`: the first readers are mailed alone; the others follow if all is well."""

    readers: int
    wait: str = "10m"
    most_refused: float = 0.05  # of them; beyond it the issue stops

    def faults(self) -> Iterator[str]:
        yield from _not_positive(readers=self.readers)
        if not re.fullmatch(r"0|\d{1,6}[smhd]", self.wait):
            yield f"wait {self.wait!r} is not a duration; write it as 90s, 15m or 2h"
        if not 0 <= self.most_refused <= 1:
            yield f"most_refused {self.most_refused} is a share, from 0 to 1"


_MAPPINGS = {"domains": LimitTable}  # in PaceTable: the name of a domain → its table
_TABLES: dict[tuple[type, str], type] = {  # in which table, under which key
    (PaceTable, "each_domain"): LimitTable,
    (RelayTable, "warm_up"): WarmUpTable,
}
_KINDS: dict[object, tuple[tuple[type, ...], str]] = {
    str: ((str,), "must be a text in quotes"),
    str | None: ((str,), "must be a text in quotes"),
    int: ((int,), "must be a whole number"),
    int | None: ((int,), "must be a whole number"),
    float: ((int, float), "must be a number"),
    float | None: ((int, float), "must be a number"),
}


def read_table(kind: type[_Table], table: object, where: str) -> tuple[_Table | None, list[str]]:
    """A table's value, or None and every fault in it; `where` names the table to the operator."""
    if not isinstance(table, dict):
        return None, [f"{where} must be a table"]
    known = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]
    values: dict[str, object] = {}
    faults: list[str] = []
    for key, value in table.items():
        if key not in known:
            nearest = max(known, key=lambda name: difflib.SequenceMatcher(a=key, b=name).ratio())
            faults.append(f"unknown setting {key!r} in {where}; did you mean {nearest!r}?")
            continue
        values[key], wrong = _read(kind, key, known[key].type, value, f"{where}.{key}")
        faults += wrong
    faults += [
        f"{where} needs {name}"
        for name, each in known.items()
        if name not in values and each.default is MISSING and each.default_factory is MISSING
    ]
    if faults:
        return None, faults
    found = kind(**values)
    faults = [f"{where}: {fault}" for fault in found.faults()]  # type: ignore[attr-defined]
    return (None, faults) if faults else (found, [])


def _read(kind: type, key: str, wanted: object, value: object, where: str) -> tuple[object, list[str]]:
    if (kind, key) in _TABLES:
        return read_table(_TABLES[kind, key], value, where)
    if kind is PaceTable and key in _MAPPINGS:
        if not isinstance(value, dict):
            return None, [f"{where} must be a table"]
        read = {name: read_table(_MAPPINGS[key], each, f"{where}.{name}") for name, each in value.items()}
        return {name: each for name, (each, _) in read.items()}, [
            fault for _, wrong in read.values() for fault in wrong
        ]
    if wanted == tuple[str, ...]:
        is_right = isinstance(value, list) and all(isinstance(each, str) for each in value)
        return (tuple(cast("list[str]", value)), []) if is_right else (None, [f"{where} must be a list of texts"])
    kinds, wrong = _KINDS[wanted]
    if not isinstance(value, kinds) or isinstance(value, bool):
        return None, [f"{where} {wrong}"]
    return value, []


def _not_positive(**values: float | None) -> Iterator[str]:
    for name, value in values.items():
        if value is not None and not 0 < value < 1e9:
            yield f"{name} {value} is not more than 0"


def _not_domains(domains: "Mapping[str, LimitTable] | tuple[str, ...]") -> Iterator[str]:
    for each in domains:
        if not _DOMAIN.fullmatch(each):
            yield f"{each!r} is not a domain in lower case"
