"""Short form of `python -m tests.faults namespaces`: two processes, and a few seconds."""

from pathlib import Path

from tests.faults.namespaces import CONNECTIONS, IN_ALL, IN_PART, measure, two_processes
from tests.servers.postgresql import PostgreSQL

SECONDS = 2.5
LATE = 0.5  # seconds' worth of messages that may come together, as times that have passed are used a little later


def test_two_processes_send_no_more_together_than_the_limits_say(tmp_path: Path, postgresql: PostgreSQL) -> None:
    rates = IN_ALL | IN_PART
    with postgresql.database() as url:
        arrivals = measure(tmp_path, url, two_processes(), rates, seconds=SECONDS)
    for name, rate in rates.items():
        assert arrivals.between(name, arrivals.at[0], arrivals.at[0] + SECONDS) <= rate * (SECONDS + LATE) + 2
    assert arrivals.most_connections <= min(CONNECTIONS)
    assert len(arrivals.by_machine) == 2
