"""How long a mailing will take under each limit: the slowest decides, and is named."""

from datetime import timedelta

import pytest

from dispatcher.delivery.forecast import Forecast, Way, forecast
from dispatcher.delivery.pace import Limit, Pacing
from dispatcher.delivery.relay import Security, SmtpRelay

CROWD = {"example.com": 6_000, "example.net": 3_000, "example.org": 1_000}


def way(host: str = "relay", left: int | None = None, **limits: object) -> Way:
    relay = SmtpRelay(host=host, port=587, security=Security.STARTTLS, **limits)  # type: ignore[arg-type]
    return Way(relay=relay, left_today=left)


def foretold(*ways: Way, **pacing: object) -> Forecast:
    return forecast(CROWD, ways or (way(),), Pacing(**pacing), rate=100.0, source="as the last issue")  # type: ignore[arg-type]


def test_without_limits_it_goes_as_fast_as_the_last_time() -> None:
    assert foretold() == Forecast(lasts=timedelta(seconds=100), because="at 100 a second, as the last issue")


@pytest.mark.parametrize(
    ("told", "seconds", "because"),
    [
        (foretold(per_second=50.0), 200, "at 50 a second in all"),
        (foretold(each_domain=Limit(per_second=10.0)), 600, "at 10 a second to example.com"),
        (foretold(domains={"example.org": Limit(per_second=0.5)}), 2_000, "at 0.5 a second to example.org"),
        (foretold(domains={"example.net": Limit(connections=2)}), 240, "over 2 of 16 connections to example.net"),
        (foretold(way(per_second=20.0)), 500, "at the 20 a second of relay:587"),
        (foretold(way(per_second=20.0), way("b", per_second=30.0)), 200, "at the 50 a second of relay:587, b:587"),
        (foretold(way(per_second=20.0), way("b")), 100, "as the last issue"),
        (foretold(way("b"), way(per_second=1.0, domains=("example.org",))), 1_000, "at the 1 a second of relay:587"),
    ],
)  # fmt: skip
def test_the_slowest_limit_decides(told: Forecast, seconds: int, because: str) -> None:
    assert (told.lasts, because in told.because) == (timedelta(seconds=seconds), True)


def test_a_quota_of_the_day_takes_the_rest_to_other_days() -> None:
    told = foretold(way(per_day=4_000, left=1_000))  # 1,000 today, 4,000 on each of two days, 1,000 on the third
    assert told.lasts == timedelta(days=3, seconds=10)
    assert told.because == "with the 4,000 a day of relay:587, 1,000 of them left today"
    assert foretold(way(per_day=4_000, left=2_000)).lasts == timedelta(days=2, seconds=40)


def test_what_fits_into_today_or_another_relay_does_not_wait() -> None:
    assert foretold(way(per_day=10_000)).lasts == timedelta(seconds=100)
    assert foretold(way(per_day=10), way("b")).lasts == timedelta(seconds=100)
