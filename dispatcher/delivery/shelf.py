"""Holds the deliveries at hand for one relay by recipient domain, and hands them out domain by domain."""

from collections import deque
from collections.abc import Callable

from dispatcher.models import Delivery


class Shelf:
    """Deliveries by domain; the domains take turns."""

    def __init__(self) -> None:
        self._by_domain: dict[str, deque[Delivery]] = {}
        self._turns: deque[str] = deque()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def domains(self) -> tuple[str, ...]:
        return tuple(self._turns)

    def count(self, domain: str) -> int:
        return len(self._by_domain.get(domain, ()))

    def put(self, delivery: Delivery) -> None:
        self._row(delivery.domain).append(delivery)

    def put_first(self, delivery: Delivery) -> None:
        self._row(delivery.domain).appendleft(delivery)

    def take(self, may_go: Callable[[str], bool]) -> Delivery | None:
        """The first delivery of the next domain that may go now."""
        for _ in range(len(self._turns)):
            domain = self._turns[0]
            if may_go(domain):
                row = self._by_domain[domain]
                delivery = row.popleft()
                self._count -= 1
                if row:
                    self._turns.rotate(-1)
                else:
                    self._turns.popleft()
                    del self._by_domain[domain]
                return delivery
            self._turns.rotate(-1)
        return None

    def clear(self) -> list[Delivery]:
        """Takes everything."""
        rows = [delivery for domain in self._turns for delivery in self._by_domain[domain]]
        self._by_domain.clear()
        self._turns.clear()
        self._count = 0
        return rows

    def _row(self, domain: str) -> deque[Delivery]:
        self._count += 1
        if domain not in self._by_domain:
            self._by_domain[domain] = deque()
            self._turns.append(domain)
        return self._by_domain[domain]
