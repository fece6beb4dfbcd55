"""What the tests share: a newsletter, a relay, a real Postfix, a browser."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from tests.newsletter import Newsletter
from tests.relay import Relay


@pytest.fixture
def newsletter(tmp_path: Path) -> Newsletter:
    """A small newsletter: issue 29 in two languages, the standing cast on its list."""
    folder = tmp_path / "letter"
    folder.mkdir()
    return Newsletter.make(folder)


@pytest.fixture
def relay() -> Iterator[Relay]:
    """A relay without TLS that says yes to everything until it is told otherwise."""
    with Relay() as relay:
        yield relay


@pytest.fixture
def live(newsletter: Newsletter, relay: Relay) -> Newsletter:
    """The newsletter, sending over the relay."""
    newsletter.send_over(relay)
    return newsletter


@pytest.fixture
def chromium() -> str:
    """Path of a Chromium."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or _absent("chromium")


@dataclass(frozen=True, slots=True)
class Postfix:
    """A Postfix of our own that delivers every address into one Maildir and sends nothing on."""

    port: int
    maildir: Path
    log: Path

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?tls=none"


@pytest.fixture(scope="session")
def postfix() -> Iterator[Postfix]:
    """A real Postfix on a free loopback port; each test process has its own, with its own queue."""
    program = shutil.which("postfix", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        _absent("postfix")
    if os.geteuid() != 0:
        _absent("the right to start Postfix (root)")
    # Not below pytest's own folder: that is closed to others, and Postfix works as others.
    with tempfile.TemporaryDirectory(prefix="postfix-of-tests-", dir="/tmp") as name:
        folder = Path(name)
        server = _configure(folder, port=_free_port())
        command = [program, "-c", str(folder / "etc")]
        started = subprocess.run([*command, "start"], capture_output=True, text=True, timeout=60, check=False)
        try:
            said = started.stdout + started.stderr
            _wait_for_banner(server.port, lambda: said + (server.log.read_text() if server.log.exists() else ""))
            yield server
        finally:
            subprocess.run([*command, "abort"], capture_output=True, timeout=60, check=False)
            _wait_for_end(folder / "queue/pid/master.pid")


def _configure(folder: Path, *, port: int) -> Postfix:
    folder.chmod(0o755)
    for name in ("etc", "queue", "data", "mail", "log"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    shutil.chown(folder / "mail", "nobody")
    nobody = pwd.getpwnam("nobody")
    server = Postfix(port, folder / "mail/all", folder / "log/maillog")
    (folder / "etc/main.cf").write_text(f"""\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {server.log}
maillog_file_prefixes = {folder}
myhostname = localhost.localdomain
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
virtual_mailbox_domains = static:all
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:{nobody.pw_uid}
virtual_gid_maps = static:{nobody.pw_gid}
virtual_minimum_uid = 1
virtual_alias_maps =
alias_maps =
local_recipient_maps =
default_transport = error:nothing leaves this machine
relay_transport = error:nothing leaves this machine
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
smtputf8_enable = yes
""")
    _forbid_bare_newline(folder / "etc")
    services = f"""\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
    (folder / "etc/master.cf").write_text(services)
    return server


def _forbid_bare_newline(etc: Path) -> None:
    """As strict about line ends as this version of Postfix can be (3.7.10, 3.8.5 or later can)."""
    known = subprocess.run(
        ["/usr/sbin/postconf", "-c", str(etc), "-d", "smtpd_forbid_bare_newline"],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    if known.stdout:
        with (etc / "main.cf").open("a") as main:
            main.write("smtpd_forbid_bare_newline = reject\nsmtpd_forbid_bare_newline_exclusions =\n")


def _wait_for_banner(port: int, log: Callable[[], str]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            if connection.recv(100).startswith(b"220 "):
                connection.sendall(b"QUIT\r\n")
                return
        time.sleep(0.05)
    pytest.fail(f"Postfix did not start:\n{log()}")


def _wait_for_end(pid_file: Path) -> None:
    """Until the master process is gone; its folder is removed after that."""
    with contextlib.suppress(OSError, ValueError):
        pid = int(pid_file.read_text())
        until = time.monotonic() + 20
        while time.monotonic() < until:
            os.kill(pid, 0)
            time.sleep(0.05)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def _absent(program: str) -> NoReturn:
    """A test that needs what this machine lacks skips and says so; in CI that is a failure."""
    if os.environ.get("DISPATCHER_TESTS_REQUIRE_ALL") == "1":
        pytest.fail(f"{program} is missing on this machine")
    pytest.skip(f"{program} is missing on this machine")
