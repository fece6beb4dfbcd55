"""Wrong input is met with the place and the remedy, the right exit code, and no mail."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.newsletter import ISSUE, PICTURE_LINE, PYPROJECT, READERS, Newsletter
from tests.relay import Relay


@dataclass(frozen=True, slots=True)
class Wrong:
    """How the input is spoilt, how the command ends, and what it must say."""

    spoil: Callable[[Newsletter], None]
    code: int
    says: tuple[str, ...]  # regular expressions, whatever their order


def in_issue(old: str, new: str) -> Callable[[Newsletter], None]:
    return lambda newsletter: newsletter.replace("issues/29/issue.md", old, new)


def in_settings(old: str, new: str) -> Callable[[Newsletter], None]:
    return lambda newsletter: newsletter.replace("pyproject.toml", old, new)


def in_readers(old: str, new: str) -> Callable[[Newsletter], None]:
    return lambda newsletter: newsletter.replace("subscribers/readers.csv", old, new)


def in_bytes(name: str, text: str, encoding: str) -> Callable[[Newsletter], None]:
    return lambda newsletter: newsletter.write(name, text.encode(encoding))


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


GREETING = line_of(ISSUE, "Dear {{")
BOB_LINE = line_of(READERS, "bob@")

CASES = {
    # the issue
    "front matter that is not YAML": Wrong(
        in_issue("title: Two small stories", "title: [Two small stories"), 65, (r"issue\.md:\d+:",)
    ),
    "front matter that never ends": Wrong(
        in_issue("date: 2026-11-25\n---", "date: 2026-11-25\n"), 65, (r"issue\.md(:\d+)?:",)
    ),
    "front matter with an unknown key": Wrong(
        in_issue("preheader:", "preheadr:"), 65, (r"issue\.md:\d+:", "preheader")
    ),
    "another number in front matter": Wrong(in_issue("number: 29", "number: 30"), 65, (r"issue\.md:\d+:", "30")),
    "a missing picture": Wrong(in_issue("img/a.png", "img/b.png"), 65, (rf"issue\.md:{PICTURE_LINE}:", r"img/b\.png")),
    "a picture outside the issue": Wrong(
        in_issue("img/a.png", "../../pyproject.toml"), 65, (rf"issue\.md:{PICTURE_LINE}:",)
    ),
    "a picture that is none": Wrong(
        lambda newsletter: newsletter.write("issues/29/img/a.png", "not a picture"), 65, (r"a\.png",)
    ),
    "an unknown template variable": Wrong(
        in_issue("{{ subscriber.name", "{{ subscribr.name"), 65, (rf"issue\.md:{GREETING}:", "subscribr")
    ),
    "a template that does not parse": Wrong(
        in_issue('default("reader") }}', 'default("reader" }}'), 65, (rf"issue\.md:{GREETING}:",)
    ),
    "a block that is never closed": Wrong(
        in_issue("Dear {{", "{% if subscriber.plan %}Dear {{"), 65, (r"issue\.md:\d+:", "endif|if")
    ),
    "a call in a template": Wrong(
        in_issue('{{ subscriber.name | default("reader") }}', "{{ subscriber.name.upper() }}"),
        65,
        (rf"issue\.md:{GREETING}:",),
    ),
    "an attribute that one reader lacks": Wrong(
        in_issue('{{ subscriber.name | default("reader") }}', "{{ subscriber.plan }}"), 65, ("plan", "default")
    ),
    "an issue in another encoding": Wrong(
        in_bytes("issues/29/issue.md", ISSUE + "é", "cp1252"), 65, ("issue.md", "UTF-8")
    ),
    "a control character in the subject": Wrong(
        in_issue('two small stories"\n', 'two\\x07small stories"\n'), 65, (r"issue\.md(:\d+)?:", "control")
    ),
    # the readers
    "a bad address": Wrong(in_readers("bob@example.com", "bob@@example"), 65, (rf"readers\.csv:{BOB_LINE}:",)),
    "two bad rows, both named": Wrong(
        lambda newsletter: newsletter.write(
            "subscribers/readers.csv", READERS.replace("bob@", "bob ").replace("dan@", "dan ")
        ),
        65,
        (rf"readers\.csv:{BOB_LINE}:", rf"readers\.csv:{line_of(READERS, 'dan@')}:"),
    ),
    "a list in another encoding": Wrong(
        in_bytes("subscribers/readers.csv", READERS, "gb18030"), 65, (r"readers\.csv", "UTF-8")
    ),
    "a list in UTF-16": Wrong(in_bytes("subscribers/readers.csv", READERS, "utf-16"), 65, (r"readers\.csv", "UTF-8")),
    "a control character in a name": Wrong(
        in_readers(",Bob,", ",Bo\x07b,"), 65, (rf"readers\.csv:{BOB_LINE}:", "control")
    ),
    "a line break in a name": Wrong(
        in_readers(",Bob,", ',"Bob\r\nBcc: x@example.com",'), 65, (rf"readers\.csv:{BOB_LINE}:",)
    ),
    "a line separator in a name": Wrong(in_readers(",Bob,", ",Bo\u2028b,"), 65, (rf"readers\.csv:{BOB_LINE}:",)),
    "a list without addresses": Wrong(in_readers("email,", "adress,"), 65, (r"readers\.csv:1:", "email")),
    "an empty list": Wrong(
        lambda newsletter: newsletter.write("subscribers/readers.csv", "email,name\n"), 65, ("readers",)
    ),
    # the settings
    "an unknown setting": Wrong(in_settings("base_url", "bsae_url"), 78, ("bsae_url", "base_url")),
    "settings that are not TOML": Wrong(in_settings('language = "en"', "language = en"), 78, (r"pyproject\.toml",)),
    "a password in the relay's URL": Wrong(
        lambda newsletter: newsletter.env.update(DISPATCHER_RELAY="smtp://letter:s3cret-word@localhost:2525"),
        78,
        ("DISPATCHER_RELAY_PASSWORD",),
    ),
    "a relay of a kind nobody knows": Wrong(
        lambda newsletter: newsletter.env.update(DISPATCHER_RELAY="ftp://localhost"), 78, ("ftp|smtp",)
    ),
    "no postal address": Wrong(in_settings("postal_address", "#"), 78, ("postal_address",)),
    "no sender": Wrong(in_settings('from = "Test', '# "Test'), 78, ("from",)),
    "a plain http address of the readers' pages": Wrong(
        in_settings("http://127.0.0.1:8029", "http://letter.example.org"), 78, ("base_url", "https")
    ),
    "a short secret": Wrong(
        lambda newsletter: newsletter.env.update(DISPATCHER_SECRET="too-short"), 78, ("DISPATCHER_SECRET", "32")
    ),
}


@pytest.mark.parametrize("wrong", CASES.values(), ids=CASES.keys())
def test_wrong_input_is_named_and_nobody_is_mailed(live: Newsletter, relay: Relay, wrong: Wrong) -> None:
    wrong.spoil(live)
    said = live.expect(wrong.code, "send-issue", "29", "--yes", "--patience", "0")
    for words in wrong.says:
        assert re.search(words, said), f"{words!r} not in:\n{said}"
    assert "s3cret-word" not in said
    assert relay.messages == []
    assert not (live.folder / "issues/29/receipt.json").exists()


@pytest.mark.parametrize(
    ("command", "code"),
    {
        "an unknown issue": (["send-issue", "30", "--yes"], 66),
        "an unknown list": (["send-issue", "29", "--list", "nobody", "--yes"], 66),
        "an unknown file": (["dispatcher", "subscribers", "import", "none.csv", "--list", "readers"], 66),
        "no issue": (["send-issue"], 2),
        "an unknown option": (["send-issue", "29", "--twice"], 2),
        "an unknown command": (["dispatcher", "campaign"], 2),
        "a test copy to what is no address": (["send-issue", "29", "--test", "notanaddress"], 2),
        "an impossible patience": (["send-issue", "29", "--patience", "soon", "--yes"], 2),
    }.values(),
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_a_wrong_command_line_has_its_own_exit_code(
    live: Newsletter, relay: Relay, command: list[str], code: int
) -> None:
    live.expect(code, *command)
    assert relay.messages == []


def test_an_issue_without_any_file_is_not_found(live: Newsletter) -> None:
    (live.folder / "issues/29/issue.md").unlink()
    (live.folder / "issues/29/issue.zh.md").unlink()
    assert live.run("send-issue", "29", "--yes").returncode in {65, 66}


def test_outside_a_newsletter_the_remedy_is_named(newsletter: Newsletter) -> None:
    outside = Newsletter(newsletter.folder.parent)
    done = outside.run("send-issue", "29")
    assert done.returncode in {66, 78}
    assert "init" in done.stdout + done.stderr


def test_every_fault_is_told_at_once(live: Newsletter) -> None:
    live.replace("issues/29/issue.md", "img/a.png", "img/b.png")
    live.replace("issues/29/issue.zh.md", "img/a.png", "img/c.png")
    said = live.expect(65, "send-issue", "29", "--yes")
    assert "img/b.png" in said
    assert "img/c.png" in said


def test_a_fault_stops_a_trial_and_a_dry_run_too(newsletter: Newsletter) -> None:
    newsletter.replace("issues/29/issue.md", "img/a.png", "img/b.png")
    newsletter.expect(65, "send-issue", "29")
    newsletter.expect(65, "send-issue", "29", "--dry-run")
    assert newsletter.outbox() == []


def test_bad_rows_may_be_skipped(live: Newsletter, relay: Relay) -> None:
    live.replace("subscribers/readers.csv", "bob@example.com", "bob@@example")
    live.send("--skip-bad-rows")
    assert len(relay.copies) == 5


def test_a_trial_needs_neither_postal_address_nor_https(newsletter: Newsletter) -> None:
    newsletter.write("pyproject.toml", PYPROJECT.replace("postal_address", "#").replace("http://127.0.0.1:8029", ""))
    newsletter.expect(0, "send-issue", "29")


def test_reserved_domains_are_skipped_off_loopback(newsletter: Newsletter) -> None:
    """Nothing can be sent to example.com, so a dry run over a far relay must plan nobody."""
    newsletter.env |= {
        "DISPATCHER_RELAY": "smtp://relay.example.net:587",
        "DISPATCHER_BASE_URL": "https://letter.example.org",
    }
    done = newsletter.run("send-issue", "29", "--dry-run")
    assert "reserved domain" in done.stdout + done.stderr
