"""A relay with what a run has learned about it: whether it answers, what it dislikes, how much it wants."""

from dataclasses import dataclass, field
from datetime import datetime

from dispatcher.delivery.line import Line, line_to
from dispatcher.delivery.pace import Pace
from dispatcher.delivery.relay import MaildirRelay, Relay
from dispatcher.delivery.replies import Manners
from dispatcher.delivery.verdicts import Breaker
from dispatcher.errors import DispatcherError, RelayUnusable, Unfinished

_READERS_PER_CONNECTION = 20  # before a further one is opened


@dataclass(slots=True, kw_only=True, eq=False)
class Route:
    """One relay in one run."""

    relay: Relay
    pace: Pace
    breaker: Breaker
    left_today: int | None = None  # messages until its quota of the day is used; None: it has none
    more_at: datetime | None = None  # when that quota has room again
    manners: Manners = field(default_factory=Manners)
    lines: list[Line] = field(default_factory=list)
    has_connected: bool = False
    lost_since: float | None = None  # seconds, by a clock that nobody sets
    failure: DispatcherError | None = None

    @property
    def is_up(self) -> bool:
        """Whether mail may be given to it now."""
        return self.failure is None and (self.lost_since is None or any(line.is_open for line in self.lines))

    def lose(self, at: float) -> None:
        """It does not answer; what counts is since when."""
        self.lost_since = at if self.lost_since is None else self.lost_since

    @property
    def weight(self) -> float:
        return 1.0 if isinstance(self.relay, MaildirRelay) else self.relay.weight

    def serves(self, domain: str) -> bool:
        """Whether the relay is there for this domain in particular."""
        return not isinstance(self.relay, MaildirRelay) and domain in self.relay.domains

    @property
    def serves_all(self) -> bool:
        return isinstance(self.relay, MaildirRelay) or not self.relay.domains

    @property
    def most_lines(self) -> int:
        return 1 if isinstance(self.relay, MaildirRelay) else self.relay.connections

    def draw_lines(self, readers: int) -> list[Line]:
        """As many connections as so many readers are worth, none of them open yet."""
        wanted = min(self.most_lines, 1 + readers // _READERS_PER_CONNECTION)
        self.lines = [line_to(self.relay, self.manners) for _ in range(wanted)]
        return list(self.lines)


def refuses_all(route: Route) -> RelayUnusable:
    return RelayUnusable(f"relay {route.relay} refuses every message: {route.breaker.words}; nobody is marked")


def has_had_its_day(route: Route) -> Unfinished:
    return Unfinished(
        f"relay {route.relay} has had its messages of the day; run it again after {route.more_at:%Y-%m-%d %H:%M %Z}"
    )
