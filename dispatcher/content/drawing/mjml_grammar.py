"""Knows which MJML tag may stand in which, and which attributes there are: the engine takes anything for granted.

A misspelt tag would reach readers as an unknown one, and what stands outside of a column would lose its layout.
"""

import difflib
from collections.abc import Iterable

_CONTENT = (
    "mj-text mj-image mj-button mj-divider mj-spacer mj-table mj-social mj-navbar mj-accordion mj-carousel".split()
)
_HEAD = "mj-title mj-preview mj-attributes mj-style mj-font mj-breakpoint".split()
_PARENTS: dict[str, tuple[str, ...]] = {
    "mjml": ("",),
    "mj-head": ("mjml",),
    "mj-body": ("mjml",),
    **dict.fromkeys(_HEAD, ("mj-head",)),
    "mj-all": ("mj-attributes",),
    "mj-class": ("mj-attributes",),
    "mj-wrapper": ("mj-body",),
    "mj-section": ("mj-body", "mj-wrapper"),
    "mj-hero": ("mj-body", "mj-wrapper"),
    "mj-group": ("mj-section",),
    "mj-column": ("mj-section", "mj-group"),
    **dict.fromkeys(_CONTENT, ("mj-column", "mj-hero")),
    "mj-raw": ("mj-head", "mj-body", "mj-wrapper", "mj-section", "mj-group", "mj-column", "mj-hero"),
    "mj-social-element": ("mj-social",),
    "mj-navbar-link": ("mj-navbar",),
    "mj-accordion-element": ("mj-accordion",),
    "mj-accordion-title": ("mj-accordion-element",),
    "mj-accordion-text": ("mj-accordion-element",),
    "mj-carousel-image": ("mj-carousel",),
}
_HOLD_HTML = frozenset(
    "mj-text mj-raw mj-table mj-button mj-title mj-preview mj-style"
    " mj-navbar-link mj-social-element mj-accordion-title mj-accordion-text".split()
)
_ATTRIBUTES = frozenset(
    "align alt aria-label background-color background-height background-position background-position-x"
    " background-position-y background-repeat background-size background-url background-width border border-bottom"
    " border-color border-left border-radius border-right border-style border-top border-width cellpadding cellspacing"
    " color container-background-color css-class dir direction fluid-on-mobile font-family font-size font-style"
    " font-weight full-width hamburger height href icon-align icon-height icon-padding icon-position icon-size"
    " icon-unwrapped-alt icon-unwrapped-url icon-width icon-wrapped-alt icon-wrapped-url ico-align ico-close ico-color"
    " ico-font-family ico-font-size ico-line-height ico-open ico-padding ico-padding-bottom ico-padding-left"
    " ico-padding-right ico-padding-top ico-text-decoration ico-text-transform inline inner-background-color"
    " inner-border inner-border-bottom inner-border-left inner-border-radius inner-border-right inner-border-top"
    " inner-padding lang left-icon letter-spacing line-height mode name owa padding padding-bottom padding-left"
    " padding-right padding-top rel right-icon role sizes src srcset string table-layout target text-align"
    " text-decoration text-padding text-transform thumbnails thumbnails-src title usemap vertical-align width".split()
)


def objection(name: str, attributes: Iterable[str], within: str) -> tuple[str, str] | None:
    """What is wrong with a tag that opens in another, and the remedy; None if nothing is.

    `within` is the innermost open tag, empty at the top.
    """
    if not name.startswith("mj"):
        if within == "" or (within.startswith("mj") and within not in _HOLD_HTML):
            return f"<{name}> stands in <{within or 'nothing'}>", "put HTML into <mj-text> or <mj-raw>"
        return None
    if name not in _PARENTS:
        nearest = difflib.get_close_matches(name, _PARENTS, 1, 0.5)
        return f"there is no <{name}> in MJML", f"did you mean <{nearest[0]}>?" if nearest else "see the default theme"
    if within != "mj-attributes" and within not in _PARENTS[name]:
        places = " or ".join(f"<{parent}>" for parent in _PARENTS[name] if parent) or "the beginning"
        return f"<{name}> stands in <{within or 'nothing'}>", f"its place is {places}"
    for attribute in attributes:
        if attribute not in _ATTRIBUTES:
            nearest = difflib.get_close_matches(attribute, _ATTRIBUTES, 1, 0.5)
            remedy = f"did you mean {nearest[0]}?" if nearest else "remove it"
            return f"<{name}> has no {attribute}", remedy
    return None
