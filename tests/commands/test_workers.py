"""Several processes send one issue from one PostgreSQL: nobody is mailed twice, and none of them is needed."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.newsletter import CAST, CLEO, Newsletter
from tests.relay import Relay
from tests.servers.postgresql import PostgreSQL

MANY = 1_100  # readers: two blocks


@pytest.fixture
def crowd(on_postgresql: Newsletter) -> set[str]:
    """A newsletter whose list has many readers."""
    addresses = [f"reader{number}@example.com" for number in range(MANY)]
    on_postgresql.write_readers([[address, "", "en"] for address in addresses])
    return set(addresses)


def machine(newsletter: Newsletter, folder: Path) -> Newsletter:
    """Another machine: the newsletter's settings and environment, but none of its issues."""
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(newsletter.read("pyproject.toml"), encoding="utf-8")
    there = Newsletter(folder=folder)
    there.env.update(newsletter.env)
    return there


def wait_until(holds: Callable[[], bool], told: Newsletter) -> None:
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until, told.said("dispatcher")
        time.sleep(0.1)


def test_a_worker_without_the_issues_files_sends_what_was_left_to_it(
    on_postgresql: Newsletter, crowd: set[str], relay: Relay, tmp_path: Path
) -> None:
    said = on_postgresql.send("--detach")
    assert "left to the workers" in said
    assert not relay.copies
    assert (on_postgresql.folder / "issues/29/receipt.json").exists()
    worker = machine(on_postgresql, tmp_path / "machine" / "letter")
    worker.expect(0, "dispatcher", "worker", "--once")
    assert relay.copies == dict.fromkeys(crowd, 1)
    assert "the equation holds" in on_postgresql.expect(0, "dispatcher", "audit", "29")


def test_send_issue_and_a_worker_share_the_work_and_both_end(
    on_postgresql: Newsletter, crowd: set[str], relay: Relay, tmp_path: Path
) -> None:
    go_on = relay.hold("dot", to="reader0@example.com")
    sending = on_postgresql.start("send-issue", "29", "--yes")
    relay.wait_for(lambda relay: relay.commands["DATA"] > 0)
    worker = machine(on_postgresql, tmp_path / "machine" / "letter")
    assert "this worker mailed" in worker.expect(0, "dispatcher", "worker", "--once")
    go_on()
    assert sending.wait(60) == 0, on_postgresql.said("send-issue")
    assert relay.copies == dict.fromkeys(crowd, 1)


