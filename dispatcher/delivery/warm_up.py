"""Decides how many messages a new relay may have in a day: a few at first, then some more than it ever had."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """Receivers distrust a sender whose mail multiplies overnight; after a month without mail they have forgotten him.

    What counts is what a relay really took, so that neither a week without an issue nor a small one makes it leap.
    """

    start: int  # messages on the first day
    growth: float  # the next day's, by the busiest so far


def messages_in_a_day(warm_up: WarmUp, *, busiest: int, most: int) -> int:
    """`busiest`: messages on the relay's busiest day of the last month; `most`: once it is warm."""
    return min(max(warm_up.start, math.ceil(round(busiest * warm_up.growth, 6))), most)
