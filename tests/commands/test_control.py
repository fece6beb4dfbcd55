"""What an operator can do to an issue: the gate, stop and cancel, new and refused readers, a later hour, doubts."""

import json
import re
import signal
import time
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image

from tests.newsletter import ANN, BOB, CAST, CLEO, DAN, READERS, WANG_FANG, Newsletter, text_of
from tests.relay import Relay
from tests.servers.postfix import Postfix

STAGING = ("stan@example.com", "xiaoli@example.com")


@pytest.fixture
def gated(live: Newsletter) -> Newsletter:
    live.replace("pyproject.toml", "require_staging = false", "require_staging = true")
    return live


# --- the gate -----------------------------------------------------------------------------------------


def test_what_no_staging_reader_saw_does_not_go_live(gated: Newsletter, relay: Relay) -> None:
    said = gated.send(code=77)
    assert "run: send-issue 29 --staging" in said
    assert "en, zh" in said
    gated.expect(0, "send-issue", "29", "--staging", env={"DISPATCHER_RELAY": "maildir:outbox"})
    gated.send(code=77)  # a Maildir is no inbox
    gated.expect(0, "send-issue", "29", "--staging")
    gated.send()
    assert relay.copies == dict.fromkeys([*CAST, *STAGING, STAGING[0]], 1) | {STAGING[0]: relay.copies[STAGING[0]]}


@pytest.mark.parametrize("change", ["text", "picture", "string", "setting"])
def test_one_byte_that_a_reader_would_see_closes_the_gate(gated: Newsletter, relay: Relay, change: str) -> None:
    gated.write("templates/default/strings/en.toml", 'unsubscribe = "Leave"\n')
    gated.expect(0, "send-issue", "29", "--staging")
    match change:
        case "text":
            gated.replace("issues/29/issue.md", "here are two small stories", "here are 2 small stories")
        case "picture":
            Image.new("RGB", (60, 40), (254, 0, 0)).save(gated.folder / "issues/29/img/a.png")
        case "string":
            gated.write("templates/default/strings/en.toml", 'unsubscribe = "leave"\n')
        case _:
            gated.replace("pyproject.toml", "1 Example Street", "2 Example Street")
    mailed = relay.commands["MAIL"]
    gated.send(code=77)
    assert relay.commands["MAIL"] == mailed


def test_another_issue_and_a_comment_leave_the_gate_open(gated: Newsletter) -> None:
    gated.expect(0, "send-issue", "29", "--staging")
    gated.write("issues/30/issue.md", "# Another\n")
    gated.replace("issues/29/issue.md", "# At home", "<!-- a note of the editor -->\n\n# At home")
    gated.replace("pyproject.toml", "list =", "# a comment\nlist =")
    gated.send()


def test_a_reason_passes_the_gate_and_is_remembered(gated: Newsletter) -> None:
    said = gated.send("--force", "the printer waits")
    assert "the gate is passed without staging: the printer waits" in said
    assert "the printer waits" in gated.expect(0, "dispatcher", "report", "29")


def test_a_reason_is_kept_if_the_gate_needed_it_and_beside_an_earlier_one(gated: Newsletter, relay: Relay) -> None:
    gated.send("--force", "", code=2)
    gated.send("--force", "  ", code=2)
    relay.reply("rcpt", "451 4.7.1 come again", to=CLEO, times=3)
    gated.send("--force", "the printer waits", code=75)
    gated.send("--force", "was not needed", code=75)
    gated.replace("issues/29/issue.md", "two small stories", "two corrected stories")
    gated.send("--refreeze", "--force", "a wrong name", code=75)
    assert "sent without staging: the printer waits; a wrong name\n" in gated.expect(0, "dispatcher", "report", "29")


# --- stop and cancel ----------------------------------------------------------------------------------


