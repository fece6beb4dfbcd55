"""A Postfix of our own that delivers the domains of the tests, each into a Maildir, and sends nothing on."""

import contextlib
import os
import pwd
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import trustme

from dispatcher.delivery.relay import Security, SmtpRelay
from dispatcher.delivery.smtp import Way
from tests.servers.cell import absent, free_ports, program, wait_for_greeting
from tests.servers.server import (
    DOMAINS,
    GONE,
    PASSWORD,
    USER,
    Arrival,
    Server,
    Words,
    from_first_header,
    write_certificate,
)

_WORDS = Words(
    connected=r"smtpd\[\d+\]: connect from localhost",
    authenticated=rf"sasl_method=\w+, sasl_username={USER}@",
    shows={Way.CHUNKED: r"disconnect from .* bdat="},
    complaint=r"(?i)lost connection|improper|too many|timeout|fatal|panic|warning: (?!(connect to|problem talking to))",
)
_DISCARDED: Mapping[Way, str] = {Way.CHUNKED: "", Way.PIPELINED: "chunking", Way.STEPWISE: "chunking, pipelining"}
_LIMIT = 3  # messages of one client in a second, where there is a limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Postfix:
    """Its ports and folders; on `limited_port` it takes few messages a second."""

    server: Server
    port: int  # as it comes
    limited_port: int
    mail: Path

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?tls=none"

    @property
    def limited_relay(self) -> SmtpRelay:
        return SmtpRelay(host="127.0.0.1", port=self.limited_port, security=Security.NONE, connections=1)

    @property
    def maildir(self) -> Path:
        """What came for readers at example.com."""
        return self.mail / "example.com"


