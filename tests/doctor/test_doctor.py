"""`dispatcher doctor`: everything at once, each finding with its remedy, and an exit code for scripts."""

import json
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from dispatcher.config import Settings, load_settings
from dispatcher.doctor.finding import Level, exit_code_of
from dispatcher.doctor.machine import check_database, check_inbox, check_private, check_secrets
from dispatcher.doctor.pages import check_pages
from dispatcher.recipes.doctor import _machine_findings, examine
from tests.doctor.names import NameServer
from tests.newsletter import PYPROJECT, Newsletter
from tests.relay import Relay
from tests.servers.postgresql import PostgreSQL

GOOD = {
    ("example.org", "TXT"): ['"v=spf1 include:relay.example.net ~all"'],
    ("example.org", "MX"): ["10 mx.example.org."],
    ("_dmarc.example.org", "TXT"): ['"v=DMARC1; p=none"'],
}


def settings_in(folder: Path, environment: dict[str, str]) -> Settings:
    (folder / "pyproject.toml").write_text(PYPROJECT)
    return load_settings(folder, environment)


def test_a_refused_login_is_found_and_told_by_the_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with NameServer(GOOD) as server, Relay(tls="starttls", user="letter", password="right") as relay:
        monkeypatch.setenv("SSL_CERT_FILE", str(relay.write_authority(tmp_path)))
        url = relay.url
        for password, code in (("right", 78), ("wrong", 69)):  # base_url is not https, which is 78 by itself
            settings = settings_in(tmp_path, {"DISPATCHER_RELAY": url, "DISPATCHER_RELAY_PASSWORD": password})
            findings = examine(settings, nameserver=server.address)
            levels = {each.check: each.level for each in findings}
            assert (levels["SPF"], levels["DMARC"], levels["return path"]) == (Level.OK,) * 3
            assert levels["relay"] is (Level.OK if password == "right" else Level.ERROR)
            assert exit_code_of(findings) == code
            assert not any("wrong" in each.message for each in findings)


def test_a_dns_that_does_not_answer_is_no_fault_of_the_records(tmp_path: Path) -> None:
    with NameServer({}, is_broken=True) as server:
        findings = examine(settings_in(tmp_path, {}), nameserver=server.address)
    assert {each.level for each in findings if each.check in {"SPF", "DMARC", "return path"}} == {Level.WARNING}


def test_the_command_prints_a_line_for_each_finding(newsletter: Newsletter) -> None:
    with NameServer(GOOD) as server:
        said = newsletter.expect(78, "dispatcher", "doctor", "--format", "json", "--nameserver", server.address)
    findings = {each["check"]: each for each in map(json.loads, said.splitlines())}
    assert findings["SPF"]["level"] == "ok"
    assert findings["one-click"]["level"] == "error"
    assert findings["one-click"]["remedy"]


def test_keys_and_databases_are_for_one_pair_of_eyes(tmp_path: Path) -> None:
    path = tmp_path / "dispatcher.db"
    assert [each.level for each in check_database(path)] == [Level.OK]
    path.write_bytes(b"")
    path.chmod(0o644)
    [found] = check_private("database", path)
    assert (found.level, found.remedy) == (Level.ERROR, f"run: chmod 600 {path}")
    path.chmod(0o600)
    assert [each.level for each in check_database(path)] == [Level.OK]


def test_a_database_on_a_server_is_reached_and_asked_what_it_may_forget(
    newsletter: Newsletter, postgresql: PostgreSQL
) -> None:
    def found(url: str, secret: str = "s" * 40) -> tuple[Level, str]:
        environment = {"DISPATCHER_DATABASE": url, "DISPATCHER_SECRET": secret}
        findings = _machine_findings(load_settings(newsletter.folder, environment))
        [each] = [each for each in findings if each.check == "database"]
        return each.level, each.message

    with postgresql.database() as url:
        assert found(url)[0] is Level.OK
        level, said = found(url, secret="")
        assert (level, "DISPATCHER_SECRET is not set" in said) == (Level.ERROR, True)
        postgresql.execute(f"ALTER DATABASE {url.rpartition('/')[2]} SET synchronous_commit = off")
        level, said = found(url)
        assert (level, "synchronous_commit is off" in said) == (Level.ERROR, True)
    level, said = found("postgresql://127.0.0.1:1/letter")
    assert (level, "refused" in said) == (Level.ERROR, True)


def test_a_relay_on_this_machine_needs_no_tls(tmp_path: Path) -> None:
    with NameServer(GOOD) as server, Relay() as relay:
        settings = settings_in(tmp_path, {"DISPATCHER_RELAY": relay.url})
        [found] = [each for each in examine(settings, nameserver=server.address) if each.check == "relay"]
    assert (found.level, "on this machine" in found.message) == (Level.OK, True)


def test_a_secret_that_repeats_itself_is_weak() -> None:
    assert [each.level for each in check_secrets(["ab" * 20, "x9Qm2Lp7Vt4Rz8Kw1Yc6Nb3Hd5Js0GfAe"])] == [Level.ERROR]
    assert [each.level for each in check_secrets(["x9Qm2Lp7Vt4Rz8Kw1Yc6Nb3Hd5Js0GfAe"])] == [Level.OK]


def test_returned_mail_needs_a_maildir(tmp_path: Path) -> None:
    assert [each.level for each in check_inbox(None, has_return_path=False)] == [Level.WARNING]
    assert [each.level for each in check_inbox(None, has_return_path=True)] == [Level.WARNING]
    assert [each.level for each in check_inbox(tmp_path, has_return_path=True)] == [Level.ERROR]
    for name in ("new", "cur", "tmp"):
        (tmp_path / name).mkdir()
    assert [each.level for each in check_inbox(tmp_path, has_return_path=True)] == [Level.OK]


@pytest.mark.parametrize("base_url", ["", "http://letter.example.org", "https://127.0.0.1:9"])
def test_pages_that_nobody_reaches_are_found(base_url: str) -> None:
    [found] = check_pages(base_url, "/u/sample", datetime(2026, 11, 25, tzinfo=UTC))
    assert (found.level, found.check) == (Level.ERROR, "one-click")


@pytest.mark.parametrize(("off", "clock"), [(timedelta(0), Level.OK), (timedelta(hours=1), Level.WARNING)])
def test_pages_over_https_tell_the_time_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, off: timedelta, clock: Level
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        findings = check_pages(f"https://127.0.0.1:{server.server_port}", "/u/sample", datetime.now(UTC) + off)
        server.shutdown()
        thread.join()
    assert {each.check: each.level for each in findings} == {"one-click": Level.OK, "clock": clock}


class Page(BaseHTTPRequestHandler):
    """Answers with a date."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Says nothing."""
