"""An Exim of our own that keeps what it takes in its queue."""

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import trustme

from dispatcher.delivery.smtp import Way
from tests.servers.cell import free_ports, furnish, program, running
from tests.servers.server import GONE, PASSWORD, USER, Arrival, Server, Words, from_first_header, write_certificate

_UID = 150  # of the user that Debian's Exim insists on, within its cell
_HEADER = re.compile(rb"(\d{3,})(.) ")
_WORDS = Words(
    connected=r"SMTP connection from \[127\.0\.0\.1\][^\n]*\(TCP/IP connection count",
    authenticated=rf" A=plain:{USER} ",
    shows={Way.CHUNKED: r" <= .* K ", Way.PIPELINED: r" <= .* L\.? "},
    complaint=r"(?i)\b(lost|unexpected|synchroni[sz]ation|incomplete|too many|errors?)\b",  # no part of a Message-ID,
)


@contextlib.contextmanager
def start_exim(authority: trustme.CA, *, per_connection: int = 0) -> Iterator[Server]:
    """`per_connection`: how many messages it takes on one connection; 0 for any number."""
    exim = program("exim4-daemon-light", "usr/sbin/exim4")
    root = exim.parents[2]
    with tempfile.TemporaryDirectory(prefix="exim-of-tests-", dir="/tmp") as name:
        cell = Path(name)
        cell.chmod(0o755)
        furnish(cell, [exim], root, {"Debian-exim": _UID})
        for each in ("spool", "log"):
            (cell / each).mkdir(exist_ok=True)
            os.chown(cell / each, _UID, _UID)
        write_certificate(authority, cell / "etc/certificate.pem", cell / "etc/key.pem", owner=_UID)
        numbers = free_ports(2 * len(Way))
        ports, tls_ports = (dict(zip(Way, each, strict=True)) for each in (numbers[: len(Way)], numbers[len(Way) :]))
        (cell / "etc/exim4").mkdir()
        (cell / "etc/exim4/exim4.conf").write_text(_configuration(ports, tls_ports, per_connection))
        with running(["chroot", cell, "/usr/sbin/exim4", "-bdf"], cell / "said", numbers[0]):
            yield Server(
                ports=ports,
                tls_ports=tls_ports,
                log=cell / "log/mainlog",
                words=_WORDS,
                arrived=lambda domain: [
                    each for each in _queue(cell / "spool/input") if each.recipient.endswith(domain)
                ],
            )


def _configuration(ports: dict[Way, int], tls_ports: dict[Way, int], per_connection: int) -> str:
    def on(*ways: Way) -> str:
        """A list of hosts that is everybody on the ports of these ways, else nobody."""
        wanted = ":".join(str(each[way]) for each in (ports, tls_ports) for way in ways)
        return f"${{if inlist{{$received_port}}{{{wanted}}}{{*}}{{}}}}"

    everywhere = [*ports.values(), *tls_ports.values()]
    return f"""\
primary_hostname = relay.example.org
spool_directory = /spool
log_file_path = /log/%slog
log_selector = +smtp_connection +smtp_protocol_error +smtp_syntax_error +smtp_incomplete_transaction +pipelining
queue_only
local_interfaces = 127.0.0.1
daemon_smtp_ports = {":".join(map(str, everywhere))}
tls_on_connect_ports = {":".join(map(str, tls_ports.values()))}
tls_advertise_hosts = *
tls_certificate = /etc/certificate.pem
tls_privatekey = /etc/key.pem
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
pipelining_advertise_hosts = {on(Way.CHUNKED, Way.PIPELINED)}
chunking_advertise_hosts = {on(Way.CHUNKED)}
smtp_accept_max = 0
smtp_accept_max_per_connection = {per_connection or 100_000}
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
acl_smtp_rcpt = check_recipient

begin acl
check_recipient:
  deny domains = {GONE}
       message = 550 5.1.1 no such user
  accept

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{USER}}}}}{{eq{{$auth3}}{{{PASSWORD}}}}}}}}}
  server_set_id = $auth2
"""


def _queue(folder: Path) -> list[Arrival]:
    """What Exim has taken; the order of its header files is in chapter "Format of spool files" of its specification."""
    arrivals = []
    for head in folder.glob("*-H"):
        envelope, headers = head.read_bytes().split(b"\n\n", 1)
        body = (folder / head.name.replace("-H", "-D")).read_bytes().split(b"\n", 1)[1]
        content, at = b"", 0
        while header := _HEADER.match(headers, at):
            at = header.end() + int(header[1])
            if header[2] not in b"P*":  # neither Exim's own Received nor deleted
                content += headers[header.end() : at]
        content = from_first_header(content) + b"\n" + body
        arrivals.append(Arrival(recipient=envelope.split(b"\n")[-1].decode(), content=content.replace(b"\n", b"\r\n")))
    return arrivals
