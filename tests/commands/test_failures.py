"""What `send-issue 29` does when the relay says no, not now, or nothing."""

import socket
import time

import pytest

from tests.newsletter import ANN, CAST, CLEO, DAN, EVE, Newsletter
from tests.relay import EXTENSIONS, Relay

OTHERS = sorted(set(CAST) - {CLEO})


def test_cleo_is_deferred_and_sent_by_the_next_run(live: Newsletter, relay: Relay) -> None:
    relay.reply("rcpt", "452 4.2.2 mailbox full", to=CLEO, times=1)
    live.send(code=75)
    row = live.report()[CLEO]
    assert (row.state, row.attempts, row.code) == ("deferred", "1", "452")
    assert "mailbox full" in row.reply
    assert relay.copies == dict.fromkeys(OTHERS, 1)
    live.send()
    row = live.report()[CLEO]
    assert (row.state, row.attempts, row.code) == ("sent", "2", "250")
    assert relay.copies == dict.fromkeys(CAST, 1)


def test_a_message_tried_twice_is_the_same_to_the_last_byte(live: Newsletter, relay: Relay) -> None:
    relay.reply("dot", "451 4.3.0 try later", to=CLEO, times=1)
    live.send(code=75)
    live.send()
    first, second = [message.content for message in relay.offered if message.recipient == CLEO]
    assert first == second
    assert relay.copies == dict.fromkeys(CAST, 1)


def test_dan_is_refused_and_not_tried_again(live: Newsletter, relay: Relay) -> None:
    relay.reply("rcpt", "550 5.1.1 no such user", to=DAN)
    live.send()
    row = live.report()[DAN]
    assert (row.state, row.code) == ("refused", "550")
    assert "no such user" in row.reply
    recipients_before = relay.commands["RCPT"]
    live.send()
    assert relay.commands["RCPT"] == recipients_before
    assert DAN not in relay.copies


def test_a_message_refused_after_the_dot_is_refused(live: Newsletter, relay: Relay) -> None:
    relay.reply("dot", "554 5.6.0 not this one", to=DAN)
    live.send()
    assert live.states()[DAN] == "refused"


@pytest.mark.parametrize("kept", [True, False], ids=["the relay kept it", "the relay lost it"])
def test_a_dot_without_a_reply_leaves_eve_in_doubt_for_good(live: Newsletter, relay: Relay, *, kept: bool) -> None:
    relay.close("dot", to=EVE, kept=kept, times=1)
    said = live.send(code=76)
    assert EVE in said
    assert live.states()[EVE] == "in_doubt"
    live.send(code=76)
    assert [message.recipient for message in relay.offered].count(EVE) == 1
    assert live.states()[EVE] == "in_doubt"
    live.expect(0, "dispatcher", "audit", "29")


def test_a_garbled_reply_to_the_dot_is_a_doubt_too(live: Newsletter, relay: Relay) -> None:
    relay.reply("dot", "certainly, dear", to=EVE, times=1)
    live.send(code=76)
    assert live.states() == dict.fromkeys(CAST, "sent") | {EVE: "in_doubt"}


def test_a_refused_sender_stops_the_run_and_marks_nobody(live: Newsletter, relay: Relay) -> None:
    relay.reply("mail", "550 5.7.1 sender not wanted")
    said = live.send(code=69)
    assert "sender not wanted" in said
    assert "refused" not in _states_if_any(live)
    relay.forget_rules()
    live.send()
    assert relay.copies == dict.fromkeys(CAST, 1)


def test_a_relay_that_refuses_everybody_alike_stops_the_run_and_marks_nobody(live: Newsletter, relay: Relay) -> None:
    everybody = [f"reader{n}@example.com" for n in range(60)]
    live.write_readers([[address, "", ""] for address in everybody])
    relay.reply("rcpt", "550 5.7.1 your network is blocked")
    live.send(code=69)
    assert set(live.states().values()) == {"queued"}
    relay.forget_rules()
    live.send()
    assert relay.copies == dict.fromkeys(everybody, 1)


def test_a_relay_that_refuses_every_content_alike_stops_the_run_and_marks_nobody(
    live: Newsletter, relay: Relay
) -> None:
    everybody = [f"reader{n}@example.com" for n in range(60)]
    live.write_readers([[address, "", ""] for address in everybody])
    relay.reply("dot", "554 5.7.1 looks like spam")
    live.send(code=69)
    assert set(live.states().values()) == {"queued"}
    relay.forget_rules()
    live.send()
    assert relay.copies == dict.fromkeys(everybody, 1)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_password_is_sent_over_tls_only(newsletter: Newsletter, tls: str) -> None:
    assert tls in {"starttls", "implicit"}
    with Relay(tls="starttls" if tls == "starttls" else "implicit", user="letter", password="s3cret-word") as relay:
        newsletter.send_over(relay)
        newsletter.send()
        assert relay.copies == dict.fromkeys(CAST, 1)
        assert relay.commands["AUTH"] > 0
        assert not relay.has_seen_auth_in_plaintext


def test_a_wrong_password_stops_the_run_and_is_not_shown(newsletter: Newsletter) -> None:
    with Relay(tls="starttls", user="letter", password="s3cret-word") as relay:
        newsletter.send_over(relay)
        newsletter.env["DISPATCHER_RELAY_PASSWORD"] = "wr0ng-word"
        said = newsletter.send(code=69)
        assert "535" in said
        assert "wr0ng-word" not in said
        assert relay.commands["MAIL"] == 0


