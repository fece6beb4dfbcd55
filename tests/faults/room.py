"""A mailing on its way over a sink: start the sender, break it, and hold the ledger against what the sink took.

The sender is the engine on a prepared ledger, which starts fast, or the whole program: `send-issue 29`.
"""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dispatcher.delivery.recorder import Progress, read_record, recorder_of
from dispatcher.desk.audit import audit
from dispatcher.models import Kind, State
from dispatcher.storage.database import open_database
from dispatcher.storage.mailings import find_mailing
from dispatcher.storage.reports import DeliveryLine, delivery_lines
from dispatcher.storage.runs import running
from tests.newsletter import ISSUE, SCRIPTS, Newsletter
from tests.sink import Sink
from tests.storage.books import SQLITE, enlist, freeze_to, open_at

_ROOT = Path(__file__).parents[2]
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR")
_STORIES = 28  # that make a message of 94 KB


@dataclass(slots=True, kw_only=True)
class Room:
    """Where one mailing is sent from."""

    folder: Path
    sink: Sink
    command: Sequence[str]
    working_folder: Path = _ROOT
    env: Mapping[str, str] = field(default_factory=dict)
    is_whole_program: bool = False
    database: str = SQLITE
    log: Path = Path()  # what it says; in the folder if not told otherwise

    def __post_init__(self) -> None:
        if self.log == Path():
            self.log = self.folder / "said"

    def start(self, *options: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        environment = kept | {"COLUMNS": "300", "LC_ALL": "C.UTF-8"} | dict(self.env) | dict(env or {})
        with self.log.open("ab") as log:
            log.write(b"-- start\n")
            log.flush()
            return subprocess.Popen(
                [*self.command, *options], cwd=self.working_folder, env=environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def send(self, *options: str, seconds: float = 300, env: Mapping[str, str] | None = None) -> int:
        """Lets a sender work to its end, and returns its exit code."""
        code = self.start(*options, env=env).wait(seconds)
        assert "Traceback" not in self.said, self.said[-3000:]
        return code

    def kill(self, sender: "subprocess.Popen[bytes]") -> None:
        """SIGKILL, and then wait until the sink has read what is left in the sockets."""
        sender.send_signal(signal.SIGKILL)
        sender.wait(10)
        self.sink.wait_until_quiet()

    @property
    def said(self) -> str:
        """By the last sender."""
        return self.log.read_text("utf-8").rpartition("-- start\n")[2]

    def lines(self) -> dict[str, DeliveryLine]:
        """The ledger's rows by address."""
        database = open_database(self.database, self.folder)
        try:
            mailing = find_mailing(database, 29, Kind.LIVE)
            assert mailing is not None
            return {line.address: line for line in delivery_lines(database, mailing)}
        finally:
            database.close()

    def flights(self) -> set[Progress]:
        """How far the connections of the sender that runs have come, by its flight recorder."""
        database = open_database(self.database, self.folder)
        try:
            mailing = find_mailing(database, 29, Kind.LIVE)
            assert mailing is not None
            found = [
                read_record(recorder_of(self.folder, database, each.id), run=each.id) or {}
                for each in running(database)
            ]
            return {flight.progress for flights in found for flight in flights.values()}
        finally:
            database.close()

    def in_state(self, state: State) -> set[str]:
        return {address for address, line in self.lines().items() if line.state is state}

    def audit(self) -> None:
        """The equation holds; of the whole program, by its own command."""
        if self.is_whole_program:
            command = [str(SCRIPTS / "dispatcher"), "audit", "29"]
            done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            return
        database = open_database(self.database, self.folder)
        try:
            mailing = find_mailing(database, 29, Kind.LIVE)
            assert mailing is not None
            account = audit(database, mailing)
            assert account.holds, account.sentence()
        finally:
            database.close()

    def faults(self) -> list[str]:
        """Where the ledger is not what the promise says, given what the sink took; the sender is over."""
        lines, copies = self.lines(), self.sink.copies
        taken = {event.recipient: event for event in self.sink.taken}
        found = [f"{address} has {count} copies" for address, count in copies.items() if count > 1]
        found += [f"{address} is nobody we know" for address in copies.keys() - lines.keys()]
        found += [f"{event.recipient}: {event.complaint}" for event in self.sink.taken if event.complaint]
        found += [
            f"a bare CR or LF in a command for {each.recipient}" for each in self.sink.events if each.what == "bare"
        ]
        for address, line in lines.items():
            copy = taken.get(address)
            if line.state is State.SENDING:
                found.append(f"{address} is left as sending")
            elif line.state is State.SENT:
                is_right = copy is not None and copy.queue_id in (line.reply or "") and line.code == 250
                if copy is None or not is_right or copy.message_id != line.message_id:
                    found.append(f"{address} is sent with {line.reply!r}, the sink has {copy}")
            elif line.state is not State.IN_DOUBT and copy is not None:
                found.append(f"{address} is {line.state}, but has a copy")
        return found

    def check(self) -> None:
        wrong = self.faults()
        assert not wrong, "\n".join(wrong[:20])
        self.audit()

    def counts(self) -> Counter[State]:
        return Counter(line.state for line in self.lines().values())


def readers(count: int) -> list[str]:
    return [f"reader{number:05}@example.{('com', 'org', 'net')[number % 3]}" for number in range(count)]


def engine_alone(
    folder: Path,
    sink: Sink,
    people: Iterable[str],
    *,
    connections: int = 8,
    octets: int = 2_000,
    url: str = SQLITE,
) -> Room:
    """A ledger with these people queued, to be sent by the engine alone."""
    folder.mkdir(parents=True, exist_ok=True)
    database = open_at(folder, url)
    enlist(database, *people)
    freeze_to(database)
    database.close()
    options = [str(folder), sink.url, "--connections", str(connections), "--octets", str(octets), "--database", url]
    command = [sys.executable, "-m", "tests.faults.sender", *options]
    return Room(folder=folder, sink=sink, command=command, database=url)


def whole_program(folder: Path, sink: Sink, people: Iterable[str], *, patience: str = "1m") -> Room:
    """A newsletter whose issue makes messages of 94 KB, to be sent to these people by `send-issue 29`."""
    folder.mkdir(parents=True, exist_ok=True)
    newsletter = Newsletter.make(folder)
    newsletter.write("issues/29/issue.md", _long_issue())
    (folder / "issues/29/issue.zh.md").unlink()
    newsletter.write_readers([[address, address.partition("@")[0], ""] for address in people])
    return Room(
        folder=folder,
        sink=sink,
        command=[str(SCRIPTS / "send-issue"), "29", "--yes", "--patience", patience],
        working_folder=folder,
        env={"DISPATCHER_RELAY": sink.url},
        is_whole_program=True,
    )


def _long_issue() -> str:
    story = ISSUE[ISSUE.index("## The kettle") : ISSUE.index("Read also")]
    return ISSUE.replace(
        "# Outdoors",
        "\n".join(story.replace("The kettle", f"Kettle {number}") for number in range(_STORIES)) + "\n# Outdoors",
    )
