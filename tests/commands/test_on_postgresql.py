"""The commands with a database in PostgreSQL: the same promise, and one line when the server is not there."""

import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dispatcher.cli.main import app
from dispatcher.errors import DispatcherError
from tests.newsletter import ANN, BOB, CAST, CLEO, Newsletter
from tests.relay import Relay
from tests.servers.postgresql import PostgreSQL


def test_everybody_gets_one_copy_and_nobody_a_second(on_postgresql: Newsletter, relay: Relay) -> None:
    on_postgresql.bob_leaves()
    assert "nobody is mailed again" not in on_postgresql.send()
    assert "nobody is mailed again" in on_postgresql.send()
    assert relay.copies == dict.fromkeys(set(CAST) - {BOB}, 1)
    assert on_postgresql.states()[ANN] == "sent"
    assert "the equation holds" in on_postgresql.expect(0, "dispatcher", "audit", "29")


def test_without_a_secret_no_machine_makes_a_key_of_its_own(on_postgresql: Newsletter) -> None:
    del on_postgresql.env["DISPATCHER_SECRET"]
    assert "DISPATCHER_SECRET is not set" in on_postgresql.send(code=78)
    assert not (on_postgresql.folder / "dispatcher.key").exists()


def test_a_second_start_is_told_who_sends(on_postgresql: Newsletter, relay: Relay) -> None:
    go_on = relay.hold("dot", to=ANN)
    first = on_postgresql.start("send-issue", "29", "--yes", "--patience", "0")
    relay.wait_for(lambda relay: any(each.recipient == ANN for each in relay.offered))
    assert f"pid {first.pid} on " in on_postgresql.send(code=75)
    go_on()
    assert first.wait(60) == 0


def test_a_server_that_goes_away_stops_the_run_and_costs_nobody_his_copy(
    on_postgresql: Newsletter, relay: Relay, postgresql: PostgreSQL
) -> None:
    go_on = relay.hold("dot", to=ANN)
    run = on_postgresql.start("send-issue", "29", "--yes", "--patience", "0")
    url = on_postgresql.env["DISPATCHER_DATABASE"]
    claimed = "SELECT 1 FROM delivery WHERE state = 'sending'"
    relay.wait_for(
        lambda relay: relay.commands["DATA"] > 0 and bool(postgresql.execute(claimed, database=url.rpartition("/")[2]))
    )
    postgresql.end_sessions(url)
    go_on()
    assert run.wait(60) == 74
    said = on_postgresql.said("send-issue")
    assert "Traceback" not in said
    assert "nobody is lost: mend it and run again" in said
    assert relay.copies.total() == 1, said
    on_postgresql.send()
    assert relay.copies == dict.fromkeys(CAST, 1)


def test_a_run_that_was_killed_leaves_one_doubt_and_the_lock_free(on_postgresql: Newsletter, relay: Relay) -> None:
    relay.hold("dot", to=ANN)
    run = on_postgresql.start("send-issue", "29", "--yes", "--patience", "0")
    relay.wait_for(lambda _: "sending" in on_postgresql.states().values() if relay.commands["DATA"] else False)
    run.kill()
    run.wait(10)
    relay.forget_rules()
    assert ANN in on_postgresql.send(code=76)
    assert {address: state for address, state in on_postgresql.states().items() if state != "sent"} == {ANN: "in_doubt"}
    assert max(relay.copies.values()) == 1


def test_a_newsletter_begun_on_sqlite_is_finished_on_postgresql(
    live: Newsletter, relay: Relay, postgresql: PostgreSQL
) -> None:
    relay.reply("rcpt", "452 4.2.2 mailbox full", to=CLEO, times=1)
    live.env["DISPATCHER_SECRET"] = "s" * 40
    live.send(code=75)
    with postgresql.database() as url:
        said = live.expect(0, "dispatcher", "database", "copy", "sqlite:///dispatcher.db", url)
        assert "rows are there, each as it was" in said
        assert "the newsletter moved to postgresql://" in live.send(code=78)
        live.keep_in(url)
        with postgresql.database(template=url.rpartition("/")[2]) as backup:
            live.send()
            assert relay.copies == dict.fromkeys(CAST, 1)
            assert set(live.states().values()) == {"sent"}
            live.keep_in(backup)  # which does not know of the last ones, and the receipt does
            live.send(code=77)
        assert relay.copies == dict.fromkeys(CAST, 1)


