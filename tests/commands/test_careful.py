"""Where a careless sender would mail the wrong people, or the right ones twice."""

import json
import os
import pty
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.newsletter import ANN, BOB, CAST, CLEO, DAN, Newsletter
from tests.relay import Relay

VIP = "email,name\nvip1@example.com,One\nvip2@example.com,Two\n"


def receipt(newsletter: Newsletter) -> Path:
    return newsletter.folder / "issues/29/receipt.json"


def at_a_terminal(newsletter: Newsletter, *command: str, types: str) -> tuple[int, str]:
    """Runs a command at a terminal of its own, types once it asks, and gives exit code and screen."""
    above, below = pty.openpty()
    process = subprocess.Popen(
        newsletter._command(command),
        cwd=newsletter.folder,
        env=newsletter._env(None),
        stdin=below,
        stdout=below,
        stderr=below,
        start_new_session=True,
    )
    os.close(below)
    screen = b""
    while b"to send: " not in screen:
        screen += os.read(above, 4096)
    os.write(above, types.encode())
    while True:
        try:
            more = os.read(above, 4096)
        except OSError:
            break
        if not more:
            break
        screen += more
    os.close(above)
    return process.wait(timeout=60), screen.decode()


def test_a_database_that_lost_the_mailing_does_not_send_again(live: Newsletter, relay: Relay) -> None:
    live.send()
    for table in ("delivery", "mailing_list", "edition", "run", "mailing"):
        live.change(f"DELETE FROM {table}")  # noqa: S608
    live.send(code=77)
    assert relay.copies == dict.fromkeys(CAST, 1)


@pytest.mark.usefixtures("in_a_file")
def test_a_database_older_than_the_receipt_does_not_send_again(live: Newsletter, relay: Relay) -> None:
    relay.reply("rcpt", "452 4.2.2 mailbox full", to=CLEO, times=1)
    live.send(code=75)
    ledger, copy = live.folder / "dispatcher.db", live.folder / "backup.db"
    with closing(sqlite3.connect(ledger)) as database, closing(sqlite3.connect(copy)) as backup:
        database.backup(backup)
    live.send()
    for leftover in live.folder.glob("dispatcher.db*"):
        leftover.unlink()
    copy.rename(ledger)
    live.send(code=77)
    assert relay.copies == dict.fromkeys(CAST, 1)


def test_what_to_run_again_is_what_was_run(live: Newsletter, relay: Relay) -> None:
    live.write("subscribers/vip.csv", VIP)
    relay.reply("rcpt", "450 4.2.0 later", to="vip1@example.com", times=1)
    said = live.send("--list", "vip", code=75)
    assert "run again: send-issue 29 --yes --patience 0 --list vip" in said


def test_a_default_list_called_staging_is_staging(live: Newsletter) -> None:
    live.replace("pyproject.toml", 'list = "readers"', 'list = "staging"')
    live.send()
    assert not receipt(live).exists()
    live.expect(66, "dispatcher", "report", "29")


def test_once_content_went_out_the_issue_stays_as_it_was_frozen(live: Newsletter, relay: Relay) -> None:
    relay.reply("dot", "451 4.3.0 later")
    live.send(code=75)
    frozen = json.loads(receipt(live).read_text())["content_hash"]
    before = {row.message_id for row in live.report().values()}
    relay_url, live.env["DISPATCHER_RELAY"] = live.env["DISPATCHER_RELAY"], "smtp://127.0.0.1:1?tls=none"
    live.send(code=69)
    assert receipt(live).exists()
    live.env["DISPATCHER_RELAY"] = relay_url
    live.replace("issues/29/issue.md", "Dear", "Good morning")
    relay.forget_rules()
    live.send()
    assert json.loads(receipt(live).read_text())["content_hash"] == frozen
    assert {row.message_id for row in live.report().values()} == before


def test_a_small_list_that_is_refused_as_a_whole_is_not_marked(live: Newsletter, relay: Relay) -> None:
    relay.reply("rcpt", "554 5.7.1 Relay access denied")
    live.send(code=69)
    assert set(live.states().values()) == {"queued"}


def test_a_further_list_asks_for_the_number_of_those_it_adds(live: Newsletter, relay: Relay) -> None:
    live.send()
    live.write("subscribers/second.csv", f"email,name\n{ANN},Ann\n{BOB},Bob\nnew@example.com,New\n")
    code, screen = at_a_terminal(live, "send-issue", "29", "--list", "second", types="1\n")
    assert "type the number of readers (1) to send" in screen
    assert code == 0
    assert relay.copies == dict.fromkeys([*CAST, "new@example.com"], 1)


