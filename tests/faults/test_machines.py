"""Short forms of `python -m tests.faults machines`: several workers send one issue, and something happens to them."""

from pathlib import Path

from tests.faults.machines import fleet, make_trouble
from tests.faults.room import readers
from tests.servers.postgresql import own_postgresql
from tests.sink import Sink


def test_two_workers_killed_cut_off_and_their_server_restarted_keep_the_promise(tmp_path: Path) -> None:
    with (
        own_postgresql() as server,
        Sink(tmp_path / "sink", lax=True, delay=0.03) as sink,
        fleet(tmp_path, server, sink, readers(1_500), machines=2, dead_after=2) as two,
    ):
        make_trouble(two, kills=2, restarts=1, cuts=1, seed=29)
