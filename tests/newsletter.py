"""A small newsletter in a temporary folder, and its commands run as an editor runs them: as programs."""

import atexit
import contextlib
import csv
import functools
import io
import os
import re
import socket
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from PIL import Image

from dispatcher.storage.database import open_database
from tests import zygote
from tests.relay import Relay
from tests.storage.books import SQLITE, change

MEETING_PLACE = "DISPATCHER_TESTS_MEETING_PLACE"  # the variable that names a folder of all processes of a test run


@functools.cache
def forker() -> zygote.Zygote:
    """Of this test process, which leaves it when it ends."""
    until_the_end = contextlib.ExitStack()
    atexit.register(until_the_end.close)
    place = os.environ.get(MEETING_PLACE) or until_the_end.enter_context(tempfile.TemporaryDirectory())
    env = Newsletter(Path())._env({})
    return until_the_end.enter_context(zygote.shared_zygote(Path(place) / "zygote", learns_in=Newsletter.make, env=env))


SCRIPTS = Path(sysconfig.get_path("scripts"))

ANN, BOB, CLEO, DAN, EVE = (f"{name}@example.com" for name in ("ann", "bob", "cleo", "dan", "eve"))
WANG_FANG = "wangfang@example.com"
CAST = (ANN, BOB, CLEO, DAN, EVE, WANG_FANG)
REPORT_COLUMNS = ["address", "state", "attempts", "code", "reply", "message_id", "reason", "list", "edition"]

PYPROJECT = """\
[tool.dispatcher]
name = "Test Letter"
from = "Test Letter <letter@example.org>"
reply_to = "editor@example.org"
postal_address = "Test Letter, 1 Example Street, Exampletown"
list = "readers"
language = "en"
base_url = "http://127.0.0.1:8029"
bounce_address = "bounces+{token}@example.org"
require_staging = false
"""

ISSUE = """\
---
number: 29
title: Two small stories
subject: "Test Letter 29: two small stories"
preheader: A kettle and a bicycle.
date: 2026-11-25
---

Dear {{ subscriber.name | default("reader") }}, here are two small stories from
[our house](https://example.net/house).

.A paragraph that begins with a dot, for the wire.

# At home

## The kettle

![A red square](img/a.png)

A kettle, drawn as a square. Picture by Ann, [CC BY 4.0](https://example.net/licence)

> It boils at about one hundred degrees, lower on a mountain.
>
> [… continue reading](https://example.net/kettle)

Read also

- [A history of kettles](https://example.net/history)
- [Kettles of the world](https://example.net/world)

# Outdoors

## The bicycle

> Two wheels & a <saddle>.
>
> [… continue reading](https://example.net/bicycle)

::: card https://example.net/card
A card about bicycles
What the card says of them.
:::
"""

ISSUE_ZH = """\
---
number: 29
title: 两则小故事
subject: "测试周刊第29期：两则小故事"
preheader: 水壶与自行车。
date: 2026-11-25
---

亲爱的{{ subscriber.name | default("读者") }}，这里有来自[我们家](https://example.net/house)的两则小故事。

# 在家

## 水壶

![红色方块](img/a.png)

画成方块的水壶。图：安，[CC BY 4.0](https://example.net/licence)

> 水在大约一百度沸腾，在山上要低一些。
>
> [……继续阅读](https://example.net/kettle)

# 户外

## 自行车

> 两个轮子和一个车座。
>
> [……继续阅读](https://example.net/bicycle)
"""

PICTURE_LINE = ISSUE[: ISSUE.index("![A red")].count("\n") + 1

READERS = """\
email,name,language,plan
ann@example.com,Ann,en,pro
bob@example.com,Bob,,
cleo@example.com,Cleo,,
dan@example.com,Dan,,
eve@example.com,,,
wangfang@example.com,王芳,zh,
"""

STAGING = """\
email,name,language
stan@example.com,Stan,
xiaoli@example.com,小丽,zh
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of `report 29 --format tsv`."""

    address: str
    state: str
    attempts: str
    code: str
    reply: str
    message_id: str
    reason: str
    list: str
    edition: str


