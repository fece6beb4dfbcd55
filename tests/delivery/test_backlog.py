"""Several relays take from one queue: none of them keeps from another what is his."""

import asyncio
from collections.abc import Callable, Collection

from dispatcher.delivery.backlog import Backlog
from dispatcher.delivery.pace import Limit, Pace, Pacing
from dispatcher.delivery.relay import Security, SmtpRelay
from dispatcher.delivery.route import Route
from dispatcher.delivery.verdicts import Breaker
from dispatcher.errors import Unfinished
from dispatcher.models import Delivery, Subscriber

SLOW, OTHERS = 6_000, 1_000


def route(*domains: str, per_second: float | None = None) -> Route:
    relay = SmtpRelay(host="relay.example.org", port=25, security=Security.NONE, domains=domains, per_second=per_second)
    return Route(relay=relay, pace=Pace(Limit(per_second=per_second), lambda: 0.0), breaker=Breaker())


def delivery(number: int, domain: str) -> Delivery:
    reader = Subscriber(id=number, ref=number, email=f"r{number}@{domain}", name=None, language=None, attributes={})
    return Delivery(
        id=number, list_id=1, list_name="readers", edition_id=1, attempts=0, first_attempt_at=None,
        message_id=f"{number}@example.org", domain=domain, subscriber=reader,
    )  # fmt: skip


ROWS = [delivery(number, "example.org" if number <= SLOW else "example.de") for number in range(1, SLOW + OTHERS + 1)]


class AllRows:
    """A feed of ROWS."""

    def read(self, after: int, limit: int, but_not: Collection[str]) -> list[Delivery]:
        return [row for row in ROWS if row.id > after and row.domain not in but_not][:limit]

    async def more(self) -> bool:
        return False

    async def left(self) -> int:
        return len(ROWS)

    async def tidy(self, is_held: Callable[[int], bool]) -> None: ...


async def take_all(backlog: Backlog, relay: Route, *, most: int) -> int:
    taken = 0
    async with asyncio.timeout(60):
        while taken < most and (found := await backlog.next(relay, is_over=lambda: False)) is not None:
            taken += 1
            backlog.settle(relay, found, counts=True)
    return taken


def test_what_waits_for_a_slow_relay_does_not_keep_the_others_readers_away() -> None:
    slow, fast = route("example.org", per_second=1.0), route()
    backlog = Backlog(AllRows(), [slow, fast], Pacing(), lambda: 0.0)

    async def send() -> int:
        await backlog.fill(slow)
        return await take_all(backlog, fast, most=OTHERS)

    assert asyncio.run(send()) == OTHERS


def test_what_a_relay_had_when_it_was_given_up_is_not_left_with_it_though_the_other_is_lost_for_a_moment() -> None:
    slow, fast = route("example.org", per_second=1.0), route()
    backlog = Backlog(AllRows(), [slow, fast], Pacing(), lambda: 0.0)

    async def send() -> int:
        for _ in range(40):
            await backlog.fill(slow)
            await backlog.fill(fast)
        fast.lose(0.0)
        slow.failure = Unfinished("given up")
        backlog.reassign(slow)
        fast.lost_since = None
        return await take_all(backlog, fast, most=SLOW + OTHERS)

    assert asyncio.run(send()) == SLOW + OTHERS
