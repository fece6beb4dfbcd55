"""What `send-issue 29` does when nothing goes wrong."""

import json
import re
import shutil
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib.metadata import version

import pytest

from tests.newsletter import ANN, BOB, CAST, CLEO, DAN, EVE, WANG_FANG, Newsletter, html_of, text_of
from tests.relay import Relay

READERS = sorted(set(CAST) - {BOB})


def recipients(newsletter: Newsletter) -> list[str]:
    return sorted(message["To"].addresses[0].addr_spec for message in newsletter.outbox())


def test_the_default_run_puts_one_message_a_reader_into_the_outbox(newsletter: Newsletter) -> None:
    newsletter.expect(0, "send-issue", "29")
    assert recipients(newsletter) == sorted(CAST)


def test_a_maildir_run_repeated_unchanged_mails_nobody(newsletter: Newsletter) -> None:
    newsletter.expect(0, "send-issue", "29")
    newsletter.expect(0, "send-issue", "29")
    assert len(newsletter.outbox()) == len(CAST)


def test_a_maildir_run_leaves_no_receipt(newsletter: Newsletter) -> None:
    newsletter.expect(0, "send-issue", "29")
    assert not (newsletter.folder / "issues/29/receipt.json").exists()


def test_the_issue_is_found_by_its_folder_too(newsletter: Newsletter) -> None:
    (newsletter.folder / "issues/29").rename(newsletter.folder / "issues/029-two-stories")
    newsletter.expect(0, "send-issue", "issues/029-two-stories/")
    newsletter.expect(0, "send-issue", "29")
    assert len(newsletter.outbox()) == len(CAST)


def test_the_newsletter_is_found_from_a_folder_inside_it_or_named(newsletter: Newsletter) -> None:
    inside = Newsletter(newsletter.folder / "issues/29", newsletter.env)
    inside.expect(0, "send-issue", "29")
    outside = Newsletter(newsletter.folder.parent, newsletter.env)
    outside.expect(0, "send-issue", "29", "-C", str(newsletter.folder))
    assert len(newsletter.outbox()) == len(CAST)


def test_a_live_run_hands_each_reader_one_copy(live: Newsletter, relay: Relay) -> None:
    live.send()
    assert relay.copies == dict.fromkeys(CAST, 1)
    for message in relay.messages:
        assert [address.addr_spec for address in message.parsed["To"].addresses] == [message.recipient]


def test_a_live_run_repeated_mails_nobody(live: Newsletter, relay: Relay) -> None:
    live.send()
    live.send()
    assert relay.copies == dict.fromkeys(CAST, 1)


def test_who_unsubscribed_gets_nothing(live: Newsletter, relay: Relay) -> None:
    live.bob_leaves()
    live.send()
    assert relay.copies == dict.fromkeys(READERS, 1)
    assert live.states().get(BOB, "skipped") == "skipped"


def test_without_a_terminal_a_live_run_needs_yes(live: Newsletter, relay: Relay) -> None:
    said = live.expect(77, "send-issue", "29")
    assert "--yes" in said
    assert relay.messages == []
    assert not (live.folder / "issues/29/receipt.json").exists()


def test_a_wrong_answer_to_the_confirmation_is_no_answer(live: Newsletter, relay: Relay) -> None:
    assert live.run("send-issue", "29", answer="yes\n").returncode == 77
    assert relay.messages == []


def test_the_receipt_holds_counts_and_no_address(live: Newsletter) -> None:
    live.send()
    receipt = live.read("issues/29/receipt.json")
    assert isinstance(json.loads(receipt), dict)
    assert "@" not in receipt.replace("letter@example.org", "")
    assert str(len(CAST)) in receipt


