"""Readers who leave while an issue goes out at full speed: `python -m tests.benchmarks.unsubscribes [READERS LEAVERS]`.

`dispatcher serve` and `send-issue` run as they do on a server, over one SQLite database, to a fast sink; by default
500 of 20,000 readers leave by one click meanwhile. It prints how long their POSTs took. Each has to be answered with
200, and whoever was still queued when his answer came must not be mailed. The limit is 100 ms for 99 of 100.
"""

import http.client
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dispatcher.storage.columns import as_text
from dispatcher.storage.database import now, open_database
from dispatcher.tokens import Keyring, LeaveToken, load_secrets, sign_leave
from tests.benchmarks.send import make_newsletter
from tests.newsletter import Newsletter
from tests.sink import Sink

_LIMIT = 0.1
_BODY = b"List-Unsubscribe=One-Click"
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it; `late` are readers who were claimed or mailed after their answer."""

    statuses: tuple[int, ...]
    seconds: tuple[float, ...]  # of each POST, shortest first
    were_queued: int
    late: tuple[str, ...]
    mailed: int

    @property
    def p99(self) -> float:
        return self.seconds[int(len(self.seconds) * 0.99)]


def leave_while_sending(folder: Path, *, readers: int, leavers: int, port: int) -> Outcome:
    """Those who leave are spread over the second half of the list."""
    make_newsletter(folder, readers=readers)
    newsletter = Newsletter(folder)
    with Sink(folder / "sink", lax=True) as sink:
        server = newsletter.start_installed("dispatcher", "serve", "--port", str(port))
        newsletter.wait_for_port(port, server)
        newsletter.env["DISPATCHER_RELAY"] = sink.url
        sending = newsletter.start_installed("send-issue", "1", "--yes")
        try:
            statuses, seconds, left_at, queued = _post_all(folder, _links(folder, leavers), port, sending)
            sending.wait(1200)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)
        assert sending.returncode == 0, newsletter.said("send-issue")
        copies = sink.copies
    return Outcome(
        statuses=tuple(statuses),
        seconds=tuple(sorted(seconds)),
        were_queued=len(queued),
        late=tuple(sorted({*(email for email in queued if copies[email]), *_claimed_after(folder, left_at)})),
        mailed=copies.total(),
    )


def _links(folder: Path, leavers: int) -> list[tuple[str, str]]:
    """Addresses with their links to leave."""
    database = open_database("sqlite:///dispatcher.db", folder)
    keyring = Keyring(secrets=load_secrets((), folder / "dispatcher.key"), instance=database.instance)
    with closing(sqlite3.connect(database.place)) as connection:
        rows = connection.execute("SELECT id, ref, email FROM subscriber ORDER BY id").fetchall()
        list_id = connection.execute("SELECT id FROM list").fetchone()[0]
    database.close()
    half = rows[len(rows) // 2 :]
    chosen = half[:: max(len(half) // leavers, 1)][:leavers]
    return [
        (email, f"/u/{sign_leave(keyring, LeaveToken(subscriber_id=number, ref=ref, list_id=list_id))}")
        for number, ref, email in chosen
    ]


def _post_all(
    folder: Path, links: list[tuple[str, str]], port: int, sending: "subprocess.Popen[str]"
) -> tuple[list[int], list[float], dict[str, str], list[str]]:
    """Posts once messages go out; says when each answer came, and who was still queued then."""
    statuses, seconds, left_at, queued = [], [], {}, []
    with closing(sqlite3.connect(folder / "dispatcher.db", timeout=30)) as connection:
        while not _sent(connection):
            assert sending.poll() is None
            time.sleep(0.01)
        for email, path in links:
            begun = time.monotonic()
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as client:
                client.request("POST", path, body=_BODY, headers=_FORM)
                statuses.append(client.getresponse().status)
            seconds.append(time.monotonic() - begun)
            left_at[email] = as_text(now())
            row = connection.execute(
                "SELECT state FROM delivery d JOIN subscriber s ON s.id = d.subscriber_id WHERE s.email = ?", (email,)
            ).fetchone()
            queued += [email] if row == ("queued",) else []
    return statuses, seconds, left_at, queued


def _claimed_after(folder: Path, left_at: Mapping[str, str]) -> list[str]:
    """Whose first attempt began after they had their answer."""
    query = "SELECT email, first_attempt_at FROM delivery d JOIN subscriber s ON s.id = d.subscriber_id"
    with closing(sqlite3.connect(folder / "dispatcher.db")) as connection:
        return [email for email, at in connection.execute(query) if at and email in left_at and at > left_at[email]]


def _sent(connection: sqlite3.Connection) -> int:
    try:
        found: int = connection.execute("SELECT count(*) FROM delivery WHERE state = 'sent'").fetchone()[0]
    except sqlite3.OperationalError:
        return 0
    return found


def main() -> int:
    readers, leavers = (int(each) for each in (*sys.argv[1:], *("20000", "500")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as name:
        outcome = leave_while_sending(Path(name), readers=readers, leavers=leavers, port=18029)
    middle = outcome.seconds[len(outcome.seconds) // 2]
    print(f"{leavers} of {readers:,} readers left, answered {set(outcome.statuses)}; {outcome.mailed:,} messages")
    print(f"{outcome.were_queued} of them were still queued, {len(outcome.late)} were claimed or mailed all the same")
    print(
        f"POST: median {middle * 1000:.0f} ms, 99 % {outcome.p99 * 1000:.0f} ms, "
        f"longest {outcome.seconds[-1] * 1000:.0f} ms"
    )
    return int(bool(outcome.late) or set(outcome.statuses) != {200} or outcome.p99 > _LIMIT)


if __name__ == "__main__":
    sys.exit(main())
