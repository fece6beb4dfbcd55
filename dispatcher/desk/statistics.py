"""Shows how many readers there are, where they are, and how they came and went; as text, for programs, as a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dispatcher.desk.plots import growth_plots, page_template
from dispatcher.storage import statistics
from dispatcher.storage.database import Database
from dispatcher.storage.statistics import Growth
from dispatcher.storage.suppressions import count_suppressions

_MOST_DOMAINS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    standings: Mapping[str, Mapping[str, int]]  # by list
    languages: Mapping[str | None, int]
    domains: Mapping[str | None, int]
    growth: Sequence[Growth]
    suppressions: Mapping[str, int]  # by cause


def collect(database: Database) -> Figures:
    return Figures(
        standings=statistics.standings(database),
        languages=statistics.languages(database),
        domains=statistics.domains(database, _MOST_DOMAINS),
        growth=statistics.growth(database),
        suppressions=count_suppressions(database),
    )


def as_text(figures: Figures) -> str:
    lines = [f"{name}: {_spoken(states)}" for name, states in figures.standings.items()] or ["no readers yet"]
    if figures.suppressions:
        lines.append(f"kept from all lists: {_spoken(figures.suppressions)}")
    lines.append(f"languages: {_spoken(_named(figures.languages))}")
    lines.append(f"domains: {_spoken(_named(figures.domains))}")
    lines += [f"{each.month} {each.list_name}: +{each.came:,} -{each.went:,}" for each in figures.growth]
    return "\n".join(lines)


def as_plain(figures: Figures) -> dict[str, object]:
    return {
        "lists": {name: dict(states) for name, states in figures.standings.items()},
        "kept_from_all_lists": dict(figures.suppressions),
        "languages": _named(figures.languages),
        "domains": _named(figures.domains),
        "growth": [
            {"month": each.month, "list": each.list_name, "came": each.came, "went": each.went}
            for each in figures.growth
        ],
    }


def as_page(figures: Figures, *, newsletter: str) -> str:
    """One file without scripts; its plots are SVG in it."""
    tables = (
        ("By language", _named(figures.languages)),
        ("By domain", _named(figures.domains)),
        ("Kept from all lists", figures.suppressions),
    )
    return page_template("statistics.html").render(
        newsletter=newsletter,
        standings=list(figures.standings.items()),
        spoken=_spoken,
        plots=growth_plots(figures.growth, list(figures.standings)),
        tables=[(title, list(counts.items())) for title, counts in tables if counts],
    )


def _named(counts: Mapping[str | None, int]) -> dict[str, int]:
    return {name or "none": count for name, count in counts.items()}


def _spoken(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "none"