def test_the_receipt_says_which_templates_drew_the_issue(live: Newsletter) -> None:
    live.write("templates/default/strings/en.toml", 'unsubscribe = "Leave"\n')
    live.write("templates/default/strings/zh.toml", 'unsubscribe = "离开"\n')
    live.send()
    receipt = json.loads(live.read("issues/29/receipt.json"))
    assert receipt["dispatcher"] == version("newsletter-dispatcher")
    files = sorted(path for path in (live.folder / "templates").rglob("*") if path.is_file())
    lines = [f"{path.relative_to(live.folder)} {sha256(path.read_bytes()).hexdigest()}" for path in files]
    assert receipt["templates"] == sha256("\n".join(lines).encode()).hexdigest()


@pytest.mark.usefixtures("in_a_file")
def test_a_receipt_that_the_database_does_not_know_stops_the_send(live: Newsletter, relay: Relay) -> None:
    live.send()
    for file in live.folder.glob("dispatcher.db*"):
        file.unlink()
    said = live.send(code=77)
    assert "issue 29" in said
    assert relay.copies == dict.fromkeys(CAST, 1)


def test_live_and_trial_are_kept_apart(newsletter: Newsletter, relay: Relay) -> None:
    newsletter.expect(0, "send-issue", "29")
    trial_ids = {message["Message-ID"] for message in newsletter.outbox()}
    newsletter.env["DISPATCHER_RELAY"] = relay.url
    newsletter.send()
    live_ids = {message.parsed["Message-ID"] for message in relay.messages}
    assert len(trial_ids) == len(live_ids) == len(CAST)
    assert not trial_ids & live_ids
    assert {row.message_id.strip("<>") for row in newsletter.report().values()} == {i.strip("<>") for i in live_ids}


def test_a_trial_after_the_live_run_changes_nothing_live(live: Newsletter, relay: Relay) -> None:
    live.send()
    before = live.report()
    live.expect(0, "send-issue", "29", env={"DISPATCHER_RELAY": "maildir:outbox"})
    assert len(live.outbox()) == len(CAST)
    assert live.report() == before
    assert len(relay.messages) == len(CAST)


def test_staging_gets_every_edition_anew_each_time(live: Newsletter, relay: Relay) -> None:
    for run in (1, 2):
        live.expect(0, "send-issue", "29", "--staging")
        assert relay.copies == {"stan@example.com": 2 * run, "xiaoli@example.com": run}
    subjects = [message.parsed["Subject"] for message in relay.messages]
    assert all("[staging]" in subject for subject in subjects)
    assert len({message.parsed["Message-ID"] for message in relay.messages}) == 6
    assert {"Test Letter 29" in subject for subject in subjects} == {True, False}


def test_staging_leaves_the_live_run_untouched(live: Newsletter, relay: Relay) -> None:
    live.expect(0, "send-issue", "29", "--staging")
    assert not (live.folder / "issues/29/receipt.json").exists()
    live.send()
    assert {address: relay.copies[address] for address in CAST} == dict.fromkeys(CAST, 1)
    assert sorted(live.report()) == sorted(CAST)


def test_a_test_copy_goes_to_any_address_merged_as_the_reader_named(live: Newsletter, relay: Relay) -> None:
    live.expect(0, "dispatcher", "subscribers", "import", "subscribers/readers.csv", "--list", "readers")
    live.expect(0, "send-issue", "29", "--test", "colleague@example.net", "--as", WANG_FANG)
    message = relay.message_to("colleague@example.net").parsed
    assert "第29期" in message["Subject"]
    assert "亲爱的王芳" in text_of(message)
    assert "亲爱的王芳" in html_of(message)
    live.send()
    assert {address: relay.copies[address] for address in CAST} == dict.fromkeys(CAST, 1)
    assert "colleague@example.net" not in live.report()


def test_a_test_copy_cannot_unsubscribe_the_reader_it_was_merged_as(live: Newsletter, relay: Relay) -> None:
    live.expect(0, "dispatcher", "subscribers", "import", "subscribers/readers.csv", "--list", "readers")
    live.expect(0, "send-issue", "29", "--test", "colleague@example.net", "--as", ANN)
    live.send()
    to_ann, to_colleague = relay.message_to(ANN).parsed, relay.message_to("colleague@example.net").parsed
    assert to_ann["List-Unsubscribe"] != to_colleague["List-Unsubscribe"]
    assert "sample" in to_colleague["List-Unsubscribe"]


