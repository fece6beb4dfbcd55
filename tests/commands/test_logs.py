"""The log as JSON: every line can be read, and none of them holds an address, a token or a secret."""

import json
import logging
import re
import signal
import socket
import subprocess
import sys

import pytest

from dispatcher.cli.logs import JsonLines, keep_log
from dispatcher.desk import screen
from dispatcher.errors import SettingsWrong
from tests.newsletter import CAST, CLEO, DAN, SCRIPTS, Newsletter
from tests.relay import Relay

JSON = {"DISPATCHER_LOG": "json"}


def lines_of(text: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in text.splitlines()]
    assert all(re.match(r"20\d\d-\d\d-\d\dT.*\+00:00$", line["time"]) for line in lines)
    return lines


def line(message: str, environment: dict[str, str] | None = None, **facts: object) -> str:
    record = logging.LogRecord("dispatcher", logging.INFO, __file__, 1, "%s", (message,), None)
    record.facts = facts
    return JsonLines(environment or {}).format(record)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("550 <ann@example.com>: no such user", "550 <…@example.com>: no such user"),
        ("to=ann+letter@example.com, again", "…@example.com, again"),
        ("o'brien@example.com and 王芳@example.com", "…@example.com and …@example.com"),
        ('"Ann B"@example.com', "…@example.com"),
        ("smtp://user:hunter2@relay.example.org:587", "…@relay.example.org:587"),
        ("bounces+aGVsbG8gd29ybGQ@example.org", "…@example.org"),
        ("/subscribe?email=ann%40example.com", "…@example.com"),
        ("GET /u/AbCdEf0123456789-_ failed", "GET /u/… failed"),
        ("http://127.0.0.1:8029/confirm/xyz123?a=1", "http://127.0.0.1:8029/confirm/…"),
        ("relay 127.0.0.1:2525 was lost @ noon", "relay 127.0.0.1:2525 was lost @ noon"),
        ("the login was hunter2hunter2", "the login was …"),
    ],
)
def test_who_is_meant_stays_out_of_the_log(said: str, kept: str) -> None:
    written = json.loads(line(said, {"DISPATCHER_RELAY_PASSWORD": "hunter2hunter2"}, reply=said, more=[{"a": said}]))
    assert (written["event"], written["reply"], written["more"]) == (kept, kept, [{"a": kept}])


def test_a_bug_is_logged_with_its_traceback_and_without_whom_it_met() -> None:
    try:
        int("ann@example.com")
    except ValueError:
        record = logging.LogRecord("uvicorn.error", logging.ERROR, __file__, 1, "bug", None, sys.exc_info())
    written = json.loads(JsonLines({}).format(record))
    assert "ValueError: invalid literal for int()" in written["traceback"]
    assert "ann@" not in written["traceback"]


def test_without_the_variable_a_remark_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    for environment in ({}, {"DISPATCHER_LOG": ""}, {"DISPATCHER_LOG": "text"}):
        keep_log(environment)
    screen.note("ann@example.com has no name", issue=29)
    assert capsys.readouterr().err == "ann@example.com has no name\n"
    with pytest.raises(SettingsWrong, match="DISPATCHER_LOG is 'yaml'; it is json or text"):
        keep_log({"DISPATCHER_LOG": "yaml"})


def test_a_send_is_logged_by_ids_and_domains(live: Newsletter, relay: Relay) -> None:
    relay.reply("rcpt", f"550 5.1.1 <{DAN}>: no such user", to=DAN)
    relay.reply("rcpt", "452 4.2.2 mailbox full", to=CLEO)
    live.env |= JSON
    done = live.run("send-issue", "29", "--yes", "--patience", "0")
    assert done.returncode == 75
    lines = lines_of(done.stderr)
    assert not any(address in done.stderr for address in CAST)
    events = [line["event"] for line in lines]
    assert events.index("sending begins") < events.index("delivery refused") < events.index("sending ended")
    refused = next(line for line in lines if line["event"] == "delivery refused")
    assert {name: refused[name] for name in ("issue", "kind", "state", "code", "domain")} == {
        "issue": 29, "kind": "live", "state": "refused", "code": 550, "domain": "example.com",
    }  # fmt: skip
    assert isinstance(refused["delivery"], int)
    ended = next(line for line in lines if line["event"] == "sending ended")
    assert ended["counts"] == {"sent": 4, "refused": 1, "deferred": 1}


def test_an_error_is_logged_alike(newsletter: Newsletter) -> None:
    done = newsletter.run("dispatcher", "worker", "--once", env=JSON | {"DISPATCHER_RELAY": f"smtp://{CLEO}:hunter2@h"})
    (error,) = lines_of(done.stderr)
    assert (done.returncode, error["level"], error["exit_code"]) == (78, "error", 78)
    assert "a password does not belong into the URL" in str(error["event"])


def test_the_pages_are_logged_alike(newsletter: Newsletter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    pages = subprocess.Popen(
        [str(SCRIPTS / "dispatcher"), "serve", "--port", str(port)], cwd=newsletter.folder, text=True,
        env=newsletter._env(JSON), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert pages.stderr is not None
    opened = lines_of(pages.stderr.readline())[0]
    assert opened["at"] == f"http://127.0.0.1:{port}"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as visitor:
        visitor.sendall(b"what is this?\r\n\r\n")
        assert b"400 Bad Request" in visitor.recv(4096)
    pages.send_signal(signal.SIGTERM)
    _, rest = pages.communicate(timeout=20)
    assert "Invalid HTTP request received." in [line["event"] for line in lines_of(rest)]
