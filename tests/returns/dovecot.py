"""A real Dovecot on free loopback ports, with a mailbox for each test, and a way to it that can be cut."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import trustme

from tests.servers.cell import absent, free_ports

PASSWORD = "right"


@dataclass(slots=True, kw_only=True)
class Dovecot:
    """`url` is what `inbox` wants; mails are put into the Maildir as a mail server does it."""

    port: int
    tls_port: int
    home: Path
    authority: Path
    user: str = "bounces"
    _count: int = 0

    @property
    def maildir(self) -> Path:
        return self.home / self.user

    @property
    def url(self) -> str:
        return f"imaps://{self.user}@localhost:{self.tls_port}/INBOX"

    def plain_url(self, port: int) -> str:
        return f"imap://{self.user}@127.0.0.1:{port}/INBOX?tls=none"

    def deliver(self, *mails: bytes) -> None:
        nobody = pwd.getpwnam("nobody")
        for mail in mails:
            self._count += 1
            for folder in (self.maildir, *(self.maildir / each for each in ("new", "cur", "tmp"))):
                folder.mkdir(parents=True, exist_ok=True)
                os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            path = self.maildir / f"tmp/{self._count:06}.here"
            path.write_bytes(mail)
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
            path.rename(self.maildir / "new" / path.name)


@contextlib.contextmanager
def start_dovecot() -> Iterator[Dovecot]:
    program = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None or not Path("/usr/lib/dovecot/imap").exists():
        absent("dovecot-imapd")
    if os.geteuid() != 0:
        absent("the right to start Dovecot (root)")
    with tempfile.TemporaryDirectory(prefix="dovecot-of-tests-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "authority.pem")
        issued = authority.issue_cert("localhost", "127.0.0.1")
        issued.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
        server = Dovecot(
            port=free_ports(1)[0], tls_port=free_ports(1)[0], home=folder / "home", authority=folder / "authority.pem"
        )
        (folder / "home").mkdir()
        shutil.chown(folder / "home", "nobody")
        (folder / "dovecot.conf").write_text(f"""\
protocols = imap
listen = 127.0.0.1
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
ssl = yes
ssl_cert = <{folder}/server.pem
ssl_key = <{folder}/server.pem
disable_plaintext_auth = no
mail_location = maildir:{folder}/home/%u
first_valid_uid = 1
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={folder}/home
}}
service imap-login {{
  inet_listener imap {{
    port = {server.port}
  }}
  inet_listener imaps {{
    port = {server.tls_port}
    ssl = yes
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
""")
        with subprocess.Popen([program, "-F", "-c", folder / "dovecot.conf"], stdin=subprocess.DEVNULL) as process:
            try:
                _wait_for(server.port, folder / "log")
                yield server
            finally:
                process.terminate()
                process.wait(20)


def _wait_for(port: int, log: Path) -> None:
    until = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            if connection.recv(100).startswith(b"* OK"):
                return
        assert time.monotonic() < until, log.read_text() if log.exists() else "Dovecot said nothing"
        time.sleep(0.05)


@dataclass(slots=True)
class Cutter:
    """Passes connections on, and cuts each of the first ones after so many bytes of the server's."""

    target: int
    cuts: list[int]
    port: int = 0
    connections: int = 0
    _listening: socket.socket = field(init=False)

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            most = self.cuts.pop(0) if self.cuts else None
            server = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self._pass, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, most), daemon=True).start()

    @staticmethod
    def _pass(source: socket.socket, sink: socket.socket, most: int | None) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while (data := source.recv(4096)) and (most is None or passed < most):
                passed += len(data)
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