def test_a_dry_run_hands_over_nothing(live: Newsletter, relay: Relay) -> None:
    live.bob_leaves()
    said = live.expect(0, "send-issue", "29", "--dry-run")
    assert "Gmail shows 100,000" in said
    assert re.search(r"en: 1 picture of \d+ bytes", said)
    assert relay.messages == []
    assert live.outbox() == []
    assert not (live.folder / "issues/29/receipt.json").exists()
    live.send()
    assert relay.copies == dict.fromkeys(READERS, 1)


def test_a_dry_run_foretells_when_it_will_end_under_the_quota_of_the_day(live: Newsletter, relay: Relay) -> None:
    tables = f'\n[[tool.dispatcher.relays]]\nurl = "{relay.url}"\nper_day = 2\n'
    live.write("pyproject.toml", live.read("pyproject.toml") + tables)
    del live.env["DISPATCHER_RELAY"]
    said = live.expect(0, "send-issue", "29", "--dry-run")
    until = (datetime.now(UTC) + timedelta(days=2)).date()
    assert "expected time: 2 days 0 h, with the 2 a day of 127.0.0.1:" in said
    assert re.search(rf"begun now, it ends on \w+day {until} about \d\d:\d\d UTC", said)


def test_each_reader_gets_the_issue_in_the_best_matching_language(live: Newsletter, relay: Relay) -> None:
    live.write_readers([
        ["none@example.com", "", ""],
        ["british@example.com", "", "en-GB"],
        ["french@example.com", "", "fr"],
        ["chinese@example.com", "", "zh"],
        ["taiwan@example.com", "", "zh-Hant-TW"],
        ["shouting@example.com", "", "ZH-CN"],
    ])  # fmt: skip
    live.send()
    in_chinese = {m.recipient.partition("@")[0] for m in relay.messages if "第29期" in m.parsed["Subject"]}
    assert in_chinese == {"chinese", "taiwan", "shouting"}
    assert {row.edition for row in live.report().values()} == {"en", "zh"}


def test_personal_fields_are_merged_per_reader(live: Newsletter, relay: Relay) -> None:
    live.send()
    for address, greeting in {ANN: "Dear Ann,", EVE: "Dear reader,", WANG_FANG: "亲爱的王芳"}.items():
        message = relay.message_to(address).parsed
        assert greeting in text_of(message)
        assert greeting in html_of(message)


def test_the_report_has_a_line_for_every_reader(live: Newsletter, relay: Relay) -> None:
    live.send()
    report = live.report()
    assert sorted(report) == sorted(CAST)
    for message in relay.messages:
        row = report[message.recipient]
        assert (row.state, row.attempts, row.code, row.reason, row.list) == ("sent", "1", "250", "", "readers")
        assert "queued as" in row.reply
        assert row.message_id.strip("<>") == message.parsed["Message-ID"].strip("<>")
        assert row.edition == ("zh" if message.recipient == WANG_FANG else "en")


def test_a_maildir_report_names_the_files(newsletter: Newsletter) -> None:
    newsletter.expect(0, "send-issue", "29")
    files = {path.name for path in (newsletter.folder / "outbox/new").iterdir()}
    rows = newsletter.report().values()
    assert {row.code for row in rows} == {"250"}
    assert {row.reply.removeprefix("new/") for row in rows} == files


def test_report_and_status_speak_json(live: Newsletter) -> None:
    live.send()
    json.loads(live.run("dispatcher", "report", "29", "--format", "json").stdout)
    json.loads(live.run("dispatcher", "status", "29", "--format", "json").stdout)
    assert "29" in live.expect(0, "dispatcher", "status")


def test_the_audit_holds_after_a_send(live: Newsletter) -> None:
    live.send()
    live.expect(0, "dispatcher", "audit", "29")