def test_an_issue_that_was_begun_on_sqlite_is_finished_by_workers_on_postgresql(
    live: Newsletter, relay: Relay, postgresql: PostgreSQL, tmp_path: Path
) -> None:
    live.env["DISPATCHER_SECRET"] = "s" * 40
    addresses = [f"reader{number}@example.com" for number in range(MANY)]
    live.write_readers([[address, "", "en"] for address in addresses])
    sending = live.start("send-issue", "29", "--yes")
    relay.wait_for(lambda relay: relay.copies.total() > MANY // 3)
    sending.send_signal(signal.SIGINT)
    assert sending.wait(60) == 75
    with postgresql.database() as url:
        live.expect(0, "dispatcher", "database", "copy", "sqlite:///dispatcher.db", url)
        live.keep_in(url)
        live.send("--detach")
        workers = [machine(live, tmp_path / name / "letter") for name in ("one", "two")]
        running = [each.start("dispatcher", "worker", "--once") for each in workers]
        assert [each.wait(60) for each in running] == [0, 0]
        assert relay.copies == dict.fromkeys(addresses, 1)
        assert "the equation holds" in live.expect(0, "dispatcher", "audit", "29")


def test_stop_ends_every_worker_and_only_send_issue_goes_on(
    on_postgresql: Newsletter, crowd: set[str], relay: Relay, tmp_path: Path
) -> None:
    go_on = relay.hold("dot", to="reader0@example.com")
    on_postgresql.send("--detach")
    worker = machine(on_postgresql, tmp_path / "machine" / "letter")
    working = worker.start("dispatcher", "worker", "--once")
    relay.wait_for(lambda relay: relay.commands["DATA"] > 0)
    on_postgresql.expect(0, "dispatcher", "stop", "29")
    go_on()
    assert working.wait(60) == 0
    taken = relay.copies.total()
    worker.expect(0, "dispatcher", "worker", "--once")
    assert relay.copies.total() == taken < len(crowd)
    on_postgresql.send()
    assert relay.copies == dict.fromkeys(crowd, 1)


def test_cancel_ends_every_worker_and_the_rest_is_skipped(
    on_postgresql: Newsletter, crowd: set[str], relay: Relay, tmp_path: Path
) -> None:
    go_on = relay.hold("dot", to="reader0@example.com")
    on_postgresql.send("--detach")
    worker = machine(on_postgresql, tmp_path / "machine" / "letter")
    working = worker.start("dispatcher", "worker", "--once")
    relay.wait_for(lambda relay: relay.commands["DATA"] > 0)
    cancelling = on_postgresql.start("dispatcher", "cancel", "29")
    wait_until(lambda: "cancelled" in on_postgresql.expect(0, "dispatcher", "status", "29"), on_postgresql)
    go_on()
    assert working.wait(60) == 0
    assert cancelling.wait(60) == 0
    taken = relay.copies.total()
    worker.expect(0, "dispatcher", "worker", "--once")
    assert relay.copies.total() == taken < len(crowd)
    assert f"{taken:,} were" in on_postgresql.said("dispatcher")


def test_ctrl_c_ends_the_sender_and_tells_that_workers_go_on(
    on_postgresql: Newsletter, crowd: set[str], relay: Relay, postgresql: PostgreSQL, tmp_path: Path
) -> None:
    def runs() -> int:
        name = on_postgresql.env["DISPATCHER_DATABASE"].rpartition("/")[2]
        return len(postgresql.execute("SELECT id FROM run WHERE ended_at IS NULL AND mailing_id > 0", database=name))

    go_on = relay.hold("dot")
    on_postgresql.send("--detach")
    working = machine(on_postgresql, tmp_path / "machine" / "letter").start("dispatcher", "worker", "--once")
    relay.wait_for(lambda relay: relay.commands["DATA"] > 0)
    sending = on_postgresql.start("send-issue", "29", "--yes")
    wait_until(lambda: runs() == 2, on_postgresql)
    sending.send_signal(signal.SIGINT)
    assert sending.wait(60) == 75
    assert "others go on with issue 29; to stop them: dispatcher stop 29" in on_postgresql.said("send-issue")
    go_on()
    assert working.wait(90) == 0
    assert relay.copies == dict.fromkeys(crowd, 1)


def test_what_a_lone_sender_left_is_not_gone_on_with_by_a_worker(
    on_postgresql: Newsletter, crowd: set[str], relay: Relay, tmp_path: Path
) -> None:
    go_on = relay.hold("dot", to="reader0@example.com")
    sending = on_postgresql.start("send-issue", "29", "--yes")
    relay.wait_for(lambda relay: relay.commands["DATA"] > 0)
    sending.send_signal(signal.SIGINT)
    go_on()
    assert sending.wait(60) == 75
    taken = relay.copies.total()
    machine(on_postgresql, tmp_path / "machine" / "letter").expect(0, "dispatcher", "worker", "--once")
    assert relay.copies.total() == taken < len(crowd)


def test_deferred_readers_are_tried_by_workers_when_they_are_due(
    on_postgresql: Newsletter, relay: Relay, tmp_path: Path
) -> None:
    relay.reply("rcpt", "452 4.2.2 mailbox full", to=CLEO, times=1)
    on_postgresql.send(code=75)
    worker = machine(on_postgresql, tmp_path / "machine" / "letter")
    worker.expect(0, "dispatcher", "worker", "--once")
    assert CLEO not in relay.copies
    on_postgresql.change("UPDATE delivery SET due_at = '2020-01-01T00:00:00.000000+00:00' WHERE state = 'deferred'")
    worker.expect(0, "dispatcher", "worker", "--once")
    assert relay.copies == dict.fromkeys(CAST, 1)


def test_a_scheduled_issue_is_begun_by_one_of_the_workers_and_sent_by_all(
    on_postgresql: Newsletter, crowd: set[str], relay: Relay
) -> None:
    on_postgresql.expect(0, "send-issue", "29", "--yes", "--at", "2126-11-25T09:00+08:00")
    on_postgresql.change("UPDATE mailing SET scheduled_at = '2020-01-01T00:00:00.000000+00:00'")
    workers = [on_postgresql.start("dispatcher", "worker") for _ in range(3)]
    relay.wait_for(lambda relay: relay.copies.total() == len(crowd))
    for each in workers:
        each.send_signal(signal.SIGTERM)
    assert [each.wait(60) for each in workers] == [0, 0, 0]
    assert relay.copies == dict.fromkeys(crowd, 1)


def test_a_worker_leaves_alone_what_a_newer_program_froze(
    on_postgresql: Newsletter, relay: Relay, tmp_path: Path
) -> None:
    on_postgresql.send("--detach")
    on_postgresql.change("UPDATE edition SET frozen = replace(frozen, '\"format\":1', '\"format\":2')")
    worker = machine(on_postgresql, tmp_path / "machine" / "letter")
    assert "frozen by a newer Dispatcher; update this one" in worker.expect(74, "dispatcher", "worker", "--once")
    assert not relay.copies
    on_postgresql.change("UPDATE fact SET value = '99' WHERE name = 'schema'")
    assert "written by a newer Dispatcher; update this one" in worker.expect(74, "dispatcher", "worker", "--once")


def test_a_new_text_in_mid_issue_waits_for_the_workers_and_goes_to_the_others(
    on_postgresql: Newsletter, crowd: set[str], relay: Relay, tmp_path: Path
) -> None:
    go_on = relay.hold("dot", to="reader0@example.com")
    on_postgresql.send("--detach")
    working = machine(on_postgresql, tmp_path / "machine" / "letter").start("dispatcher", "worker", "--once")
    relay.wait_for(lambda relay: relay.commands["DATA"] > 0)
    on_postgresql.replace("issues/29/issue.md", "two small stories", "two smaller stories")
    afresh = on_postgresql.start("send-issue", "29", "--yes", "--refreeze")
    time.sleep(1)
    go_on()
    assert working.wait(60) == 0
    assert afresh.wait(90) == 0, on_postgresql.said("send-issue")
    assert relay.copies == dict.fromkeys(crowd, 1)


def test_on_sqlite_the_one_worker_sends_what_was_left_to_it(live: Newsletter, relay: Relay) -> None:
    assert "left to the workers" in live.send("--detach")
    assert not relay.copies
    live.expect(0, "dispatcher", "worker", "--once")
    assert relay.copies == dict.fromkeys(CAST, 1)


def test_jobs_that_were_lost_are_made_again_from_the_ledger(
    on_postgresql: Newsletter, crowd: set[str], relay: Relay
) -> None:
    on_postgresql.send("--detach")
    on_postgresql.change("DELETE FROM procrastinate_jobs")
    on_postgresql.expect(0, "dispatcher", "worker", "--once")
    assert relay.copies == dict.fromkeys(crowd, 1)


def test_jobs_that_are_there_twice_mail_nobody_twice(on_postgresql: Newsletter, crowd: set[str], relay: Relay) -> None:
    on_postgresql.send("--detach")
    on_postgresql.change(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
        " SELECT queue_name, task_name, args FROM procrastinate_jobs"
    )
    workers = [on_postgresql.start("dispatcher", "worker", "--once") for _ in range(2)]
    assert [each.wait(90) for each in workers] == [0, 0]
    assert relay.copies == dict.fromkeys(crowd, 1)
    assert "the equation holds" in on_postgresql.expect(0, "dispatcher", "audit", "29")


def test_who_leaves_an_issue_to_workers_is_told_if_there_is_none(on_postgresql: Newsletter) -> None:
    assert "no worker is running; start one: dispatcher worker" in on_postgresql.send("--detach")


@pytest.mark.parametrize("option", [("--detach",), ("--at", "2126-11-25T09:00+08:00")])
def test_a_trial_is_left_to_nobody(newsletter: Newsletter, option: tuple[str, ...]) -> None:
    assert "this is a trial" in newsletter.expect(77, "send-issue", "29", *option)
    assert not newsletter.outbox()


def test_a_machine_without_a_relay_or_the_newsletters_secret_takes_no_part(
    on_postgresql: Newsletter, relay: Relay, tmp_path: Path
) -> None:
    on_postgresql.send("--detach")
    worker = machine(on_postgresql, tmp_path / "machine" / "letter")
    other = {"DISPATCHER_SECRET": "t" * 40}
    assert "secret" in worker.expect(78, "dispatcher", "worker", "--once", env=other).lower()
    del worker.env["DISPATCHER_RELAY"]
    assert "set DISPATCHER_RELAY" in worker.expect(78, "dispatcher", "worker", "--once")
    assert set(on_postgresql.states().values()) == {"queued"}
    on_postgresql.send()
    assert relay.copies == dict.fromkeys(CAST, 1)


def test_an_issue_whose_first_readers_were_refused_is_left_to_nobody(on_postgresql: Newsletter, relay: Relay) -> None:
    table = '\n[tool.dispatcher.canary]\nreaders = 2\nwait = "0"\nmost_refused = 0.1\n'
    on_postgresql.write("pyproject.toml", on_postgresql.read("pyproject.toml") + table)
    relay.reply("rcpt", "550 5.1.1 no such user", times=1)
    assert "left to the workers" not in on_postgresql.send("--detach", code=75)
    on_postgresql.expect(0, "dispatcher", "worker", "--once")
    assert relay.copies.total() == 1
