"""Draws the report of a mailing as one page that needs nothing else: figures, plots in SVG, and what went wrong."""

import math
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

from dispatcher.desk.plots import Plot, chart, drawn, growth_plots, page_template
from dispatcher.desk.remedies import sentence
from dispatcher.desk.screen import spoken_readers
from dispatcher.models import Kind, State
from dispatcher.storage.came_back import came_back, count_replies
from dispatcher.storage.control import force_of, why_stopped
from dispatcher.storage.database import Database
from dispatcher.storage.history import Settled, readers_by_issue, settled_by_second
from dispatcher.storage.mailings import Mailing, lists_of
from dispatcher.storage.reports import count_states, doubtful_addresses, outcomes_by_domain
from dispatcher.storage.statistics import growth

_MOST_DOMAINS = 12
_MOST_STEPS = 120
_KINDS = {Kind.LIVE: "live", Kind.MAILDIR: "trial into a Maildir", Kind.STAGING: "staging"}


def report_page(database: Database, mailing: Mailing, *, newsletter: str, timezone: str) -> str:
    """The page as HTML."""
    counts = count_states(database, mailing.id)
    troubles = outcomes_by_domain(database, mailing.id)
    page = page_template("report.html")
    sent_at = mailing.handed_over_at
    return page.render(
        newsletter=newsletter,
        issue=mailing.issue,
        kind=_KINDS[mailing.kind],
        began=f"{sent_at.astimezone(ZoneInfo(timezone)):%d %B %Y, %H:%M}" if sent_at else "",
        readers=spoken_readers(counts.total()),
        counts=[(state.replace("_", " "), counts[state]) for state in State if counts[state] or state is State.SENT],
        forced=force_of(database, mailing.id),
        stopped=why_stopped(database, mailing.id) if counts[State.QUEUED] + counts[State.DEFERRED] else None,
        doubts=doubtful_addresses(database, mailing.id),
        troubles=[(each.rows, each.state.replace("_", " "), each.domain, each.said) for each in troubles],
        returns=[
            (each.readers, sentence(each.domain, each.kind, each.cause, each.status, each.said))
            for each in came_back(database, mailing.id)
        ],
        replies=count_replies(database, mailing.id),
        plots=_plots(database, mailing, timezone),
    )


def _plots(database: Database, mailing: Mailing, timezone: str) -> list[Plot]:
    settled = settled_by_second(database, mailing.id)
    refused: Counter[str] = Counter()
    for each in outcomes_by_domain(database, mailing.id):
        if each.state is not State.SKIPPED:
            refused[each.domain] += each.rows
    sizes = readers_by_issue(database, mailing.kind)
    plots = [_over_time(settled, timezone)] if len({each.at for each in settled}) > 1 else []
    plots += [_by_domain(refused)] if refused else []
    plots += [_by_issue(sizes)] if len(sizes) > 1 else []
    return plots + growth_plots(growth(database), sorted(lists_of(database, mailing.id)))


def _over_time(settled: Sequence[Settled], timezone: str) -> Plot:
    """Sent and failed, each in all up to then."""
    first, last = settled[0].at, settled[-1].at
    step = max(1, math.ceil(((last - first).total_seconds() + 1) / _MOST_STEPS))  # seconds
    steps = int((last - first).total_seconds()) // step + 1
    sent, failed = [0] * steps, [0] * steps
    for each in settled:
        at = int((each.at - first).total_seconds()) // step
        sent[at] += each.rows if each.state is State.SENT else 0
        failed[at] += each.rows if each.state in {State.REFUSED, State.DEFERRED} else 0
    local = [(first + timedelta(seconds=at * step)).astimezone(ZoneInfo(timezone)) for at in range(steps)]
    form = "%H:%M" if last - first > timedelta(minutes=10) else "%H:%M:%S"
    labels = [moment.strftime(form) for moment in local]
    picked = {round(part * (steps - 1) / 3) for part in range(4)}
    plot = chart("Line", show_dots=False, fill=True, range=(0, max(sum(sent), sum(failed))), max_scale=6)
    plot.x_labels = [label if at in picked else "" for at, label in enumerate(labels)]
    plot.add("sent in all", list(accumulate(sent)))
    if any(failed):
        plot.add("refused or deferred", list(accumulate(failed)))
    return Plot(title="Sent over time", words=f"{sum(sent):,} from {labels[0]} to {labels[-1]}.", svg=drawn(plot))


def _by_domain(refused: Counter[str]) -> Plot:
    common = refused.most_common(_MOST_DOMAINS)
    plot = chart("HorizontalBar", show_legend=False, height=70 + 26 * len(common))
    plot.x_labels = [domain for domain, _ in reversed(common)]
    plot.add("readers", [rows for _, rows in reversed(common)])
    words = f"Most at {common[0][0]}: {common[0][1]:,}."
    return Plot(title="Not delivered, by domain", words=words, svg=drawn(plot))


def _by_issue(sizes: Sequence[tuple[int, int]]) -> Plot:
    plot = chart("Bar", show_legend=False)
    plot.x_labels = [str(issue) for issue, _ in sizes]
    plot.add("readers", [rows for _, rows in sizes])
    words = f"From {sizes[0][1]:,} with issue {sizes[0][0]} to {sizes[-1][1]:,} with issue {sizes[-1][0]}."
    return Plot(title="Readers, issue by issue", words=words, svg=drawn(plot))
