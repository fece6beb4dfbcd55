"""The commands on one reader: everything known, handed over, erased; asked back, kept off, let in again."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dispatcher.cli.main import app
from dispatcher.errors import DispatcherError
from tests.newsletter import ANN, BOB, Newsletter, read_maildir, text_of

Run = Callable[..., str]


@pytest.fixture
def run(newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A command in this process; `fails` is the exit code that it has to end with."""
    for name in ("DISPATCHER_RELAY", "DISPATCHER_DATABASE", "DISPATCHER_BASE_URL", "DISPATCHER_SECRET"):
        monkeypatch.delenv(name, raising=False)
    for name, value in newsletter.env.items():
        monkeypatch.setenv(name, value)

    def command(*words: str, fails: int = 0) -> str:
        done = CliRunner().invoke(app, ["-C", str(newsletter.folder), *words])
        if isinstance(done.exception, DispatcherError):
            assert done.exception.exit_code == fails, done.exception
            return str(done.exception)
        assert done.exit_code == fails, done.output
        return done.output

    command("subscribers", "import", str(newsletter.folder / "subscribers/readers.csv"), "--list", "readers")
    return command


def on_list(run: Run) -> set[str]:
    rows = json.loads(run("subscribers", "list", "--list", "readers", "--format", "json"))
    return {row["email"] for row in rows if row["state"] == "active"}


def test_why_a_reader_got_this_is_told_by_one_command(newsletter: Newsletter, run: Run) -> None:
    newsletter.expect(0, "send-issue", "29")
    run("subscribers", "unsubscribe", ANN, "--list", "readers")
    said = run("subscribers", "show", ANN)
    for words in (
        "plan: pro",
        "list readers: unsubscribed",
        "brought by subscribers/readers.csv",
        "joined readers (file)",
        "unsubscribed readers (operator)",
        "issue 29 (maildir, en): sent",
    ):
        assert words in said


def test_everything_about_a_person_is_handed_over(newsletter: Newsletter, run: Run) -> None:
    out = newsletter.folder / "ann.json"
    run("subscribers", "export", "--person", ANN, "--out", str(out))
    assert out.stat().st_mode & 0o777 == 0o600
    plain = json.loads(out.read_text("utf-8"))
    assert (plain["email"], plain["attributes"]) == (ANN, {"plan": "pro"})
    assert plain["lists"][0]["consent"].keys() == {"at", "confirmed_at", "wording", "network"}


def test_who_is_forgotten_is_gone_and_what_still_holds_him_is_named(newsletter: Newsletter, run: Run) -> None:
    newsletter.expect(0, "send-issue", "29")
    said = run("subscribers", "forget", ANN.upper())
    assert "still in subscribers/readers.csv:2" in said
    assert len(re.findall(r"still in \S+outbox\S+", said)) == 1
    assert "kept from all lists: forgotten" in run("subscribers", "show", ANN)
    for name in ("dispatcher.db", "dispatcher.db-wal"):
        path = newsletter.folder / name
        assert not path.exists() or ANN.encode() not in path.read_bytes()
    run("subscribers", "import", str(newsletter.folder / "subscribers/readers.csv"), "--list", "readers")
    assert ANN not in on_list(run)
    row = next(row for row in newsletter.report().values() if row.address == "")
    assert (row.state, "ann" in row.reply) == ("sent", False)
    newsletter.expect(0, "dispatcher", "audit", "29")


def test_who_left_is_asked_back_by_mail_and_by_nothing_else(newsletter: Newsletter, run: Run) -> None:
    run("subscribers", "unsubscribe", BOB)
    assert "invited to readers; the link works for 7 days" in run("subscribers", "invite", BOB)
    (mail,) = read_maildir(newsletter.folder / "outbox")
    assert mail["To"].addresses[0].addr_spec == BOB
    assert mail["Subject"] == "Would you like Test Letter again?"
    assert re.search(r"http://127.0.0.1:8029/confirm/[a-z2-7]{40,}", text_of(mail))
    assert BOB not in on_list(run)


def test_who_is_on_the_list_or_meant_for_none_is_not_mailed(newsletter: Newsletter, run: Run) -> None:
    assert "is on readers already" in run("subscribers", "invite", BOB)
    assert "no list 'nolist': the lists are readers" in run("subscribers", "invite", BOB, "--list", "nolist", fails=66)
    assert not list((newsletter.folder / "outbox").glob("new/*"))