@pytest.mark.usefixtures("in_a_file")
def test_what_cannot_be_copied_is_one_line_with_the_remedy(newsletter: Newsletter) -> None:
    def fails(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["-C", str(newsletter.folder), "database", "copy", *words])
        assert isinstance(done.exception, DispatcherError), done.output
        return done.exception.exit_code, str(done.exception)

    here = "sqlite:///dispatcher.db"
    assert fails(here, "sqlite:///new.db")[0] == 66
    CliRunner().invoke(app, ["-C", str(newsletter.folder), "subscribers", "add", ANN, "--list", "readers"])
    code, said = fails(here, here)
    assert (code, "this newsletter is in it already; set database to it" in said) == (78, True)
    assert fails(here, "mysql://host/letter")[0] == 78
    assert not (newsletter.folder / "new.db").exists()


def test_cancel_waits_for_a_worker_on_another_machine_so_that_nothing_is_queued_again(
    on_postgresql: Newsletter, relay: Relay, tmp_path: Path
) -> None:
    """What the relay defers after the issue was given up would be tried again."""
    worker = Newsletter(folder=tmp_path / "machine" / "letter", env=on_postgresql.env)
    worker.write("pyproject.toml", on_postgresql.read("pyproject.toml"))
    on_postgresql.run("send-issue", "29", "--yes", "--detach")
    go_on = relay.hold("dot", to=ANN, answer="451 4.3.0 later")
    working = worker.start("dispatcher", "worker")
    try:
        relay.wait_for(lambda relay: any(each.recipient == ANN for each in relay.offered))
        cancelling = on_postgresql.start("dispatcher", "cancel", "29")
        until = time.monotonic() + 30
        while cancelling.poll() is None and "waiting for it" not in on_postgresql.said("dispatcher"):
            assert time.monotonic() < until
            time.sleep(0.05)
        go_on()
        assert cancelling.wait(30) == 0, on_postgresql.said("dispatcher")
        working.terminate()
        assert working.wait(30) == 0, worker.said("dispatcher")
    finally:
        working.kill()
    assert on_postgresql.states()[ANN] == "skipped"
    assert "the equation holds" in on_postgresql.expect(0, "dispatcher", "audit", "29")


def test_copy_waits_for_nobody_who_is_dead_and_names_who_lives(
    on_postgresql: Newsletter, relay: Relay, postgresql: PostgreSQL
) -> None:
    """A worker on another machine, whose silence tells."""
    relay.reply("rcpt", "452 4.2.2 mailbox full", to=CLEO, times=1)
    on_postgresql.send(code=75)
    moment = "to_char(({}) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US+00:00')"
    now, long_ago = moment.format("now()"), moment.format("now() - interval '1 hour'")
    columns = "INSERT INTO run (mailing_id, host, pid, began_at, seen_at)"
    on_postgresql.change(f"{columns} SELECT id, 'elsewhere', 4711, {now}, {now} FROM mailing")  # noqa: S608
    here = on_postgresql.env["DISPATCHER_DATABASE"]
    with postgresql.database("template1") as url:
        said = on_postgresql.expect(75, "dispatcher", "database", "copy", here, url)
        assert "mail is being sent by pid 4711 on elsewhere" in said
        on_postgresql.change(f"UPDATE run SET seen_at = {long_ago} WHERE pid = 4711")  # noqa: S608
        on_postgresql.change("UPDATE delivery SET state = 'sending', run = (SELECT max(id) FROM run) WHERE id = 1")
        on_postgresql.expect(0, "dispatcher", "database", "copy", here, url)
        on_postgresql.keep_in(url)
        assert sorted(on_postgresql.states().values()) == ["deferred", "in_doubt", *["sent"] * (len(CAST) - 2)]