def test_a_wrong_number_leaves_nothing_behind(live: Newsletter, relay: Relay) -> None:
    code, screen = at_a_terminal(live, "send-issue", "29", types="7\n")
    assert code == 77
    assert "nobody was mailed" in screen
    assert not relay.commands["MAIL"]
    assert not receipt(live).exists()
    live.expect(66, "dispatcher", "report", "29")


def test_the_right_number_sends(live: Newsletter, relay: Relay) -> None:
    code, _ = at_a_terminal(live, "send-issue", "29", types=f"{len(CAST)}\n")
    assert code == 0
    assert relay.copies == dict.fromkeys(CAST, 1)


def test_a_reader_whose_link_is_no_link_stops_the_send_before_the_first(live: Newsletter, relay: Relay) -> None:
    live.write("subscribers/readers.csv", f"email,site\n{ANN},https://ann.example.com/\n{DAN},javascript:alert(1)\n")
    live.replace("issues/29/issue.md", "Dear", "[Your page]({{ subscriber.site }}). Dear")
    said = live.send(code=65)
    assert "issues/29/issue.md:" in said
    assert not relay.commands["MAIL"]


def test_a_dry_run_stops_where_the_send_would(live: Newsletter) -> None:
    live.replace("pyproject.toml", "postal_address", "# postal_address")
    live.expect(78, "send-issue", "29", "--dry-run")


def test_a_second_start_is_refused_at_once_and_told_by_whom(live: Newsletter, relay: Relay) -> None:
    release = relay.hold("dot")
    first = live.start("send-issue", "29", "--yes")
    relay.wait_for(lambda relay: relay.commands["DATA"] > 0)
    began = time.monotonic()
    said = live.send(code=75)
    assert time.monotonic() - began < 10  # the start of Python included, on a machine that is busy
    assert str(first.pid) in said
    assert "since" in said
    release()
    assert first.wait(timeout=60) == 0
    assert relay.copies == dict.fromkeys(CAST, 1)


def test_ctrl_c_twice_gives_up_and_lists_what_is_in_doubt(live: Newsletter, relay: Relay) -> None:
    release = relay.hold("dot")
    run = live.start("send-issue", "29", "--yes")
    relay.wait_for(lambda relay: bool(relay.copies))
    run.send_signal(signal.SIGINT)
    deadline = time.monotonic() + 30
    while "once more" not in live.said("send-issue") and time.monotonic() < deadline:
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    assert run.wait(timeout=60) == 75
    release()
    doubtful = [address for address, state in live.states().items() if state == "in_doubt"]
    assert len(doubtful) == 1
    live.send(code=76)
    assert max(relay.copies.values()) == 1


def test_an_empty_field_in_a_condition_is_false(live: Newsletter, relay: Relay) -> None:
    live.replace("issues/29/issue.md", "Dear", "{% if subscriber.seats | int > 3 %}Many.{% endif %} Dear")
    live.send()
    assert relay.copies == dict.fromkeys(CAST, 1)


@pytest.mark.parametrize("construct", ["{{ subscriber.plan + 1 }}", "{% if subscriber.plan > 3 %}x{% endif %}"])
def test_text_taken_for_a_number_is_named_before_the_first(live: Newsletter, relay: Relay, construct: str) -> None:
    live.write("subscribers/readers.csv", f"email,plan\n{ANN},pro\n")
    live.replace("issues/29/issue.md", "Dear", f"{construct} Dear")
    said = live.send(code=65)
    assert "| int" in said
    assert not relay.commands["MAIL"]


def test_a_missing_field_is_named_where_it_is_printed(live: Newsletter) -> None:
    live.write("subscribers/readers.csv", f"email,name\n{ANN},\n")
    issue = live.read("issues/29/issue.md") + "\nHello {{ subscriber.name }}.\n"
    live.write("issues/29/issue.md", issue)
    assert f"issues/29/issue.md:{issue.count(chr(10))}:" in live.send(code=65)


def test_who_stops_reading_the_output_changes_nothing_about_the_send(live: Newsletter, relay: Relay) -> None:
    command = subprocess.list2cmdline(live._command(("send-issue", "29", "--yes", "--patience", "0")))
    shell = ["bash", "-c", f"set -o pipefail; {command} | true"]
    done = subprocess.run(shell, cwd=live.folder, env=live._env(None), check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert relay.copies == dict.fromkeys(CAST, 1)


def test_what_scripts_read_is_utf_8_in_every_locale(newsletter: Newsletter) -> None:
    newsletter.expect(0, "dispatcher", "subscribers", "import", "subscribers/readers.csv", "--list", "readers")
    newsletter.env |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = newsletter._command(("dispatcher", "subscribers", "export", "--list", "readers"))
    done = subprocess.run(command, cwd=newsletter.folder, env=newsletter._env(None), check=True, capture_output=True)
    assert "王芳" in done.stdout.decode()