def test_stop_pauses_between_two_messages(live: Newsletter, relay: Relay) -> None:
    release = relay.hold("dot")
    sender = live.start("send-issue", "29", "--yes")
    relay.wait_for(lambda relay: relay.commands["DATA"] > 0)
    assert "send-issue 29 goes on" in live.expect(0, "dispatcher", "stop", "29")
    until = time.monotonic() + 30
    while "stopped from outside" not in live.said("send-issue"):
        assert time.monotonic() < until, live.said("send-issue")
        time.sleep(0.05)
    release()
    assert sender.wait(60) == 75
    states = live.states()
    assert set(states.values()) == {"sent", "queued"}
    live.expect(0, "dispatcher", "worker", "--once")
    assert live.states() == states  # only send-issue resumes
    live.send()
    assert relay.copies == dict.fromkeys(CAST, 1)


def test_cancel_gives_up_the_rest(live: Newsletter, relay: Relay) -> None:
    relay.reply("rcpt", "451 4.7.1 come again", to=CLEO)
    live.send(code=75)
    said = live.expect(0, "dispatcher", "cancel", "29")
    assert "1 readers are not mailed" in said or "1 reader" in said
    row = live.report()[CLEO]
    assert (row.state, row.reason) == ("skipped", "cancelled")
    live.send()
    assert CLEO not in relay.copies
    live.expect(0, "dispatcher", "audit", "29")


def test_what_is_over_is_neither_stopped_nor_cancelled(live: Newsletter) -> None:
    live.send()
    for command in ("stop", "cancel"):
        assert "issue 29 has been sent already" in live.expect(0, "dispatcher", command, "29")
    assert "stopped" not in live.send()


def test_a_cancelled_issue_is_told_as_cancelled_and_its_doubts_are_counted(live: Newsletter, relay: Relay) -> None:
    relay.close("dot", to=DAN, times=1)
    relay.reply("rcpt", "451 4.7.1 come again", to=CLEO)
    live.send(code=75)
    assert "1 are in doubt: dispatcher report 29" in live.expect(0, "dispatcher", "cancel", "29")
    assert "issue 29 is cancelled" in live.expect(0, "dispatcher", "stop", "29")
    said = live.send(code=76)
    assert "issue 29 was cancelled, nobody is mailed again" in said
    assert "stopped" not in said


def test_the_sender_of_an_issue_that_is_cancelled_says_so(live: Newsletter, relay: Relay) -> None:
    release = relay.hold("dot")
    sender = live.start("send-issue", "29", "--yes")
    relay.wait_for(lambda relay: relay.commands["DATA"] > 0)
    cancelling = live.start("dispatcher", "cancel", "29")
    until = time.monotonic() + 30
    while "cancelled; open conversations are finished" not in live.said("send-issue"):
        assert time.monotonic() < until, live.said("send-issue")
        time.sleep(0.05)
    release()
    assert sender.wait(60) == 75
    assert cancelling.wait(60) == 0
    assert "cancelled: who was not mailed yet is not mailed" in live.said("send-issue")
    assert "run again" not in live.said("send-issue")


# --- after completion, and in mid-issue ---------------------------------------------------------------


def test_new_readers_only_and_refused_readers_only(live: Newsletter, relay: Relay) -> None:
    relay.reply("rcpt", "550 5.7.1 not from here", to=DAN, times=1)
    live.expect(77, "send-issue", "29", "--yes", "--new")
    live.send()
    live.write("subscribers/readers.csv", READERS + "new@example.com,New,,\n")
    live.send()
    assert "new@example.com" not in relay.copies
    live.send("--new")
    assert relay.copies == dict.fromkeys({*CAST, "new@example.com"} - {DAN}, 1)
    live.send("--retry-refused")
    assert relay.copies == dict.fromkeys([*CAST, "new@example.com"], 1)
    live.expect(0, "dispatcher", "audit", "29")


def test_after_an_edit_in_mid_issue_the_others_get_the_new_text(gated: Newsletter, relay: Relay) -> None:
    gated.expect(0, "send-issue", "29", "--staging")
    relay.reply("rcpt", "451 4.7.1 come again", to=CLEO, times=2)
    gated.send(code=75)
    gated.replace("issues/29/issue.md", "two small stories", "two corrected stories")
    assert "issues/29/issue.md has changed" in gated.send(code=75)
    gated.send("--refreeze", code=77)  # through the gate
    gated.expect(0, "send-issue", "29", "--staging")
    gated.send("--refreeze")
    by_reader = {message.recipient: message.content for message in relay.messages}
    assert b"two corrected stories" in by_reader[CLEO]
    assert b"two small stories" in by_reader[ANN]
    rows = gated.report()
    assert {row.edition for row in rows.values()} == {"en", "zh"}
    assert {address for address, row in rows.items() if row.edition == "zh"} == {WANG_FANG}
    gated.expect(0, "dispatcher", "audit", "29")


