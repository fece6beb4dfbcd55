"""What sending costs: `python -m tests.benchmarks.send` runs the whole `send-issue` to a fast sink on this machine.

It prints messages a second, CPU-seconds per 1,000 messages and the peak of memory of the whole process, imports and
all, the readers imported before; and the same for what others do with one message after the other: aiosmtplib's
`sendmail` with messages built by the standard library, `smtplib`, and nodemailer's pool where node and nodemailer are
installed. Wall time depends on what else the machine does; CPU-seconds and ratios are what to compare.
"""

import argparse
import asyncio
import compileall
import os
import resource
import shutil
import smtplib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import aiosmtplib
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.sink import Sink

_ROOT = Path(__file__).parents[2]
NODE_MODULES = Path("/var/cache/dispatcher-tests/node/node_modules")  # by .ci/run
_OFFERS = ["SIZE 36700160", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
_SETTINGS = """\
[tool.dispatcher]
name = "Bench"
from = "Bench <letter@bench.example.org>"
postal_address = "1 Example Street"
list = "readers"
base_url = "http://127.0.0.1:8029"
bounce_address = "bounces+{token}@bench.example.org"
require_staging = false
"""
_STORY = """\
## Story {number} of many

> {words}
>
> [… continue reading](https://example.org/story/{number})

Dig in

- [The article](https://example.org/article/{number})
- [Another one](https://example.org/another/{number})

"""
_WORDS = "Whatever there is to say about this, it is said here in as many words as it takes to fill a paragraph. " * 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one way of sending so many messages took."""

    name: str
    messages: int
    octets: int  # as the sink counted them
    seconds: float  # of wall time
    cpu: float  # seconds
    peak: int  # KB of memory, 0 where it was not measured

    @property
    def per_thousand(self) -> float:
        return self.cpu / self.messages * 1000

    def __str__(self) -> str:
        peak = f"{self.peak / 1024:5.0f} MB" if self.peak else "        "
        rate = self.messages / self.seconds
        size = self.octets / self.messages / 1000
        return f"{self.name:<34}{self.per_thousand:8.3f} CPU-s/1,000 {rate:9,.0f}/s  {peak}  {size:5.1f} KB each"


def make_newsletter(
    folder: Path, *, readers: int, stories: int = 16, environment: Mapping[str, str] = os.environ
) -> None:
    """A newsletter whose issue 1 makes messages of some 94 KB, its readers imported."""
    (folder / "issues/1").mkdir(parents=True)
    (folder / "subscribers").mkdir()
    (folder / "pyproject.toml").write_text(_SETTINGS, encoding="utf-8")
    body = "".join(_STORY.format(number=number, words=_WORDS.strip()) for number in range(1, stories + 1))
    head = "# A bench issue\n\nDear {{ subscriber.name | default('reader') }}, hello.\n\n# Stories\n\n"
    (folder / "issues/1/issue.md").write_text(head + body, encoding="utf-8")
    with (folder / "subscribers/readers.csv").open("w", encoding="utf-8") as file:
        file.write("email,name,plan\n")
        file.writelines(f"reader{n:07}@d{n % 97}.example.net,Reader {n},{('pro', '')[n % 2]}\n" for n in range(readers))
    program = [sys.executable, "-c", "from dispatcher.cli.main import main; main()", "-C", str(folder)]
    subprocess.run([*program, "subscribers", "import", str(folder / "subscribers/readers.csv"), "--list", "readers"],
                   check=True, capture_output=True, env=environment)  # fmt: skip


def make_keys(folder: Path) -> None:
    """Has the newsletter sign with RSA."""
    path = folder / "dkim.pem"
    path.touch(0o600)
    key = generate_private_key(65537, 2048)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with (folder / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write('[tool.dispatcher.dkim]\nselector = "s1"\nkey = "dkim.pem"\n')


def whole_process(folder: Path, sink: Sink, name: str) -> Cost:
    """`send-issue 1` from its start to its end."""
    environment = {**os.environ, "DISPATCHER_RELAY": sink.url}
    before, begun = _children(), time.monotonic()
    sending = subprocess.Popen(
        [sys.executable, "-c", "from dispatcher.cli.send_issue import main; main()", "-C", str(folder), "1", "--yes"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    said, _ = sending.communicate()
    seconds = time.monotonic() - begun
    if sending.returncode != 0:
        raise SystemExit(f"send-issue ended with {sending.returncode}:\n{said}")
    messages, octets = _taken(sink)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = usage.ru_utime + usage.ru_stime - before
    return Cost(name=name, messages=messages, octets=octets, seconds=seconds, cpu=cpu, peak=usage.ru_maxrss)


def _taken(sink: Sink) -> tuple[int, int]:
    taken = sink.taken
    return len(taken), sum(event.octets for event in taken)


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


# --- what others do ---------------------------------------------------------------------------------


def _built(number: int, text: str, html: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = "letter@bench.example.org", f"reader{number}@example.net"
    message["Subject"] = "A bench issue"
    message.set_content(f"Dear Reader {number}, hello.\n\n{text}")
    message.add_alternative(f"<p>Dear Reader {number}, hello.</p>\n{html}", subtype="html")
    return message


def _measured(name: str, sink: Sink, messages: int, send: Callable[[], None]) -> Cost:
    before, begun = time.process_time(), time.monotonic()
    send()
    cpu, seconds = time.process_time() - before, time.monotonic() - begun
    return Cost(name=name, messages=messages, octets=_taken(sink)[1], seconds=seconds, cpu=cpu, peak=0)


def by_aiosmtplib(sink: Sink, messages: int, text: str, html: str, connections: int = 16) -> Cost:
    async def one(numbers: Sequence[int]) -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=sink.port, start_tls=False) as client:
            for number in numbers:
                built = _built(number, text, html).as_bytes()
                await client.sendmail("letter@bench.example.org", [f"reader{number}@example.net"], built)

    async def run() -> None:
        await asyncio.gather(*(one(range(start, messages, connections)) for start in range(connections)))

    return _measured("aiosmtplib sendmail, stdlib message", sink, messages, lambda: asyncio.run(run()))


def by_smtplib(sink: Sink, messages: int, text: str, html: str) -> Cost:
    def run() -> None:
        with smtplib.SMTP("127.0.0.1", sink.port) as client:
            for number in range(messages):
                client.send_message(_built(number, text, html))

    return _measured("smtplib send_message", sink, messages, run)


_NODEMAILER = """
const transport = require("nodemailer").createTransport(
  {host: "127.0.0.1", port: +process.argv[1], pool: true, maxConnections: 16, maxMessages: Infinity, ignoreTLS: true});
const fs = require("fs"), n = +process.argv[2], text = fs.readFileSync(process.argv[3], "utf8"),
  html = fs.readFileSync(process.argv[4], "utf8");
Promise.all(Array.from({length: n}, (_, i) => transport.sendMail({from: "letter@bench.example.org",
  to: `reader${i}@example.net`, subject: "A bench issue", text: `Dear Reader ${i}\\n${text}`,
  html: `<p>${i}</p>${html}`})))
  .then(() => process.exit(0), error => { console.error(error); process.exit(1); });
"""


def by_nodemailer(sink: Sink, messages: int, text: Path, html: Path) -> Cost | None:
    node = shutil.which("node")
    if not node or not NODE_MODULES.exists():
        return None
    before, begun = _children(), time.monotonic()
    command = [node, "-e", _NODEMAILER, str(sink.port), str(messages), str(text), str(html)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "NODE_PATH": str(NODE_MODULES)})
    cpu, seconds = _children() - before, time.monotonic() - begun
    return Cost(name="nodemailer pool", messages=messages, octets=_taken(sink)[1], seconds=seconds, cpu=cpu, peak=0)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--readers", type=int, default=20_000)
    options.add_argument("--others", type=int, default=1_000, metavar="N", help="messages for each other way; 0: none")
    options.add_argument("--ways", nargs="*", default=["pipelining", "chunking", "stepwise", "dkim"])
    given = options.parse_args()
    offers = {
        "pipelining": ["PIPELINING", *_OFFERS],
        "chunking": ["PIPELINING", "CHUNKING", *_OFFERS],
        "stepwise": _OFFERS,
        "dkim": ["PIPELINING", *_OFFERS],
    }
    compileall.compile_dir(_ROOT / "dispatcher", quiet=1)  # as an installation is, whatever Python may write here
    costs: list[Cost] = []
    for way in given.ways:
        with tempfile.TemporaryDirectory() as name, Sink(Path(name) / "sink", offers=offers[way], lax=True) as sink:
            make_newsletter(Path(name), readers=given.readers)
            if way == "dkim":
                make_keys(Path(name))
            costs.append(whole_process(Path(name), sink, f"send-issue, {way}"))
            print(costs[-1], flush=True)
    if not given.others:
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text, html = folder / "part.txt", folder / "part.html"
        text.write_text("Words of the text part.\n" * 350, encoding="utf-8")
        html.write_text("<p style='margin:0 0 16px'>Words of the HTML part.</p>\n" * 1300, encoding="utf-8")
        parts = text.read_text(encoding="utf-8"), html.read_text(encoding="utf-8")
        others: list[Callable[[Sink], Cost | None]] = [
            lambda sink: by_aiosmtplib(sink, given.others, *parts),
            lambda sink: by_smtplib(sink, given.others, *parts),
            lambda sink: by_nodemailer(sink, given.others, text, html),
        ]
        for other in others:
            with tempfile.TemporaryDirectory() as own, Sink(Path(own), lax=True) as sink:
                if (cost := other(sink)) is not None:
                    print(f"{cost}   {cost.per_thousand / costs[0].per_thousand:5.1f} × ours", flush=True)


if __name__ == "__main__":
    main()
