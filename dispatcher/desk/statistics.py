"""Shows how many readers there are, where they are, and how they came and went; as text, for programs, as a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from dispatcher.storage import statistics
from dispatcher.storage.database import Database
from dispatcher.storage.statistics import Growth
from dispatcher.storage.suppressions import count_suppressions

_MOST_DOMAINS = 20
_WIDTH, _HEIGHT = 640, 160


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
    parts = [f"<h1>{escape(newsletter)}: readers</h1>", plots(figures)]
    for title, counts in (
        ("By language", _named(figures.languages)),
        ("By domain", _named(figures.domains)),
        ("Kept from all lists", figures.suppressions),
    ):
        rows = "".join(f"<tr><th>{escape(name)}<td>{count:,}" for name, count in counts.items())
        parts.append(f"<h2>{title}</h2><table>{rows}</table>" if rows else "")
    return f"<!doctype html><meta charset=utf-8><title>{escape(newsletter)}</title><style>{_STYLE}</style>" + "".join(
        parts
    )


def plots(figures: Figures) -> str:
    """For each list, its states and a plot of who came and went by month; for other pages too."""
    parts = []
    for name, states in figures.standings.items():
        months = [each for each in figures.growth if each.list_name == name]
        parts.append(f"<h2>{escape(name)}</h2><p>{escape(_spoken(states))}</p>{_plot(months)}")
    return "".join(parts)


def _plot(months: Sequence[Growth]) -> str:
    """Bars up for who came, bars down for who went, and a line for how many were there."""
    if not months:
        return ""
    middle, step = _HEIGHT * 2 / 3, _WIDTH / len(months)
    most = max(max(each.came, each.went * 2) for each in months) or 1
    bars, total, totals = [], 0, []
    for at, each in enumerate(months):
        up, down = each.came / most * (middle - 14), each.went / most * (middle - 14)
        left, wide = at * step + step * 0.15, min(step * 0.7, 60)
        title = f"<title>{each.month}: +{each.came:,} -{each.went:,}</title>"
        bars.append(
            f'<g>{title}<rect class="came" x="{left:.1f}" y="{middle - up:.1f}" width="{wide:.1f}" height="{up:.1f}"/>'
            f'<rect class="went" x="{left:.1f}" y="{middle + 1:.1f}" width="{wide:.1f}" height="{down:.1f}"/></g>'
        )
        total += each.came - each.went
        totals.append((left + wide / 2, total))
    peak = max(*(count for _, count in totals), 1)
    line = " ".join(f"{x:.1f},{middle - max(count, 0) / peak * (middle - 14):.1f}" for x, count in totals)
    words = f"{months[0].month} to {months[-1].month}, {total:,} at the end"
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{words}">{"".join(bars)}'
        f'<polyline points="{line}"/></svg><figcaption>{words}</figcaption></figure>'
    )


_STYLE = """
:root { color-scheme: light dark }
body { max-width: 680px; margin: 40px auto; padding: 0 20px; font: 16px/1.6 system-ui, sans-serif }
svg { width: 100%; height: auto; overflow: visible } .came { fill: #5750e0 } .went { fill: #c2410c }
polyline { fill: none; stroke: currentColor; stroke-width: 1.5; opacity: .6 }
figure { margin: 0 } figcaption { font-size: 13px; opacity: .7 }
table { border-collapse: collapse } th { text-align: start; font-weight: 400; padding-inline-end: 32px }
td { text-align: end; font-variant-numeric: tabular-nums }
"""


def _named(counts: Mapping[str | None, int]) -> dict[str, int]:
    return {name or "none": count for name, count in counts.items()}


def _spoken(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "none"
