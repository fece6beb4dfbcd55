"""Postfix's smtp-sink: it takes everything, fast, and checks little."""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from dispatcher.delivery.smtp import Way
from tests.servers.cell import absent, free_ports, running
from tests.servers.server import Arrival, Server, Words, from_first_header

_WORDS = Words(connected=r"connect \(AF_INET", complaint=r"(?i)\b(errors?|fatal|panic|lost)\b")


@contextlib.contextmanager
def start_sink(way: Way = Way.PIPELINED, options: Sequence[str] = ()) -> Iterator[Server]:
    """One that is spoken to in this way; `options` of smtp-sink itself."""
    sink = shutil.which("smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or absent("smtp-sink")
    with tempfile.TemporaryDirectory(prefix="sink-of-tests-", dir="/tmp") as name:
        folder = Path(name)
        (folder / "mail").mkdir()
        folder.chmod(0o755)
        [port] = free_ports(1)
        plain = ["-p"] if way is Way.STEPWISE else []
        dump = ["-d", f"{folder}/mail/%s."]
        user = ["-u", "root"] if os.geteuid() == 0 else []
        command = [sink, "-v", *user, *plain, *dump, *options, f"127.0.0.1:{port}", "100"]
        with running(command, folder / "said", port):
            yield Server(
                ports={way: port},
                tls_ports={},
                log=folder / "said",
                words=_WORDS,
                arrived=lambda domain: [each for each in _dumped(folder / "mail") if each.recipient.endswith(domain)],
            )


def _dumped(folder: Path) -> Iterator[Arrival]:
    for path in folder.iterdir():
        kept = path.read_bytes()
        for recipient in re.findall(rb"(?m)^X-Rcpt-Args: <(.*)>", kept):  # there is none if it is not done
            content = from_first_header(kept).removesuffix(b"\n")  # an empty line ends every message in a mailbox
            yield Arrival(recipient=recipient.decode(), content=content.replace(b"\n", b"\r\n"))