@contextlib.contextmanager
def start_postfix(authority: trustme.CA) -> Iterator[Postfix]:
    postfix = shutil.which("postfix", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or absent("postfix")
    passwords = program("sasl2-bin", "usr/sbin/saslpasswd2")
    # Not below pytest's own folder: that is closed to others, and Postfix works as others.
    with tempfile.TemporaryDirectory(prefix="postfix-of-tests-", dir="/tmp") as name:
        folder = Path(name)
        server = _configure(folder, authority, passwords)
        command = [postfix, "-c", str(folder / "etc")]
        started = subprocess.run([*command, "start"], capture_output=True, text=True, timeout=60, check=False)
        try:
            said = started.stdout + started.stderr
            log = server.server.log
            wait_for_greeting(server.port, lambda: said + (log.read_text() if log.exists() else ""))
            yield server
        finally:
            subprocess.run([*command, "abort"], capture_output=True, timeout=60, check=False)
            wait_for_end(folder / "queue/pid/master.pid")


def _configure(folder: Path, authority: trustme.CA, passwords: Path) -> Postfix:
    folder.chmod(0o755)
    for name in ("etc", "queue", "data", "mail", "log"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    shutil.chown(folder / "mail", "nobody")
    numbers = free_ports(2 * len(Way) + 1)
    ports, tls_ports = (dict(zip(Way, each, strict=False)) for each in (numbers, numbers[len(Way) :]))
    _write_accounts(folder, passwords)
    write_certificate(authority, folder / "etc/certificate.pem", folder / "etc/key.pem")
    (folder / "etc/mailboxes").write_text("".join(f"@{domain} {domain}/\n" for domain in (*DOMAINS, "example.com")))
    (folder / "etc/main.cf").write_text(_main(folder))
    _forbid_bare_newline(folder / "etc")
    (folder / "etc/master.cf").write_text(_services(ports, tls_ports, numbers[-1]))
    server = Server(
        ports=ports,
        tls_ports=tls_ports,
        log=folder / "log/maillog",
        words=_WORDS,
        arrived=lambda domain: list(_mailbox(folder / "mail" / domain / "new")),
    )
    return Postfix(server=server, port=numbers[0], limited_port=numbers[-1], mail=folder / "mail")


def _main(folder: Path) -> str:
    nobody = pwd.getpwnam("nobody")
    return f"""\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log/maillog
maillog_file_prefixes = {folder}
myhostname = localhost.localdomain
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
virtual_mailbox_domains = static:all
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = texthash:{folder}/etc/mailboxes
virtual_uid_maps = static:{nobody.pw_uid}
virtual_gid_maps = static:{nobody.pw_gid}
virtual_minimum_uid = 1
virtual_alias_maps =
alias_maps =
local_recipient_maps =
default_transport = error:nothing leaves this machine
relay_transport = error:nothing leaves this machine
smtpd_sender_restrictions = reject_unauth_pipelining
smtpd_recipient_restrictions =
  reject_unauth_pipelining
  check_recipient_access inline:{{ {{ {GONE} = 550 5.1.1 no such user }} }}
  permit_mynetworks
  reject
smtpd_data_restrictions = reject_unauth_pipelining
smtpd_client_connection_count_limit = 0
local_header_rewrite_clients =
smtputf8_enable = yes
smtpd_tls_security_level = may
smtpd_tls_cert_file = {folder}/etc/certificate.pem
smtpd_tls_key_file = {folder}/etc/key.pem
smtpd_tls_loglevel = 0
smtpd_sasl_auth_enable = yes
smtpd_tls_auth_only = yes
cyrus_sasl_config_path = {folder}/etc/sasl
smtpd_sasl_local_domain = example.org
anvil_rate_time_unit = 1s
"""


def _write_accounts(folder: Path, passwords: Path) -> None:
    """The accounts that may log in, in Cyrus SASL's own database."""
    accounts = folder / "accounts"
    (folder / "etc/sasl").mkdir()
    (folder / "etc/sasl/smtpd.conf").write_text(
        f"pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {accounts}\nmech_list: PLAIN LOGIN\n"
    )
    command = [str(passwords), "-p", "-c", "-f", str(accounts), "-u", "example.org", USER]
    subprocess.run(command, input=PASSWORD, text=True, timeout=30, check=True, capture_output=True)
    shutil.chown(accounts, "postfix")


def _services(ports: Mapping[Way, int], tls_ports: Mapping[Way, int], limited_port: int) -> str:
    doors = ""
    for way in Way:
        discarded = f" -o {{ smtpd_discard_ehlo_keywords = {_DISCARDED[way]} }}"
        doors += f"127.0.0.1:{ports[way]} inet n - n - - smtpd{discarded}\n"
        doors += f"127.0.0.1:{tls_ports[way]} inet n - n - - smtpd{discarded} -o smtpd_tls_wrappermode=yes\n"
    limits = f" -o smtpd_client_message_rate_limit={_LIMIT} -o smtpd_client_event_limit_exceptions="
    return f"""\
{doors}127.0.0.1:{limited_port} inet n - n - - smtpd{limits}
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
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


def _forbid_bare_newline(etc: Path) -> None:
    """As strict about line ends as this version of Postfix can be (3.7.10, 3.8.5 or later can)."""
    known = subprocess.run(
        ["/usr/sbin/postconf", "-c", str(etc), "-d", "smtpd_forbid_bare_newline"],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    if known.stdout:
        with (etc / "main.cf").open("a") as main:
            main.write("smtpd_forbid_bare_newline = reject\nsmtpd_forbid_bare_newline_exclusions =\n")


def _mailbox(folder: Path) -> Iterator[Arrival]:
    for path in folder.glob("*"):
        kept = path.read_bytes()
        [recipient] = re.findall(rb"(?m)^X-Original-To: (.*)$", kept)
        yield Arrival(recipient=recipient.decode(), content=from_first_header(kept).replace(b"\n", b"\r\n"))


def wait_for_end(pid_file: Path) -> None:
    """Until the master process is gone; its folder is removed after that."""
    with contextlib.suppress(OSError, ValueError):
        pid = int(pid_file.read_text())
        until = time.monotonic() + 20
        while time.monotonic() < until:
            os.kill(pid, 0)
            time.sleep(0.05)
