"""A relay with what a run has learned about it: whether it answers, what it dislikes, how much it wants."""

from dataclasses import dataclass, field
from datetime import datetime

from dispatcher.delivery.grants import Places
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
    most_today: int | None = None  # messages; None: it has no quota of the day
    left_today: int | None = None  # until it is used
    may_get_more_today: bool = False  # from what all runs together have left
    more_at: datetime | None = None  # when that quota has room again
    places: Places | None = None  # for connections, where other runs have some, too
    manners: Manners = field(default_factory=Manners)
    lines: list[Line] = field(default_factory=list)
    lines_held: int = 0  # with those that are being closed
    lines_wanted: int = 0  # with those
    leaving: int = 0  # of those, which make room for other runs
    has_connected: bool = False
    lost_since: float | None = None  # seconds, by a clock that nobody sets
    failure: DispatcherError | None = None

    @property
    def key(self) -> str:
        return key_of(self.relay)

    @property
    def day_key(self) -> str:
        return f"day of {self.relay}"

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

    @property
    def has_had_its_day(self) -> bool:
        return self.left_today == 0 and not self.may_get_more_today

    @property
    def has_a_place(self) -> bool:
        """Whether a further connection may be opened."""
        return self.places is None or self.lines_held < self.places.count

    @property
    def has_too_many_lines(self) -> bool:
        """Whether one more connection is to end, so that another run may open one."""
        return self.places is not None and self.lines_held - self.leaving > self.places.count

    def lines_for(self, readers: int) -> int:
        """As many connections as so many readers are worth."""
        return min(self.most_lines, 1 + readers // _READERS_PER_CONNECTION)

    def draw_line(self) -> Line:
        """A connection that is not open yet."""
        line = line_to(self.relay, self.manners)
        self.lines.append(line)
        self.lines_held += 1
        return line


def key_of(relay: Relay) -> str:
    """Names a relay among the limits that runs share."""
    return f"relay {relay}"


def refuses_all(route: Route) -> RelayUnusable:
    return RelayUnusable(f"relay {route.relay} refuses every message: {route.breaker.words}; nobody is marked")


def has_had_its_day(route: Route) -> Unfinished:
    return Unfinished(
        f"relay {route.relay} has had its messages of the day; run it again after {route.more_at:%Y-%m-%d %H:%M %Z}"
    )