@dataclass(slots=True)
class Newsletter:
    """A newsletter's folder; every command runs in it, with an environment that holds nothing of ours."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    # --- the folder -------------------------------------------------------------------------------

    @classmethod
    def make(cls, folder: Path) -> "Newsletter":
        newsletter = cls(folder)
        newsletter.write("pyproject.toml", PYPROJECT)
        newsletter.write("issues/29/issue.md", ISSUE)
        newsletter.write("issues/29/issue.zh.md", ISSUE_ZH)
        newsletter.write("subscribers/readers.csv", READERS)
        newsletter.write("subscribers/staging.csv", STAGING)
        picture = folder / "issues/29/img/a.png"
        picture.parent.mkdir()
        Image.new("RGB", (60, 40), "red").save(picture)
        return newsletter

    def write(self, name: str, content: str | bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def read(self, name: str) -> str:
        return (self.folder / name).read_text("utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        """Edit a file as an editor would; what is to be replaced must be there."""
        text = self.read(name)
        assert old in text, f"{name} has no {old!r}"
        self.write(name, text.replace(old, new))

    def write_readers(self, rows: Sequence[Sequence[str]], *, header: str = "email,name,language",
                      name: str = "readers") -> None:  # fmt: skip
        text = io.StringIO()
        csv.writer(text).writerows([header.split(","), *rows])
        self.write(f"subscribers/{name}.csv", text.getvalue())

    def send_over(self, relay: Relay) -> None:
        """From here on every command uses this relay."""
        self.env["DISPATCHER_RELAY"] = relay.url
        if relay.tls != "none":
            self.env["SSL_CERT_FILE"] = str(relay.write_authority(self.folder.parent))
        if relay.user:
            self.env["DISPATCHER_RELAY_PASSWORD"] = relay.password

    def keep_in(self, database: str) -> None:
        """From here on every command uses this database of PostgreSQL."""
        self.env |= {"DISPATCHER_DATABASE": database, "DISPATCHER_SECRET": "s" * 40}

    # --- the commands -----------------------------------------------------------------------------

    def run(
        self,
        *command: str,
        env: Mapping[str, str] | None = None,
        answer: str = "",
        timeout: float = 60,
        limits: Mapping[int, int] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, under limits of its own (resource.RLIMIT_…). No end of it may show a traceback."""
        done = forker().run(
            command, folder=self.folder, env=self._env(env), answer=answer, timeout=timeout, limits=limits or {}
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return done

    def expect(self, code: int, *command: str, env: Mapping[str, str] | None = None, timeout: float = 60) -> str:
        """Run a command, insist on its exit code, and return all that it said."""
        done = self.run(*command, env=env, timeout=timeout)
        said = done.stdout + done.stderr
        assert done.returncode == code, f"{' '.join(command)} ended with {done.returncode}, not {code}:\n{said}"
        return said

    def send(self, *options: str, code: int = 0, timeout: float = 120) -> str:
        """`send-issue 29 --yes` with no patience, unless the options say otherwise."""
        patience = () if "--patience" in options else ("--patience", "0")
        return self.expect(code, "send-issue", "29", "--yes", *patience, *options, timeout=timeout)

    def start(self, *command: str, env: Mapping[str, str] | None = None) -> zygote.Started:
        """Start a command and let it run; its words go to a file, so that it never waits for a reader."""
        with (self.folder.parent / f"{command[0]}.log").open("ab") as log:
            return forker().start(command, folder=self.folder, env=self._env(env), log=log)

    def start_installed(self, *command: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a command by its installed script, as an editor's shell does."""
        with (self.folder.parent / f"{command[0]}.log").open("a", encoding="utf-8") as log:
            return subprocess.Popen(
                self._command(command),
                cwd=self.folder,
                env=self._env(env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def wait_for_port(self, port: int, server: zygote.Started | subprocess.Popen[str]) -> None:
        """Until a started `dispatcher serve` takes connections."""
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
            except OSError:
                assert server.poll() is None, self.said("dispatcher")
                assert time.monotonic() < until, self.said("dispatcher")
                time.sleep(0.02)
            else:
                return

    def said(self, command: str) -> str:
        """What the started command wrote."""
        return (self.folder.parent / f"{command}.log").read_text("utf-8")

    def _command(self, command: Sequence[str]) -> list[str]:
        return [str(SCRIPTS / command[0]), *command[1:]]

    def _env(self, env: Mapping[str, str] | None) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
        # Wide enough that no message is wrapped, which is what the tests look for words in.
        return kept | {"COLUMNS": "300", "NO_COLOR": "1", "LC_ALL": "C.UTF-8"} | self.env | dict(env or {})

    # --- what came of it --------------------------------------------------------------------------

    def report(self, number: str = "29") -> dict[str, Row]:
        """The report's rows by address."""
        done = self.run("dispatcher", "report", number, "--format", "tsv")
        assert done.returncode == 0, done.stderr
        header, *lines = done.stdout.removesuffix("\n").split("\n")
        assert header.split("\t")[: len(REPORT_COLUMNS)] == REPORT_COLUMNS
        rows = [Row(*line.split("\t")[: len(REPORT_COLUMNS)]) for line in lines]
        return {row.address: row for row in rows}

    def states(self) -> dict[str, str]:
        return {address: row.state for address, row in self.report().items()}

    def outbox(self) -> list[EmailMessage]:
        """Every message in the default relay's Maildir."""
        return read_maildir(self.folder / "outbox")

    def change(self, statement: str) -> None:
        """Changes the database past the program."""
        with closing(open_database(self.env.get("DISPATCHER_DATABASE", SQLITE), self.folder)) as database:
            change(database, statement)

    def bob_leaves(self) -> None:
        """Bob is brought in from the file and unsubscribes."""
        self.expect(0, "dispatcher", "subscribers", "import", "subscribers/readers.csv", "--list", "readers")
        self.expect(0, "dispatcher", "subscribers", "unsubscribe", BOB)


def read_maildir(folder: Path) -> list[EmailMessage]:
    """Every message of a Maildir, parsed as strictly as Python does it."""
    messages = []
    for path in sorted([*folder.glob("new/*"), *folder.glob("cur/*")]):
        message = message_from_bytes(path.read_bytes(), policy=policy.default)
        assert isinstance(message, EmailMessage)
        messages.append(message)
    return messages


def text_of(message: EmailMessage) -> str:
    """The plain-text part."""
    return _content(message, "plain")


def html_of(message: EmailMessage) -> str:
    return _content(message, "html")


def _content(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def unsubscribe_url(message: EmailMessage) -> str:
    """The https (here: http) address of List-Unsubscribe."""
    found = re.search(r"<(https?:[^>]+)>", message["List-Unsubscribe"])
    assert found
    return found[1]
