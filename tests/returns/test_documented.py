"""What receivers document is read as they mean it, whatever server puts it into its notice."""

import re
from pathlib import Path

import pytest

from dispatcher.returns.parse import parse
from dispatcher.returns.returned import Class, Verdict
from tests.returns import mails
from tests.returns.gateways import GATEWAYS
from tests.returns.lookalikes import OTHERS
from tests.returns.more_bounces import BOUNCES

DAN = "dan@example.com"
NOTICES = BOUNCES | GATEWAYS
LINES = (Path(__file__).parent / "documented.txt").read_text(encoding="utf-8").splitlines()
REPLIES = [[each.strip() for each in line.split("|")] for line in LINES if line and not line.startswith("#")]


def in_a_postfix_notice(command: str, said: str) -> bytes:
    """Folded as bounce(8) folds it."""
    status = re.search(r"[45]\.\d+\.\d+", said)
    words = f"<{DAN}>: host mx.example.com[192.0.2.7] said: {said} (in\n    reply to {command} command)"
    return mails.report(
        status=status[0] if status else f"{said[0]}.0.0",
        diagnostic=f"smtp; {said}",
        words=f"This is the mail system at host mx.example.net.\n\n{words}",
    )


@pytest.mark.parametrize(("verdict", "command", "said"), REPLIES, ids=[said[:60] for _, _, said in REPLIES])
def test_a_documented_reply_means_what_its_receiver_says(verdict: str, command: str, said: str) -> None:
    [dan] = parse(in_a_postfix_notice(command, said.replace("@@", DAN))).recipients
    assert (dan.address, dan.verdict) == (DAN, Verdict(verdict)), dan


@pytest.mark.parametrize(("mail", "verdicts"), NOTICES.values(), ids=NOTICES)
def test_a_documented_notice_names_its_readers_and_what_it_means_for_each(
    mail: bytes, verdicts: dict[str, Verdict]
) -> None:
    returned = parse(mail)
    assert returned.kind is Class.BOUNCE
    assert {each.address: each.verdict for each in returned.recipients} == verdicts


@pytest.mark.parametrize(("mail", "kind"), OTHERS.values(), ids=OTHERS)
def test_what_only_looks_like_a_bounce_is_none(mail: bytes, kind: Class) -> None:
    assert parse(mail).kind is kind
