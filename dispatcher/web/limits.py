"""How often one network may ask for something: a bucket for each, which fills again as time goes by."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address, ip_network
from threading import Lock

_MOST_NETWORKS = 100_000  # remembered; the longest unseen is forgotten first


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many at once, and then one each so many seconds."""

    burst: int
    seconds: float


FORMS = Rate(burst=10, seconds=12)  # sign-ups and mailed links: 5 a minute
API = Rate(burst=100, seconds=0.05)
GUESSES = Rate(burst=20, seconds=6)  # wrong API tokens


class Limits:
    """The buckets of one site, in memory: they need not outlive it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._spent: OrderedDict[tuple[Rate, str], tuple[float, float]] = OrderedDict()
        self._lock = Lock()

    def allows(self, rate: Rate, network: str) -> bool:
        """Takes one from the network's bucket, unless it is empty."""
        now = self._clock()
        with self._lock:
            spent, at = self._spent.pop((rate, network), (0.0, now))
            spent = max(0.0, spent - (now - at) / rate.seconds)
            is_allowed = spent + 1 <= rate.burst
            self._spent[rate, network] = (spent + 1 if is_allowed else spent, now)
            while len(self._spent) > _MOST_NETWORKS:
                self._spent.popitem(last=False)
        return is_allowed


def network_of(host: str | None) -> str:
    """The part of an internet address that is a household's or more: /24 of IPv4, /56 of IPv6."""
    try:
        address = ip_address((host or "").partition("%")[0])
    except ValueError:
        return "unknown"
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    length = 24 if isinstance(address, IPv4Address) else 56
    return str(ip_network((address, length), strict=False))


def is_local(host: str | None) -> bool:
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False