def test_another_list_gets_the_issue_and_nobody_twice(live: Newsletter, relay: Relay) -> None:
    live.write_readers([[ANN, "Ann", ""], ["fay@example.com", "Fay", ""]], name="friends")
    live.send()
    live.send("--list", "friends")
    assert relay.copies == dict.fromkeys((*CAST, "fay@example.com"), 1)


def test_who_joins_after_completion_is_not_mailed_by_the_same_command(live: Newsletter, relay: Relay) -> None:
    live.send()
    live.write("subscribers/readers.csv", live.read("subscribers/readers.csv") + "late@example.com,Late,,\n")
    live.send()
    assert "late@example.com" not in relay.copies


def test_who_is_left_in_mid_issue_gets_the_frozen_text(live: Newsletter, relay: Relay) -> None:
    relay.reply("rcpt", "452 4.2.2 mailbox full", to=CLEO, times=1)
    live.send(code=75)
    live.replace("issues/29/issue.md", "two small stories from", "two SILLY stories from")
    said = live.send()
    assert "two small stories" in text_of(relay.message_to(CLEO).parsed)
    assert "issue.md" in said
    assert relay.copies == dict.fromkeys(CAST, 1)


def test_before_the_first_message_an_edit_is_taken_up(live: Newsletter, relay: Relay) -> None:
    relay.reply("mail", "550 5.7.1 who are you", times=16)
    live.send(code=69)
    relay.forget_rules()
    live.replace("issues/29/issue.md", "two small stories from", "two better stories from")
    live.send()
    assert "two better stories" in text_of(relay.message_to(ANN).parsed)


def test_a_second_run_is_told_at_once_who_holds_the_lock(live: Newsletter, relay: Relay) -> None:
    release = relay.hold("dot")
    first = live.start("send-issue", "29", "--yes", "--patience", "0")
    try:
        relay.wait_for(lambda relay: relay.commands["DATA"] > 0)
        began = time.monotonic()
        said = live.send(code=75)
        assert time.monotonic() - began < 5
        assert str(first.pid) in said
    finally:
        release()
        assert first.wait(60) == 0
    assert relay.copies == dict.fromkeys(CAST, 1)


def test_who_leaves_during_the_send_is_not_claimed_any_more(live: Newsletter, relay: Relay) -> None:
    everybody = [f"reader{n}@example.com" for n in range(60)]
    live.write_readers([[address, "", ""] for address in everybody])
    release = relay.hold("dot")
    sender = live.start("send-issue", "29", "--yes", "--patience", "0")
    try:
        relay.wait_for(lambda relay: relay.commands["DATA"] > 0)
        begun = {message.recipient for message in relay.offered}
        late = [address for address in everybody if address not in begun][-20:]
        for address in late[-2:]:
            live.expect(0, "dispatcher", "subscribers", "unsubscribe", address)
    finally:
        release()
        assert sender.wait(60) == 0
    gone = set(late[-2:])
    assert set(relay.copies) == set(everybody) - gone
    report = live.report()
    assert {(report[address].state, report[address].reason) for address in gone} == {("skipped", "unsubscribed")}
    live.expect(0, "dispatcher", "audit", "29")


def test_dan_alone_is_skipped_when_his_address_may_not_be_mailed(live: Newsletter, relay: Relay) -> None:
    live.expect(0, "dispatcher", "subscribers", "import", "subscribers/readers.csv", "--list", "readers")
    live.expect(0, "dispatcher", "subscribers", "unsubscribe", DAN, "--list", "readers")
    live.send()
    assert DAN not in relay.copies


def test_a_newsletters_own_theme_wins_over_the_one_that_is_shipped(newsletter: Newsletter) -> None:
    newsletter.expect(0, "dispatcher", "render", "29", "--out", "out")
    names = {path.name for path in (newsletter.folder / "out").iterdir()}
    assert {"en.html", "en.txt", "en.eml", "zh.html", "zh.txt", "zh.eml", "manifest.json"} <= names
    shutil.rmtree(newsletter.folder / "out")
