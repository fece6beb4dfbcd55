"""Servers of our own that take all, pass it on to servers that refuse it, and bounce it back to us."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.returns.refusing import ANN, Bouncer, Next
from tests.servers.cell import free_ports, furnish, program, running, wait_for_greeting
from tests.servers.postfix import wait_for_end

_EXIM_UID = 150  # of the user that Debian's Exim insists on, within its cell
_OPENSMTPD_USERS = {"opensmtpd": 151, "opensmtpq": 152, "keeper": 153}  # the first two are Debian's


@contextlib.contextmanager
def start_postfix(following: Next) -> Iterator[Bouncer]:
    postfix = program("postfix", "usr/sbin/postfix")
    # Not below pytest's own folder: that is closed to others, and Postfix works as others.
    with tempfile.TemporaryDirectory(prefix="postfix-of-tests-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for each in ("etc", "queue", "data", "mail", "log"):
            (folder / each).mkdir()
        shutil.chown(folder / "data", "postfix")
        shutil.chown(folder / "mail", "nobody")
        [port] = free_ports(1)
        (folder / "etc/main.cf").write_text(_postfix_settings(folder, following))
        (folder / "etc/master.cf").write_text(f"127.0.0.1:{port} inet n - n - - smtpd\n" + _POSTFIX_SERVICES)
        (folder / "etc/mailboxes").write_text(f"/@example\\.org$/ all/\n/^{ANN}$/ ann/\n")
        log = folder / "log/maillog"
        command = [str(postfix), "-c", str(folder / "etc")]
        subprocess.run([*command, "start"], capture_output=True, timeout=60, check=False)
        try:
            wait_for_greeting(port, lambda: log.read_text() if log.exists() else "no log")
            yield Bouncer(port=port, maildir=folder / "mail/all", log=log)
        finally:
            quiet = subprocess.DEVNULL  # what is left of it would hold a pipe open
            subprocess.run([*command, "abort"], stdout=quiet, stderr=quiet, timeout=60, check=False)
            wait_for_end(folder / "queue/pid/master.pid")


_POSTFIX_SERVICES = """\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
smtp unix - - n - - smtp
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


def _postfix_settings(folder: Path, following: Next) -> str:
    nobody = pwd.getpwnam("nobody")
    transports = ", ".join(f"{domain}=smtp:[127.0.0.1]:{port}" for domain, port in following.ports.items())
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
virtual_mailbox_domains = example.org, here.example.net
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = regexp:{folder}/etc/mailboxes
virtual_uid_maps = static:{nobody.pw_uid}
virtual_gid_maps = static:{nobody.pw_gid}
virtual_minimum_uid = 1
virtual_alias_maps =
alias_maps =
local_recipient_maps =
default_transport = smtp
transport_maps = inline:{{ {transports} }}
maximal_queue_lifetime = 0
bounce_queue_lifetime = 0
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_reject_unlisted_recipient = no
smtpd_client_connection_count_limit = 0
smtputf8_enable = yes
"""


@contextlib.contextmanager
def start_exim(following: Next) -> Iterator[Bouncer]:
    exim = program("exim4-daemon-light", "usr/sbin/exim4")
    with tempfile.TemporaryDirectory(prefix="exim-of-tests-", dir="/tmp") as name:
        cell = Path(name)
        cell.chmod(0o755)
        furnish(cell, [exim], exim.parents[2], {"Debian-exim": _EXIM_UID})
        for each in ("spool", "log", "mail"):
            (cell / each).mkdir(exist_ok=True)
            os.chown(cell / each, _EXIM_UID, _EXIM_UID)
        [port] = free_ports(1)
        routes = " ; ".join(f"{domain} 127.0.0.1::{port}" for domain, port in following.ports.items())
        (cell / "etc/exim4").mkdir()
        (cell / "etc/exim4/exim4.conf").write_text(f"""\
primary_hostname = relay.example.org
spool_directory = /spool
log_file_path = /log/%slog
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
acl_smtp_rcpt = accept

begin routers
returns:
  driver = accept
  domains = example.org
  transport = returns
here:
  driver = accept
  domains = {ANN.partition("@")[2]}
  transport = here
following:
  driver = manualroute
  domains = {" : ".join(following.ports)}
  route_list = {routes}
  transport = remote
  self = send

begin transports
returns:
  driver = appendfile
  maildir_format
  directory = /mail/all
  user = Debian-exim
here:
  driver = appendfile
  maildir_format
  directory = /mail/here
  user = Debian-exim
remote:
  driver = smtp
  allow_localhost
  port = 25
""")
        with running(["chroot", cell, "/usr/sbin/exim4", "-bdf"], cell / "said", port):
            yield Bouncer(port=port, maildir=cell / "mail/all", log=cell / "log/mainlog")


@contextlib.contextmanager
def start_opensmtpd(following: Next) -> Iterator[Bouncer]:
    programs = [program("opensmtpd", f"usr/{each}") for each in ("sbin/smtpd", "sbin/smtpctl")]
    more = [program("opensmtpd", "usr/libexec/opensmtpd/mail.maildir")]
    with tempfile.TemporaryDirectory(prefix="opensmtpd-of-tests-", dir="/tmp") as name:
        cell = Path(name)
        cell.chmod(0o755)
        furnish(cell, [*programs, *more], programs[0].parents[2], _OPENSMTPD_USERS)
        shutil.copy("/etc/resolv.conf", cell / "etc/resolv.conf")
        shutil.copy("/bin/dash", cell / "usr/bin/sh")  # it delivers by a shell
        for each in ("var/lib/opensmtpd/empty", "var/spool/smtpd", "var/mail", "mail"):
            (cell / each).mkdir(parents=True)
        (cell / "var/spool/smtpd").chmod(0o711)
        os.chown(cell / "mail", _OPENSMTPD_USERS["keeper"], _OPENSMTPD_USERS["keeper"])
        os.chown(cell / "usr/sbin/smtpctl", 0, _OPENSMTPD_USERS["opensmtpq"])
        (cell / "usr/sbin/smtpctl").chmod(0o2755)  # it insists
        [port] = free_ports(1)
        here = ANN.partition("@")[2]
        on = "\n".join(
            f'action "to {domain}" relay host "smtp://127.0.0.1:{port}"\n'
            f'match from any for domain "{domain}" action "to {domain}"'
            for domain, port in following.ports.items()
        )
        (cell / "etc/smtpd.conf").write_text(f"""\
table mailboxes {{ "@" = "keeper" }}
listen on 127.0.0.1 port {port} hostname relay.example.org
action "returns" maildir "/mail/all" virtual <mailboxes>
action "here" maildir "/mail/here" virtual <mailboxes>
action "out" relay
match from any for domain "example.org" action "returns"
match from any for domain "{here}" action "here"
{on}
match from any for any action "out"
""")
        (cell / "etc/smtpd.conf").chmod(0o600)
        with running(["chroot", cell, "/usr/sbin/smtpd", "-d"], cell / "log/said", port):
            yield Bouncer(port=port, maildir=cell / "mail/all", log=cell / "log/said")