def test_a_relay_without_starttls_gets_neither_password_nor_mail(newsletter: Newsletter, relay: Relay) -> None:
    newsletter.env |= {
        "DISPATCHER_RELAY": f"smtp://letter@localhost:{relay.port}",
        "DISPATCHER_RELAY_PASSWORD": "s3cret-word",
    }
    relay.user = "letter"
    said = newsletter.send(code=69)
    assert "STARTTLS" in said
    assert relay.commands["MAIL"] == relay.commands["AUTH"] == 0
    assert not relay.has_seen_auth_in_plaintext


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_certificate_that_nobody_vouches_for_stops_the_run(newsletter: Newsletter, tls: str) -> None:
    with Relay(tls="starttls" if tls == "starttls" else "implicit") as relay:
        newsletter.env["DISPATCHER_RELAY"] = relay.url
        said = newsletter.send(code=69)
        assert "certificate" in said.lower()
        assert relay.commands["MAIL"] == 0


def test_plaintext_refuses_a_password(newsletter: Newsletter, relay: Relay) -> None:
    newsletter.env |= {
        "DISPATCHER_RELAY": f"smtp://letter@127.0.0.1:{relay.port}?tls=none",
        "DISPATCHER_RELAY_PASSWORD": "s3cret-word",
    }
    relay.user = "letter"
    assert newsletter.run("send-issue", "29", "--yes", "--patience", "0").returncode in {69, 78}
    assert not relay.has_seen_auth_in_plaintext
    assert relay.messages == []


def test_a_relay_that_turns_us_away_at_the_door_stops_the_run(live: Newsletter, relay: Relay) -> None:
    relay.reply("connect", "554 5.7.1 no service for you")
    said = live.send(code=69)
    assert "no service for you" in said
    assert relay.commands["MAIL"] == 0


def test_a_connection_refused_ends_the_run_within_half_a_minute(newsletter: Newsletter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    newsletter.env["DISPATCHER_RELAY"] = f"smtp://127.0.0.1:{port}?tls=none"
    began = time.monotonic()
    newsletter.send(code=69)
    assert time.monotonic() - began < 45
    assert "refused" not in _states_if_any(newsletter)


def test_a_message_lost_in_its_body_is_sent_again_or_named_as_doubtful(live: Newsletter, relay: Relay) -> None:
    """The kernel may have taken the dot before it learns that nobody reads on: then only doubt is honest."""
    relay.close("body", to=ANN, times=1)
    done = live.run("send-issue", "29", "--yes", "--patience", "1m")
    state = live.states()[ANN]
    assert (done.returncode, state, relay.copies[ANN]) in {(0, "sent", 1), (76, "in_doubt", 0)}
    assert {address: relay.copies[address] for address in CAST if address != ANN} == dict.fromkeys(set(CAST) - {ANN}, 1)


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
def test_a_421_in_mid_session_only_costs_the_connection(live: Newsletter, relay: Relay, stage: str) -> None:
    match stage:
        case "mail":
            relay.reply("mail", "421 4.7.0 enough for one connection", times=1, skip=2)
        case "rcpt":
            relay.reply("rcpt", "421 4.7.0 enough for one connection", times=1, skip=2)
        case _:
            relay.close("data", times=1, skip=2)
    live.send("--patience", "1m")
    assert relay.copies == dict.fromkeys(CAST, 1)


def test_patience_waits_for_a_deferred_reader(live: Newsletter, relay: Relay) -> None:
    """Nothing is due within a second: the run must end by itself, in time, and say 75."""
    relay.reply("rcpt", "451 4.7.1 greylisted", to=CLEO)
    began = time.monotonic()
    live.send("--patience", "2s", code=75)
    assert time.monotonic() - began < 30
    assert live.states()[CLEO] == "deferred"


def test_a_relay_that_goes_away_in_mid_issue_ends_in_75_and_loses_nobody(live: Newsletter, relay: Relay) -> None:
    everybody = [f"reader{n}@example.com" for n in range(60)]
    live.write_readers([[address, "", ""] for address in everybody])
    relay.reply("mail", "421 4.3.2 shutting down", skip=30)
    relay.reply("connect", "421 4.3.2 shutting down", skip=16)
    live.send(code=75)
    assert set(live.states().values()) <= {"sent", "queued", "deferred"}
    relay.forget_rules()
    live.send()
    assert relay.copies == dict.fromkeys(everybody, 1)


def test_a_relay_without_extensions_is_served_in_seven_bits(newsletter: Newsletter) -> None:
    with Relay(extensions=()) as relay:
        newsletter.send_over(relay)
        newsletter.send()
        assert relay.copies == dict.fromkeys(CAST, 1)
        assert all(message.content.isascii() for message in relay.messages)
        assert all(message.mail_options == "" for message in relay.messages)


def test_a_relay_whose_size_limit_is_too_small_marks_nobody(newsletter: Newsletter) -> None:
    with Relay(extensions=(*EXTENSIONS[:1], "SIZE 1000")) as relay:
        newsletter.send_over(relay)
        newsletter.run("send-issue", "29", "--yes", "--patience", "0")
        assert relay.messages == []


def test_addresses_do_not_go_to_the_log(live: Newsletter, relay: Relay) -> None:
    relay.reply("rcpt", "452 4.2.2 <cleo@example.com> mailbox full", to=CLEO, times=1)
    done = live.run("send-issue", "29", "--yes", "--patience", "0")
    assert "@example.com" not in done.stderr


def _states_if_any(newsletter: Newsletter) -> set[str]:
    done = newsletter.run("dispatcher", "report", "29", "--format", "tsv")
    return {line.split("\t")[1] for line in done.stdout.splitlines()[1:]}
