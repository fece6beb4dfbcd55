"""`dispatcher check`: its list for people and machines, what an editor lets pass, and its explanations."""

import json
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dispatcher.cli.main import app
from dispatcher.cli.send_issue import app as send_issue
from dispatcher.content.checking.register import checks
from dispatcher.errors import InputWrong
from tests.checking.desk import Desk, told
from tests.long import IS_LONG
from tests.servers.cell import absent

PYPROJECT = """\
[tool.dispatcher]
name = "Kettles"
from = "Kettles <kettles@example.org>"
postal_address = "Kettles, 1 Example Street, Exampletown"
base_url = "https://kettles.example.org"
"""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk.lay(tmp_path)
    desk.write("pyproject.toml", PYPROJECT)
    return desk


def run(desk: Desk, *command: str) -> Result:
    return CliRunner().invoke(app, ["-C", str(desk.folder), "check", *command])


def test_an_issue_without_faults_ends_with_0_and_says_so(desk: Desk) -> None:
    result = run(desk, "2")
    assert (result.exit_code, result.output) == (0, "nothing to object to\n")


def test_a_warning_stops_nothing_and_an_error_ends_with_65(desk: Desk) -> None:
    desk.change("the theory of nothing", "here")
    warned = run(desk, "2")
    line = desk.line_of("[here]")
    assert warned.exit_code == 0
    assert warned.output.startswith(f"issues/2/issue.md:{line}: NL012 warning: the link text “here” does not say where")
    assert "1 warning: nothing that stops a send" in warned.output
    desk.change("img/kettle.png", "img/pot.png")
    stopped = run(desk, "2")
    assert stopped.exit_code == 65
    assert "1 error, 1 warning: the issue cannot be sent" in stopped.output


def test_machines_read_it_as_json_and_github_beside_the_file(desk: Desk) -> None:
    desk.change("the theory of nothing", "here")
    (finding,) = json.loads(run(desk, "2", "--format", "json").output)["findings"]
    line = desk.line_of("[here]")
    assert (finding["check"], finding["severity"], finding["line"]) == ("NL012", "warning", line)
    annotation = run(desk, "2", "--format", "github").output
    assert annotation.startswith(f"::warning file=issues/2/issue.md,line={line},title=NL012::the link text")


def test_a_check_is_let_pass_for_a_reason(desk: Desk) -> None:
    desk.change("the theory of nothing", "here")
    desk.change("date:", "ignore:\n  NL012: it is a joke\ndate:")
    result = run(desk, "2")
    assert result.exit_code == 0
    assert "NL012 is let pass: it is a joke" in result.output
    assert "nothing to object to" in result.output


def test_what_issue_md_lets_pass_is_let_pass_in_its_translations(desk: Desk) -> None:
    desk.change("the theory of nothing", "here")
    desk.change("date:", "ignore:\n  NL012: it is a joke\ndate:")
    text = (desk.folder / "issues/2/issue.md").read_text(encoding="utf-8")
    desk.write("issues/2/issue.de.md", text.replace("ignore:\n  NL012: it is a joke\n", ""))
    assert told(desk.check()) == []


@pytest.mark.parametrize(
    ("written", "line", "said"),
    [
        ("ignore: NL012", "ignore:", "ignore names no checks"),
        ("ignore:\n  NL012:", "  NL012:", "without a reason"),
        ("ignore:\n  links: all of them", "links:", "is no check"),
    ],
)
def test_a_reason_is_asked_for(desk: Desk, written: str, line: str, said: str) -> None:
    desk.change("date:", f"{written}\ndate:")
    (found,) = desk.check().findings
    assert (found.check, found.fault.line) == ("NL001", desk.line_of(line))
    assert said in found.fault.message


def test_every_check_is_explained(desk: Desk) -> None:
    listed = run(desk, "--explain", "all").output.splitlines()
    assert [line.split()[0] for line in listed] == list(checks())
    told_of_one = run(desk, "--explain", "nl017").output
    assert told_of_one.startswith("NL017 (warning): A picture does not say whose it is")
    assert "ignore:\n  NL017: the reason why" in told_of_one
    unknown = run(desk, "--explain", "NL17")
    assert unknown.exit_code != 0
    assert "did you mean NL017?" in str(unknown.exception)


def test_only_styles_that_concern_many_readers_are_told(desk: Desk) -> None:
    desk.redraw("head.mjml", ".kicker {", ".kicker { position: absolute;")
    assert [check for check, *_ in told(desk.check())] == ["NL022"]
    assert told(desk.check(mail_programs="Apple Mail 99, Gmail 1")) == []


def send(desk: Desk) -> Result:
    desk.write("subscribers/readers.csv", "email\nann@example.com\n")
    return CliRunner().invoke(send_issue, ["-C", str(desk.folder), "2"])


def test_an_error_stops_a_send_before_anybody_is_mailed(desk: Desk) -> None:
    desk.change("https://example.org/nothing", "http://localhost/nothing")
    result = send(desk)
    assert isinstance(result.exception, InputWrong)
    assert "private address" in str(result.exception)
    assert not (desk.folder / "outbox").exists()


def test_a_warning_is_counted_at_a_send_and_an_error_let_pass_stops_nothing(desk: Desk) -> None:
    desk.change("https://example.org/nothing", "http://localhost/nothing")
    desk.change("the theory of nothing", "here")
    desk.change("date:", "ignore:\n  NL011: for the colleagues in the house\ndate:")
    result = send(desk)
    assert result.exit_code == 0
    assert "1 warning: nothing that stops a send; see: dispatcher check 2" in result.output
    assert "issue 2: 1 sent" in result.output


@pytest.mark.usefixtures("spamassassin")
def test_the_spam_filter_of_this_machine_is_asked_and_its_rules_are_told(desk: Desk) -> None:
    gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"  # what every filter takes for spam
    desk.change("two walls", f"two walls `{gtube}`")
    result = run(desk, "2", "--spam")
    assert result.exit_code == 0
    assert "issues/2/issue.md: NL035 note: SpamAssassin gives the message 1000" in result.output
    assert "GTUBE" in result.output


RSPAMD = """\
options {{ pidfile = "{folder}/pid"; control_socket = "{folder}/control"; filters = "regexp"; }}
logging {{ type = "file"; filename = "{folder}/log"; level = "error"; }}
metric {{ name = "default"; actions {{ reject = 15; "add header" = 2; }} }}
regexp {{ TWO_WALLS {{ re = "/two walls/i{{mime}}"; score = 5.0; }} }}
worker {{ type = "controller"; bind_socket = "127.0.0.1:11334"; count = 1; secure_ip = "127.0.0.1"; }}
"""


@pytest.mark.skipif(not IS_LONG, reason="rspamd takes 15 CPU-seconds to begin")
def test_rspamd_is_asked_where_there_is_no_spamassassin(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, client = (shutil.which(name) or absent("rspamd") for name in ("rspamd", "rspamc"))
    (tmp_path / "rspamd.conf").write_text(RSPAMD.format(folder=tmp_path))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/rspamc").symlink_to(client)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with subprocess.Popen([program, "--insecure", "-f", "-c", str(tmp_path / "rspamd.conf")]) as running:
        try:
            until = time.monotonic() + 120
            while not answers(11334):
                assert time.monotonic() < until
                time.sleep(0.2)
            result = run(desk, "2", "--spam")
        finally:
            running.terminate()
    assert "NL035 note: rspamd gives the message 5 of 15 points and takes it for spam: TWO_WALLS" in result.output


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
