"""What a worker does of itself, and what it leaves to people."""

import signal
import socket
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.newsletter import CAST, CLEO, ISSUE, Newsletter
from tests.relay import Relay

THE_HOUR_COMES = "UPDATE mailing SET scheduled_at = '2020-01-01T00:00:00.000000+00:00'"
ALL_ARE_DUE = "UPDATE delivery SET due_at = '2020-01-01T00:00:00.000000+00:00' WHERE state = 'deferred'"


def schedule(live: Newsletter, *issues: str) -> None:
    """Their hour has come."""
    hour = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="minutes")
    for issue in issues:
        live.expect(0, "send-issue", issue, "--yes", "--at", hour)
    live.change(THE_HOUR_COMES)


def test_it_tries_the_deferred_of_a_list_and_mails_nobody_of_another(live: Newsletter, relay: Relay) -> None:
    live.write("subscribers/vip.csv", "email,name,language\nvip@example.com,V,en\n")
    relay.reply("rcpt", "451 4.7.1 come again", to="vip@example.com", times=1)
    live.send("--list", "vip", code=75)
    live.change(ALL_ARE_DUE)
    live.expect(0, "dispatcher", "worker", "--once")
    assert relay.copies == {"vip@example.com": 1}


@pytest.mark.parametrize("answer", ["554 5.3.2 not now", "421 4.3.2 restarting"])
def test_what_a_relay_did_not_take_at_the_hour_is_sent_at_the_next_look(
    live: Newsletter, relay: Relay, answer: str
) -> None:
    schedule(live, "29")
    relay.reply("connect", answer, times=1)
    live.expect(0, "dispatcher", "worker", "--once")
    assert not relay.copies
    live.expect(0, "dispatcher", "worker", "--once")
    assert relay.copies == dict.fromkeys(CAST, 1)


def test_deferred_readers_whom_a_lost_relay_did_not_hear_of_are_tried_again(live: Newsletter, relay: Relay) -> None:
    relay.reply("rcpt", "451 4.7.1 come again", to=CLEO, times=1)
    live.send(code=75)
    live.change(ALL_ARE_DUE)
    relay.reply("connect", "421 4.3.2 restarting", times=1)
    live.expect(0, "dispatcher", "worker", "--once")
    live.expect(0, "dispatcher", "worker", "--once")
    assert relay.copies == dict.fromkeys(CAST, 1)


@pytest.mark.parametrize("command", ["stop", "cancel"])
def test_an_issue_that_is_stopped_while_another_goes_out_is_not_begun(
    live: Newsletter, relay: Relay, command: str
) -> None:
    live.write("issues/30/issue.md", ISSUE.replace("number: 29", "number: 30"))
    live.write("issues/30/img/a.png", (live.folder / "issues/29/img/a.png").read_bytes())
    schedule(live, "29", "30")
    release = relay.hold("dot")
    worker = live.start("dispatcher", "worker", "--once")
    relay.wait_for(lambda relay: len(relay.offered) > 0)
    if command == "stop":
        live.expect(0, "dispatcher", "stop", "30")
    else:  # cancel waits for the run that holds the lock
        cancelling = live.start("dispatcher", "cancel", "30")
        named = f"another issue is being sent by pid {worker.pid} on {socket.gethostname()}; waiting for it"
        until = time.monotonic() + 30
        while named not in live.said("dispatcher"):
            assert time.monotonic() < until, live.said("dispatcher")
            time.sleep(0.05)
    release()
    assert worker.wait(60) == 0, live.said("dispatcher")
    if command == "cancel":
        assert cancelling.wait(60) == 0
    assert relay.copies == dict.fromkeys(CAST, 1)


def test_it_ends_in_the_wait_after_a_canary(live: Newsletter, relay: Relay) -> None:
    table = '\n[tool.dispatcher.canary]\nreaders = 3\nwait = "1h"\nmost_refused = 0.5\n'
    live.write("pyproject.toml", live.read("pyproject.toml") + table)
    schedule(live, "29")
    worker = live.start_installed("dispatcher", "worker")
    relay.wait_for(lambda relay: len(relay.copies) == 3)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    assert len(relay.copies) == 3
    assert "worker: does what is due" in live.said("dispatcher")