# --- a later hour -------------------------------------------------------------------------------------


def test_a_scheduled_issue_is_sent_at_its_hour_to_who_is_there_then(live: Newsletter, relay: Relay) -> None:
    at = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="minutes")
    assert "scheduled for" in live.send("--at", at)
    live.expect(0, "dispatcher", "worker", "--once")
    assert relay.copies == {}
    live.replace("issues/29/issue.md", "here are two small stories", "here are two other stories")  # it is frozen
    live.write("subscribers/readers.csv", READERS + "new@example.com,New,,\n")
    live.change("UPDATE mailing SET scheduled_at = '2020-01-01T00:00:00.000000+00:00'")
    live.expect(0, "dispatcher", "worker", "--once")
    assert relay.copies == dict.fromkeys([*CAST, "new@example.com"], 1)
    assert b"two other stories" not in relay.messages[0].content
    live.expect(2, "send-issue", "29", "--at", "2020-01-01T00:00+00:00")
    live.expect(2, "send-issue", "29", "--at", "tomorrow")


def test_a_worker_tries_deferred_readers_when_they_are_due(live: Newsletter, relay: Relay) -> None:
    relay.reply("rcpt", "451 4.7.1 come again", to=CLEO, times=1)
    relay.close("dot", to=DAN, kept=True, times=1)
    live.send(code=75)
    worker = live.start("dispatcher", "worker")
    try:
        time.sleep(0.5)
        assert CLEO not in relay.copies
        live.change("UPDATE delivery SET due_at = '2020-01-01T00:00:00.000000+00:00' WHERE state = 'deferred'")
        relay.wait_for(lambda relay: CLEO in relay.copies)
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
    assert relay.copies == dict.fromkeys(CAST, 1)
    assert "who is in doubt: dispatcher report 29" in live.said("dispatcher")
    assert DAN not in live.said("dispatcher")  # it is kept in a log


def test_another_hour_says_what_it_takes_the_place_of(live: Newsletter) -> None:
    live.write("subscribers/vip.csv", READERS)
    assert "instead" not in live.send("--at", "2036-12-28T22:41+00:00")
    said = live.send("--at", "2036-12-28T23:00+00:00", "--list", "vip")
    assert "scheduled for 2036-12-28 23:00 UTC to vip, instead of 22:41 to readers" in said
    assert "instead of 2036-12-28 23:00 to vip" in live.send("--at", "2036-12-29T08:00+00:00")
    live.expect(0, "dispatcher", "subscribers", "import", "subscribers/readers.csv", "--list", "readers")
    assert "it is scheduled for 2036-12-29 08:00 UTC to readers" in live.expect(0, "dispatcher", "why", ANN, "29")


def test_what_was_asked_of_an_issue_is_in_its_status_and_report(live: Newsletter) -> None:
    def seen() -> tuple[str, str]:
        [standing] = json.loads(live.expect(0, "dispatcher", "status", "29", "--format", "json"))
        shown = live.expect(0, "dispatcher", "status", "29") + live.expect(0, "dispatcher", "report", "29")
        return standing["standing"], shown

    live.send("--at", "2036-12-28T22:41+00:00")
    standing, shown = seen()
    assert standing == "scheduled for 2036-12-28 22:41 UTC to readers"
    assert shown.count(standing) == 2
    assert re.search("live +scheduled", shown)  # not sent at any hour yet
    live.expect(0, "dispatcher", "stop", "29")
    assert seen()[0] == f"stopped, {standing}"
    live.expect(0, "dispatcher", "cancel", "29")
    standing, shown = seen()
    assert standing == "cancelled"
    assert shown.count("cancelled") == 2


