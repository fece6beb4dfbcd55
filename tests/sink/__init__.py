"""A fast SMTP sink in a process of its own, and what a test wants of it: start it, ask its journal, calm it.

    with Sink(folder, odds={Fault.RESET: 0.01}) as sink:
        ...                       # send over sink.url
        sink.copies["ann@example.com"]

The journal has a line of JSON for each event, written before the client hears of it:

    ["open" | "shut", CONNECTION]
    ["take", CONNECTION, recipient, queue id, Message-ID, octets, what is wrong with the content]
    ["fault", CONNECTION, recipient, fault or stage, reply]
    ["held", CONNECTION, recipient, stage]
    ["bare", CONNECTION, recipient]         a command with a bare CR or LF
    ["calm", 0]
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.sink.faults import Fault

__all__ = ["Event", "Fault", "Sink"]

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the journal."""

    what: str
    connection: int
    more: tuple[str, ...] = ()

    @property
    def recipient(self) -> str:
        return self.more[0] if self.more else ""

    @property
    def queue_id(self) -> str:
        return self.more[1]

    @property
    def message_id(self) -> str:
        return self.more[2]

    @property
    def octets(self) -> int:
        return int(self.more[3])

    @property
    def complaint(self) -> str:
        return self.more[4]

    @property
    def kind(self) -> str:
        """Of a fault or a hold."""
        return self.more[1]

    @property
    def reply(self) -> str:
        return self.more[2] if len(self.more) > 2 else ""


@dataclass(slots=True)
class Sink:
    """Listens until the block ends; the arguments are those of `python -m tests.sink`."""

    folder: Path
    offers: Sequence[str] | None = None
    connections: int | None = None
    odds: Mapping[Fault, float] = field(default_factory=dict)
    seed: int = 0
    replies: Mapping[str, str] = field(default_factory=dict)
    hold: str | None = None
    delay: float = 0.0
    lax: bool = False
    receive_buffer: int | None = None
    port: int = 0  # 0: a free one
    events: list[Event] = field(default_factory=list)
    _read: int = 0
    _process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.journal.touch()
        command = [sys.executable, "-m", "tests.sink", *self._options()]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT)
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *_error: object) -> None:
        assert self._process
        self._process.terminate()
        self._process.communicate(timeout=10)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?tls=none"

    @property
    def journal(self) -> Path:
        return self.folder / "journal.jsonl"

    @property
    def cpu_seconds(self) -> float:
        """What its process has used so far."""
        assert self._process
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def calm(self) -> None:
        """From here on everything goes well."""
        assert self._process
        self._process.send_signal(signal.SIGUSR1)
        self.wait_for(lambda sink: any(event.what == "calm" for event in sink.events))

    def look(self) -> list[Event]:
        """Every event so far."""
        with self.journal.open("rb") as file:
            file.seek(self._read)
            fresh = file.read()
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode().splitlines():
            what, connection, *more = json.loads(line)
            self.events.append(Event(what, connection, tuple(more)))
        return self.events

    @property
    def taken(self) -> list[Event]:
        """Every message that it took, in order."""
        return [event for event in self.look() if event.what == "take"]

    @property
    def copies(self) -> Counter[str]:
        return Counter(event.recipient for event in self.taken)

    @property
    def open(self) -> int:
        """Connections that are not over; whatever a dead sender left in the sockets has been read when it is 0."""
        counts = Counter(event.what for event in self.look())
        return counts["open"] - counts["shut"]

    def wait_for(self, claim: "Callable[[Sink], bool]", *, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while not claim(self):
            assert time.monotonic() < until, f"waited {seconds} s in vain; {len(self.taken)} messages so far"
            time.sleep(0.001)
            self.look()

    def wait_until_quiet(self) -> None:
        """Until every connection is over."""
        self.wait_for(lambda sink: sink.open == 0, seconds=30)

    def _options(self) -> list[str]:
        options = [
            "--journal",
            str(self.journal),
            "--seed",
            str(self.seed),
            "--delay",
            str(self.delay),
            "--port",
            str(self.port),
        ]
        if self.offers is not None:
            options += ["--offers", ",".join(self.offers)]
        if self.connections is not None:
            options += ["--connections", str(self.connections)]
        if self.odds:
            options += ["--odds", ",".join(f"{fault}={odds}" for fault, odds in self.odds.items())]
        if self.hold is not None:
            options += ["--hold", self.hold]
        if self.receive_buffer is not None:
            options += ["--receive-buffer", str(self.receive_buffer)]
        for stage, text in self.replies.items():
            options += ["--reply", f"{stage}={text}"]
        return [*options, "--lax"] if self.lax else options
