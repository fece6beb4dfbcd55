"""Our own messages, bounced by real servers, come back through their notifications and find their delivery."""

import contextlib
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.newsletter import Newsletter
from tests.returns.bouncers import start_exim, start_opensmtpd, start_postfix
from tests.returns.refusing import DAN, LOST, READERS, VERDICTS, Bouncer, Next, servers_that_refuse


@pytest.mark.parametrize("start", [start_postfix, start_exim, start_opensmtpd])
def test_what_a_server_bounces_finds_its_delivery_and_changes_that_reader_only(
    newsletter: Newsletter, start: Callable[[Next], AbstractContextManager[Bouncer]]
) -> None:
    with servers_that_refuse() as following, start(following) as server:
        newsletter.write_readers([[each, "", "en"] for each in READERS])
        newsletter.env["DISPATCHER_RELAY"] = f"smtp://127.0.0.1:{server.port}?tls=none"
        newsletter.send()
        until = time.monotonic() + 60
        while len(_arrived(server.maildir)) < len(VERDICTS):
            assert time.monotonic() < until, server.log.read_text()[-4000:]
            time.sleep(0.05)
        check(newsletter, server.maildir)


def check(newsletter: Newsletter, maildir: Path) -> None:
    told = newsletter.expect(0, "dispatcher", "inbox", str(maildir), "--explain", "--format", "json")
    lines = [json.loads(line) for line in told.splitlines()]
    found = {line["delivery"]["address"]: line for line in lines}
    assert {address: line["recipients"][0]["verdict"] for address, line in found.items()} == VERDICTS
    assert all(line["class"] == "bounce" for line in lines)
    assert all(line["recipients"][0]["address"] == address for address, line in found.items())

    said = newsletter.expect(0, "dispatcher", "inbox", str(maildir))
    assert "5 bounces: 2 suspended, 1 counted" in said
    listed = newsletter.expect(0, "dispatcher", "subscribers", "list", "--list", "readers", "--format", "json")
    standings = {person["email"]: person["state"] for person in json.loads(listed)}
    assert standings == {each: "bounced" if each in {DAN, LOST} else "active" for each in READERS}
    assert "no mail: nobody is affected" in newsletter.expect(0, "dispatcher", "inbox", str(maildir))


def _arrived(maildir: Path) -> list[Path]:
    with contextlib.suppress(FileNotFoundError):
        return list((maildir / "new").iterdir())
    return []