def test_what_another_database_sent_is_not_told_as_not_yet(live: Newsletter) -> None:
    live.send()
    elsewhere = {"DISPATCHER_DATABASE": "sqlite:///other.db"}
    assert "sent from another database (receipt.json)" in live.expect(0, "dispatcher", "status", "29", env=elsewhere)
    assert "another database" not in live.expect(0, "dispatcher", "status", "29")


# --- canary and grace ---------------------------------------------------------------------------------


def test_too_many_refusals_among_the_first_stop_the_issue(live: Newsletter, relay: Relay) -> None:
    table = '\n[tool.dispatcher.canary]\nreaders = 3\nwait = "1s"\nmost_refused = 0.5\n'
    live.write("pyproject.toml", live.read("pyproject.toml") + table)
    for reader in (ANN, BOB):
        relay.reply("rcpt", "550 5.1.1 no such user", to=reader)
    said = live.send(code=75)
    assert "of the first 3 readers, relays refused 2" in said
    assert len(relay.copies) == 1
    live.send()  # by the editor's word
    assert len(relay.copies) == 4


def test_during_the_grace_everything_can_be_recalled(live: Newsletter, relay: Relay) -> None:
    live.replace("pyproject.toml", "list =", 'grace = "1m"\nlist =')
    sender = live.start("send-issue", "29", "--yes")
    until = time.monotonic() + 30
    while "until then Ctrl-C recalls" not in live.said("send-issue"):
        assert time.monotonic() < until, live.said("send-issue")
        time.sleep(0.05)
    sender.send_signal(signal.SIGINT)
    assert sender.wait(30) == 75
    assert "recalled: nobody was mailed" in live.said("send-issue")
    assert not relay.commands["MAIL"]


# --- doubts -------------------------------------------------------------------------------------------


def test_doubts_are_settled_by_an_operators_word(live: Newsletter, relay: Relay) -> None:
    for reader in (CLEO, DAN):
        relay.close("dot", to=reader, kept=reader == CLEO, times=1)
    live.send(code=76)
    live.expect(65, "dispatcher", "resolve", "29", "--sent", ANN)
    said = live.expect(0, "dispatcher", "resolve", "29", "--sent", CLEO, "--not-sent", DAN)
    assert "1 were sent, 1 are queued again, 0 stay in doubt" in said
    live.send()
    assert relay.copies == dict.fromkeys(CAST, 1)
    assert live.report()[CLEO].reason == "an operator says so"
    live.expect(0, "dispatcher", "audit", "29")


def test_doubts_are_settled_by_the_log_of_a_real_postfix(newsletter: Newsletter, postfix: Postfix) -> None:
    newsletter.env["DISPATCHER_RELAY"] = postfix.url
    newsletter.send("--patience", "1m")
    message_ids = {row.message_id for row in newsletter.report().values()}
    until = time.monotonic() + 30
    while not all(each in postfix.server.read_log() for each in message_ids):
        assert time.monotonic() < until
        time.sleep(0.1)
    newsletter.change("UPDATE delivery SET state = 'in_doubt', code = NULL, reply = NULL")
    said = newsletter.expect(0, "dispatcher", "resolve", "29", "--from-log", str(postfix.server.log))
    assert f"{len(CAST)} were sent, 0 are queued again, 0 stay in doubt" in said
    assert all("queued as" in row.reason for row in newsletter.report().values())


def test_a_message_id_alone_proves_nothing(live: Newsletter, relay: Relay) -> None:
    relay.close("dot", times=1)
    live.send(code=76)
    [doubt] = [row for row in live.report().values() if row.state == "in_doubt"]
    now = datetime.now(UTC)
    lines = [
        f"{(now - timedelta(hours=1)).isoformat()} mx postfix/smtpd[1]: connect from localhost[127.0.0.1]",
        f"{now.isoformat()} mx postfix/cleanup[2]: 4F1A2B: message-id=<{doubt.message_id}>",
        f"{now.isoformat()} mx postfix/smtpd[1]: lost connection after DATA (1234 bytes) from localhost[127.0.0.1]",
    ]
    live.write("mail.log", "\n".join(lines) + "\n")
    assert "stays in doubt" in live.expect(0, "dispatcher", "resolve", "29", "--from-log", "mail.log")
    later = f"{(now + timedelta(minutes=11)).isoformat()} mx postfix/smtpd[1]: connect from localhost[127.0.0.1]\n"
    live.write("mail.log", "\n".join(lines) + "\n" + later)
    said = live.expect(0, "dispatcher", "resolve", "29", "--from-log", "mail.log")
    assert "not sent, the relay never queued it" in said
    live.send()
    assert relay.copies == dict.fromkeys(CAST, 1)