def test_an_invitation_waits_for_a_relay_that_is_down(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("subscribers", "unsubscribe", BOB)
    monkeypatch.setenv("DISPATCHER_RELAY", "smtp://127.0.0.1:1?tls=none")
    said = run("subscribers", "invite", BOB, fails=75)
    assert f"the mail to {BOB} waits; dispatcher serve sends it" in said


def test_a_list_made_by_a_slip_is_named_as_new(newsletter: Newsletter, run: Run) -> None:
    file = str(newsletter.folder / "subscribers/readers.csv")
    said = run("subscribers", "add", "fay@example.com", "--list", "reeders")
    assert re.search(r"added to reeders, a new list \(there are readers\b", said)
    assert "weakly, a new list (there are " in run("subscribers", "import", file, "--list", "weakly")
    assert "new list" not in run("subscribers", "add", "gus@example.com", "--list", "reeders")
    assert "new list" not in run("subscribers", "import", file, "--list", "readers")


def test_who_complained_is_not_even_asked(run: Run) -> None:
    run("subscribers", "suppress", BOB)
    assert "unsuppress ADDRESS --reason TEXT" in run("subscribers", "invite", BOB, fails=65)


def test_a_blocklist_is_kept_off_and_lifted_with_a_reason(newsletter: Newsletter, run: Run) -> None:
    blocked = newsletter.folder / "blocked.txt"
    blocked.write_text(f"# from the old program\n{BOB.upper()}\nnobody@example.net  # unknown here\n", encoding="utf-8")
    assert "2 suppressed, 0 were so before" in run("subscribers", "suppress", "--from", str(blocked))
    assert BOB not in on_list(run)
    assert "is kept from all lists" in run("subscribers", "add", "nobody@example.net", "--list", "readers", fails=65)
    run("subscribers", "unsuppress", BOB, fails=2)
    assert "no longer suppressed" in run("subscribers", "unsuppress", BOB, "--reason", "a mistake of ours")
    assert BOB in on_list(run)
    assert "a mistake of ours" in run("subscribers", "show", BOB)
    run("subscribers", "unsuppress", BOB, "--reason", "again", fails=66)


def test_bad_addresses_are_all_named_and_none_is_suppressed(run: Run) -> None:
    said = run("subscribers", "suppress", BOB, "not an address", "nor@@this", fails=65)
    assert "not an address" in said
    assert "nor@@this" in said
    assert BOB in on_list(run)


def test_the_last_import_is_taken_back(newsletter: Newsletter, run: Run, tmp_path: Path) -> None:
    more = tmp_path / "more.csv"
    more.write_text("email,name\nfay@example.com,Fay\n", encoding="utf-8")
    assert "plan, nothing is stored" in run("subscribers", "import", str(more), "--list", "readers", "--plan")
    assert "fay@example.com" not in on_list(run)
    run("subscribers", "import", str(more), "--list", "readers")
    assert "fay@example.com" in on_list(run)
    assert "1 no longer on the list" in run("subscribers", "undo", "--list", "readers")
    assert "fay@example.com" not in on_list(run)
    assert newsletter.folder.is_dir()
    assert "taken back already" in run("subscribers", "undo", fails=66)


def test_readers_are_counted_by_list_language_domain_and_month(newsletter: Newsletter, run: Run) -> None:
    run("subscribers", "unsubscribe", BOB)
    figures = json.loads(run("subscribers", "stats", "--format", "json"))
    assert figures["lists"] == {"readers": {"active": 5, "unsubscribed": 1}}
    assert figures["languages"] == {"none": 3, "en": 1, "zh": 1}
    assert figures["domains"] == {"example.com": 5}
    assert [(each["came"], each["went"]) for each in figures["growth"]] == [(6, 1)]
    assert "readers: 5 active, 1 unsubscribed" in run("subscribers", "stats")
    page = newsletter.folder / "stats.html"
    run("subscribers", "stats", "--html", str(page))
    html = page.read_text("utf-8")
    assert "By domain" in html  # a plot needs two months, see tests/desk/test_statistics.py
    assert "<script" not in html


def test_a_token_is_shown_once_listed_without_its_text_and_revoked(run: Run) -> None:
    text = run("token", "create", "shop", "--may", "subscribe", "--may", "show").strip()
    assert re.fullmatch(r"dispatcher_[\w-]{43}", text)
    listed = run("token", "list")
    assert "shop" in listed
    assert "show, subscribe" in listed
    assert text not in listed
    assert "there is a token of this name" in run("token", "create", "shop", "--may", "show", fails=65)
    assert "revoked" in run("token", "revoke", "shop")
    run("token", "revoke", "shop", fails=66)
    assert "no tokens yet" in run("token", "list")
