"""Readers who leave while their issue goes out; the long form is tests/benchmarks/unsubscribes.py."""

import socket
from pathlib import Path

from tests.benchmarks.unsubscribes import leave_while_sending


def test_who_leaves_in_mid_issue_is_answered_and_not_mailed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    folder = tmp_path / "letter"
    folder.mkdir()
    outcome = leave_while_sending(folder, readers=1500, leavers=30, port=port)
    assert set(outcome.statuses) == {200}
    assert outcome.were_queued > 0
    assert outcome.late == ()
    assert outcome.mailed == 1500 - outcome.were_queued