@pytest.mark.parametrize(
    "command", [("resolve", "29", "--from-log", "/dev/null"), ("cancel", "29")], ids=["resolve", "cancel"]
)
def test_who_settles_doubts_without_the_relays_variable_queues_nobody_again(
    live: Newsletter, relay: Relay, command: tuple[str, ...]
) -> None:
    relay.hold("dot")
    sender = live.start("send-issue", "29", "--yes")
    relay.wait_for(lambda relay: len(relay.offered) > 0)
    time.sleep(0.3)
    sender.kill()
    sender.wait()
    [kept] = relay.copies
    relay.forget_rules()
    for shown in (live.expect(0, "dispatcher", "status"), live.expect(0, "dispatcher", "report", "29")):
        assert re.search(
            f"sending when the sender died: run send-issue 29 or dispatcher resolve 29\n(  .*\n)*  {kept}", shown
        )
    live.expect(0, "dispatcher", *command, env={"DISPATCHER_RELAY": "maildir:outbox"})
    assert live.states()[kept] == "in_doubt"
    assert "settle them: dispatcher resolve 29" in live.send(code=76)
    assert relay.copies[kept] == 1


def test_a_reader_refused_before_a_refreeze_gets_the_new_edition_when_he_is_tried_again(
    live: Newsletter, relay: Relay
) -> None:
    relay.reply("rcpt", "550 5.7.1 not from you today", to=DAN, times=1)
    relay.reply("rcpt", "451 4.7.1 come again", to=CLEO, times=1)
    live.send(code=75)
    live.replace("issues/29/issue.md", "here are two small stories", "here are two corrected stories")
    live.send("--refreeze")
    live.send("--retry-refused")
    assert "two corrected stories" in text_of(relay.message_to(DAN).parsed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_first_readers_stops_before_the_others(
    live: Newsletter, relay: Relay, number: signal.Signals
) -> None:
    table = '\n[tool.dispatcher.canary]\nreaders = 3\nwait = "0"\nmost_refused = 0.5\n'
    live.write("pyproject.toml", live.read("pyproject.toml") + table)
    release = relay.hold("dot")
    sender = live.start("send-issue", "29", "--yes")
    relay.wait_for(lambda relay: len(relay.offered) > 0)
    sender.send_signal(number)
    until = time.monotonic() + 30
    while "stopping" not in live.said("send-issue"):
        assert time.monotonic() < until
        time.sleep(0.02)
    release()
    assert sender.wait(30) == 75
    assert len(relay.copies) <= 3


def test_sigterm_recalls_everything_during_the_grace(live: Newsletter, relay: Relay) -> None:
    live.replace("pyproject.toml", "list =", 'grace = "1m"\nlist =')
    sender = live.start("send-issue", "29", "--yes")
    until = time.monotonic() + 30
    while "recalls" not in live.said("send-issue"):
        assert time.monotonic() < until
        time.sleep(0.02)
    sender.send_signal(signal.SIGTERM)
    assert sender.wait(30) == 75
    assert not relay.copies


def test_what_goes_on_with_a_stopped_issue_names_its_list(live: Newsletter, relay: Relay) -> None:
    live.write("subscribers/vip.csv", "email,name,language\nvip@example.com,V,en\n")
    relay.reply("rcpt", "451 4.7.1 come again", to="vip@example.com", times=1)
    live.send("--list", "vip", code=75)
    assert "send-issue 29 --list vip goes on" in live.expect(0, "dispatcher", "stop", "29")
