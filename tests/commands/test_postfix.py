"""Issue 29 of this repository through a real Postfix into real mailboxes, and one reader leaving."""

import re
import shutil
import signal
import socket
import time
import urllib.parse
import urllib.request
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.newsletter import PYPROJECT, Newsletter, html_of, read_maildir, text_of, unsubscribe_url
from tests.servers.postfix import Postfix

REPOSITORY = Path(__file__).parents[2]
READERS = 200


@pytest.fixture
def issue_29(tmp_path: Path) -> Newsletter:
    """This repository's issue 29, for 200 readers of whom every other reads Chinese."""
    newsletter = Newsletter(tmp_path / "letter")
    newsletter.write("pyproject.toml", PYPROJECT)
    shutil.copytree(REPOSITORY / "issues/29", newsletter.folder / "issues/29")
    (newsletter.folder / "issues/29/receipt.json").unlink(missing_ok=True)
    newsletter.write_readers([
        [f"reader{n}@example.com", ("", f"Reader {n}", f"读者{n}")[n % 3], ("en", "zh")[n % 2]] for n in range(READERS)
    ])  # fmt: skip
    return newsletter


def test_issue_29_reaches_200_readers_and_one_leaves(issue_29: Newsletter, postfix: Postfix) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    issue_29.env |= {"DISPATCHER_RELAY": postfix.url, "DISPATCHER_BASE_URL": f"http://127.0.0.1:{port}"}
    issue_29.send("--patience", "1m")
    until = time.monotonic() + 60
    while len(messages_to_readers(postfix)) < READERS:
        assert time.monotonic() < until, postfix.server.read_log()[-3000:]
        time.sleep(0.1)

    messages = messages_to_readers(postfix)
    assert sorted(messages) == sorted(f"reader{n}@example.com" for n in range(READERS))
    for address, message in messages.items():
        assert all(not part.defects for part in message.walk())
        assert all(not getattr(value, "defects", ()) for value in message.values())
        is_chinese = int(re.sub(r"\D", "", address)) % 2 == 1
        assert bool(re.search(r"[一-龥]", message["Subject"])) == is_chinese
        assert text_of(message).strip()
        assert "</html>" in html_of(message)
    for path in postfix.maildir.glob("new/*"):
        header = path.read_bytes().partition(b"\n\n")[0] + b"\n"
        [value] = re.findall(rb"(?m)^List-Unsubscribe: (.*(?:\n[ \t].*)*)", header)
        assert re.fullmatch(rb"<https?://[^<>\s,]+>,(?:\n)?[ \t]<mailto:[^<>\s]+>", value), value
    assert {row.state for row in issue_29.report().values()} == {"sent"}
    issue_29.expect(0, "dispatcher", "audit", "29")

    server = issue_29.start("dispatcher", "serve", "--port", str(port))
    try:
        issue_29.wait_for_port(port, server)
        url = unsubscribe_url(messages["reader7@example.com"])
        form = {"List-Unsubscribe": "One-Click"}
        with urllib.request.urlopen(url, data=urllib.parse.urlencode(form).encode(), timeout=30) as answer:  # noqa: S310
            assert answer.status == 200
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)
    issue_29.env["DISPATCHER_RELAY"] = "maildir:outbox"
    issue_29.expect(0, "send-issue", "29")
    reached = {message["To"].addresses[0].addr_spec for message in issue_29.outbox()}
    assert reached == set(messages) - {"reader7@example.com"}


def messages_to_readers(postfix: Postfix) -> dict[str, EmailMessage]:
    """By recipient; other tests use the same Postfix."""
    found = {str(message["X-Original-To"]): message for message in read_maildir(postfix.maildir)}
    return {address: message for address, message in found.items() if address.startswith("reader")}
