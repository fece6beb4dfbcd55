"""Draws figures as SVG, for pages that need no scripts, legible on a light and a dark ground."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from jinja2 import Environment, PackageLoader, Template, select_autoescape
from markupsafe import Markup

from dispatcher.storage.statistics import Growth

_GUIDES = "#8b90a5"
_COLOURS = ("#5b6ee1", "#c2410c", "#0f766e")  # at 3:1 or more on the page's light and dark ground alike
_MOST_LABELS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A picture of figures, with what it shows in words for those who do not see it."""

    title: str
    words: str
    svg: Markup


def page_template(name: str) -> Template:
    """Of the desk's pages."""
    loader = PackageLoader("dispatcher.desk", "pages")
    return Environment(loader=loader, autoescape=select_autoescape(), trim_blocks=True).get_template(name)


def growth_plots(growth: Sequence[Growth], lists: Sequence[str]) -> list[Plot]:
    """For each list: who came and who went each month, and how many were there; none for a list of one month."""
    by_list = {name: [each for each in growth if each.list_name == name] for name in lists}
    return [_growth(name, months) for name, months in by_list.items() if len(months) > 1]


def chart(kind: str, **settings: Any) -> Any:
    """One of pygal's charts."""
    import pygal  # noqa: PLC0415  only where a page is drawn

    style = pygal.style.Style(
        background="transparent",
        plot_background="transparent",
        foreground="currentColor",
        foreground_strong="currentColor",
        foreground_subtle="currentColor",
        colors=_COLOURS,
        guide_stroke_color=_GUIDES,
        major_guide_stroke_color=_GUIDES,
        opacity=".55",
        font_family="inherit",
        label_font_size=14,
        major_label_font_size=14,
        legend_font_size=14,
    )
    shared = {
        "style": style,
        "js": [],
        "width": 480,
        "height": 260,
        "margin": 8,
        "margin_right": 26,
        "legend_at_bottom": True,
        "truncate_label": 28,
        "pretty_print": False,
        "order_min": 0,  # whole readers
        "disable_xml_declaration": True,
        "value_formatter": lambda value: f"{value:,.0f}",
    }
    return getattr(pygal, kind)(**{**shared, **settings})


def drawn(chart: Any) -> Markup:
    """Out of the reach of screen readers, to whom the figures are told in words."""
    svg = chart.render(is_unicode=True).replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
    return Markup(re.sub(r"<script\b.*?</script>", "", svg, flags=re.DOTALL))  # noqa: S704  pygal escapes every label


def _growth(list_name: str, months: Sequence[Growth]) -> Plot:
    there = list(accumulate(each.came - each.went for each in months))
    plot = chart("Bar", legend_at_bottom_columns=3)
    step = -(-len(months) // _MOST_LABELS)
    plot.x_labels = [each.month if at % step == 0 else "" for at, each in enumerate(months)]
    plot.add("came", [each.came for each in months])
    plot.add("went", [-each.went for each in months])
    plot.add("readers then", there)
    came, went = sum(each.came for each in months), sum(each.went for each in months)
    words = f"From {months[0].month} to {months[-1].month} {came:,} came and {went:,} went; {there[-1]:,} at the end."
    return Plot(title=f"The list {list_name}, month by month", words=words, svg=drawn(plot))
