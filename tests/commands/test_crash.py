"""What is left after SIGKILL and Ctrl-C in mid-issue, counted where the mail arrives."""

import os
import signal

from tests.newsletter import CAST, Newsletter
from tests.relay import Relay

CONNECTIONS = 16


def test_killed_three_times_nobody_gets_two_and_nobody_is_lost(live: Newsletter, relay: Relay) -> None:
    everybody = [f"reader{n:04}@example.com" for n in range(2000)]
    live.write_readers([[address, f"Reader {n}", ("", "zh")[n % 2]] for n, address in enumerate(everybody)])
    relay.delay("dot", 0.003)
    for arrived in (200, 700, 1300):
        send_and_kill(live, relay, arrived=arrived)
    done = live.run("send-issue", "29", "--yes", "--patience", "1m", timeout=120)

    states = live.states()
    doubtful = {address for address, state in states.items() if state == "in_doubt"}
    assert done.returncode == (76 if doubtful else 0), done.stdout + done.stderr
    assert max(relay.copies.values()) == 1
    assert set(everybody) - set(relay.copies) <= doubtful
    assert len(doubtful) <= 3 * CONNECTIONS
    assert sorted(states) == everybody
    assert set(states.values()) <= {"sent", "in_doubt"}
    assert all(address in done.stdout + done.stderr for address in doubtful)
    live.expect(0, "dispatcher", "audit", "29")


def test_killed_before_any_dot_loses_nobody_and_mails_nobody_twice(live: Newsletter, relay: Relay) -> None:
    release = relay.hold("rcpt")
    send_and_kill(live, relay, at="RCPT")
    release()
    done = live.run("send-issue", "29", "--yes", "--patience", "1m")
    doubtful = {address for address, state in live.states().items() if state == "in_doubt"}
    assert done.returncode == (76 if doubtful else 0)
    assert relay.copies == dict.fromkeys(set(CAST) - doubtful, 1)


def test_killed_between_dot_and_reply_leaves_a_doubt_and_no_second_copy(live: Newsletter, relay: Relay) -> None:
    release = relay.hold("dot")
    send_and_kill(live, relay, arrived=1)
    arrived = set(relay.copies)
    release()
    live.send(code=76)
    assert set(relay.copies.values()) == {1}
    assert arrived <= {address for address, state in live.states().items() if state == "in_doubt"}
    live.expect(0, "dispatcher", "audit", "29")


def test_ctrl_c_finishes_open_conversations_and_the_next_run_goes_on(live: Newsletter, relay: Relay) -> None:
    everybody = [f"reader{n:04}@example.com" for n in range(600)]
    live.write_readers([[address, "", ""] for address in everybody])
    relay.delay("dot", 0.02)
    sender = live.start("send-issue", "29", "--yes", "--patience", "1m")
    relay.wait_for(lambda relay: len(relay.messages) >= 50)
    sender.send_signal(signal.SIGINT)
    assert sender.wait(60) == 75, live.said("send-issue")
    assert "Traceback" not in live.said("send-issue")
    states = live.states()
    assert set(states.values()) == {"sent", "queued"}
    assert list(states.values()).count("sent") == len(relay.messages) < len(everybody)
    live.send()
    assert relay.copies == dict.fromkeys(everybody, 1)


def test_sigterm_ends_as_ctrl_c_does(live: Newsletter, relay: Relay) -> None:
    everybody = [f"reader{n:04}@example.com" for n in range(300)]
    live.write_readers([[address, "", ""] for address in everybody])
    relay.delay("dot", 0.02)
    sender = live.start("send-issue", "29", "--yes", "--patience", "1m")
    relay.wait_for(lambda relay: len(relay.messages) >= 20)
    sender.terminate()
    assert sender.wait(60) == 75, live.said("send-issue")
    assert "in_doubt" not in live.states().values()


def send_and_kill(live: Newsletter, relay: Relay, *, arrived: int = 0, at: str = "MAIL") -> None:
    """Start to send, and kill the sender once so many messages are here and this command was seen."""
    sender = live.start("send-issue", "29", "--yes", "--patience", "1m")
    relay.wait_for(
        lambda relay: sender.poll() is not None or (relay.commands[at] > 0 and len(relay.messages) >= arrived)
    )
    assert sender.poll() is None, live.said("send-issue")
    os.kill(sender.pid, signal.SIGKILL)
    sender.wait(10)


def test_killed_while_it_waits_for_a_lost_relay_doubts_nobody(live: Newsletter, relay: Relay) -> None:
    relay.reply("mail", "421 4.3.2 going down", skip=1, times=1)
    relay.reply("connect", "421 4.3.2 down", skip=1)
    sending = live.start("send-issue", "29", "--yes", "--patience", "5m")
    relay.wait_for(lambda relay: relay.commands["MAIL"] == 2)
    relay.wait_for(lambda _: sorted(set(live.states().values())) == ["queued", "sent"])
    sending.kill()
    sending.wait()
    relay.forget_rules()
    live.send()
    assert set(live.states().values()) == {"sent"}
    assert set(relay.copies.values()) == {1}
