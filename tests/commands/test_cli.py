"""The commands themselves: help, a new folder, a new issue, the settings."""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from dispatcher.cli import main, send_issue
from tests.newsletter import Newsletter

HEAVY = {"sqlalchemy", "premailer", "aiosmtplib", "markdown_it", "mjml", "PIL", "starlette", "uvicorn", "lxml", "babel"}


def test_every_command_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    commands = [("send-issue", get_command(send_issue.app)), *leaves("dispatcher", get_command(main.app))]
    assert len(commands) > 30
    for name, command in commands:
        with pytest.raises(SystemExit, match="0"):
            command.main(["--help"], prog_name=name)
        said = capsys.readouterr().out
        example = re.search(r"Example: (.*)", said)
        assert example, f"{name} --help has no example"
        assert name in " ".join(said.split("Example: ")[1].split()), f"the example of {name} is of another command"


def test_no_summary_of_a_command_is_cut_off(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    top = get_command(main.app)
    for name in ("", "subscribers", "token", "database"):
        command: Any = top.commands[name] if name else top  # type: ignore[attr-defined]
        with pytest.raises(SystemExit):
            command.main(["--help"], prog_name=f"dispatcher {name}".strip())
        said = capsys.readouterr().out
        assert "..." not in said.partition("Commands:")[2], said
        assert f"Example: dispatcher {name}".strip() in said


def test_output_that_nobody_can_write_is_named(newsletter: Newsletter) -> None:
    newsletter.expect(0, "send-issue", "29")
    program = "import sys; from dispatcher.cli.main import main; sys.argv = ['x', 'status']; main()"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=newsletter.folder, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 74
    assert done.stderr == "standard output: No space left on device; what was to be read there is lost\n"


def leaves(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Every command below a group, with the words that call it."""
    for word, each in getattr(command, "commands", {}).items():
        yield from leaves(f"{name} {word}", each)
    if not hasattr(command, "commands"):
        yield name, command


@pytest.mark.parametrize("module", ["dispatcher.cli.send_issue", "dispatcher.cli.main"])
def test_help_imports_nothing_heavy(newsletter: Newsletter, module: str) -> None:
    program = f"import sys; from {module} import main; sys.argv = ['x', '--help']; main()"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", program],
        cwd=newsletter.folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & HEAVY


def test_a_new_newsletter_sends_its_first_issue_into_its_outbox(newsletter: Newsletter) -> None:
    newsletter.expect(0, "dispatcher", "init", "fresh")
    fresh = Newsletter(newsletter.folder / "fresh")
    ignored = fresh.read(".gitignore")
    assert all(name in ignored for name in ("subscribers", "dispatcher.db", "dispatcher.key", "outbox"))
    if not list((fresh.folder / "issues").glob("*/issue.md")):
        fresh.expect(0, "dispatcher", "new", "1")
    fresh.write("subscribers/readers.csv", "email,name\nann@example.com,Ann\n")
    number = min(path.parent.name for path in (fresh.folder / "issues").glob("*/issue.md"))
    fresh.expect(0, "send-issue", number, "--list", "readers")
    assert len(fresh.outbox()) == 1


@pytest.mark.parametrize("source", ["dispatcher/desk/skeleton/gitignore", ".gitignore"])
def test_git_ignores_the_secrets_and_readers_that_the_readme_s_commands_write(tmp_path: Path, source: str) -> None:
    written = (
        "dispatcher.key", "dkim.pem", ".env", "deploy/.env", "dispatcher.db", "dispatcher.db-wal", "dispatcher.db.lock",
        "copy.db", "copy.dump", "outbox/new/1", "returned/new/1", "readers.csv", "pro.csv", "subscribers/readers.csv",
        "report.html", "public/index.html",
    )  # fmt: skip
    root = Path(__file__).parents[2]
    (tmp_path / ".gitignore").write_text((root / source).read_text("utf-8"), encoding="utf-8")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    asked = ["git", "-C", str(tmp_path), "check-ignore", *written, "issues/29/issue.md", "pyproject.toml"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert set(done.stdout.split()) == {*written}


def test_init_does_not_overwrite_a_newsletter(newsletter: Newsletter) -> None:
    before = newsletter.read("pyproject.toml")
    assert newsletter.run("dispatcher", "init", ".").returncode != 0
    assert newsletter.read("pyproject.toml") == before


def test_new_makes_an_issue_that_can_be_sent(newsletter: Newsletter) -> None:
    newsletter.expect(0, "dispatcher", "new", "30")
    assert list((newsletter.folder / "issues").glob("30*/issue.md"))
    newsletter.expect(0, "dispatcher", "render", "30", "--out", "out")


def test_new_does_not_overwrite_an_issue(newsletter: Newsletter) -> None:
    before = newsletter.read("issues/29/issue.md")
    assert newsletter.run("dispatcher", "new", "29").returncode != 0
    assert newsletter.read("issues/29/issue.md") == before


def test_config_prints_the_result_with_secrets_masked(newsletter: Newsletter) -> None:
    said = newsletter.expect(
        0,
        "dispatcher",
        "config",
        env={
            "DISPATCHER_RELAY": "smtp://letter@relay.example.net:587",
            "DISPATCHER_RELAY_PASSWORD": "s3cret-word",
            "DISPATCHER_SECRET": "0123456789abcdef0123456789abcdef",
            "DISPATCHER_DATABASE": "postgresql://letter:pg-s3cret@db.example.net/letter",
        },
    )
    assert "relay.example.net" in said
    assert "Test Letter" in said
    assert "s3cret-word" not in said
    assert "0123456789abcdef" not in said
    assert "pg-s3cret" not in said


def test_an_unknown_setting_names_the_nearest_one(newsletter: Newsletter) -> None:
    newsletter.replace("pyproject.toml", "reply_to", "replyto")
    said = newsletter.expect(78, "dispatcher", "config")
    assert "replyto" in said
    assert "reply_to" in said


@pytest.mark.usefixtures("in_a_file")
def test_the_database_and_the_key_are_closed_to_others(newsletter: Newsletter) -> None:
    newsletter.expect(0, "send-issue", "29")
    for name in ("dispatcher.db", "dispatcher.key"):
        assert stat.S_IMODE((newsletter.folder / name).stat().st_mode) == 0o600


@pytest.mark.usefixtures("in_a_file")
def test_a_key_that_others_can_read_is_refused(newsletter: Newsletter) -> None:
    newsletter.expect(0, "send-issue", "29")
    (newsletter.folder / "dispatcher.key").chmod(0o644)
    assert "dispatcher.key" in newsletter.expect(78, "send-issue", "29")


def test_render_writes_each_edition_three_times_and_their_hashes(newsletter: Newsletter) -> None:
    said = newsletter.expect(0, "dispatcher", "render", "29", "--out", "out")
    for language in ("en", "zh"):
        assert re.search(
            rf"^{language}: [\d,]+ bytes of HTML, [\d,]+ as it travels; Gmail shows 100,000$", said, re.MULTILINE
        )
        assert re.search(rf"^{language}: 1 picture of [\d,]+ bytes, the heaviest [\d,]+$", said, re.MULTILINE)
    for language in ("en", "zh"):
        assert "<html" in newsletter.read(f"out/{language}.html")
        assert "<" not in newsletter.read(f"out/{language}.txt").partition("http")[0]
        assert "MIME-Version: 1.0" in newsletter.read(f"out/{language}.eml")
    assert re.search(r"[0-9a-f]{64}", newsletter.read("out/manifest.json"))


def test_render_gives_the_same_bytes_each_time_whatever_it_warns_of(newsletter: Newsletter) -> None:
    newsletter.replace("issues/29/issue.zh.md", "![红色方块](img/a.png)", "")
    for folder in ("first", "second"):
        said = newsletter.expect(0, "dispatcher", "render", "29", "--out", folder)
        assert re.search(
            r"^warning: issues/29/issue\.zh\.md:\d+: .* has no pictures, but 1 in issue\.md:", said, re.MULTILINE
        )
    for name in ("en.html", "zh.html", "en.txt", "zh.txt"):
        assert newsletter.read(f"first/{name}") == newsletter.read(f"second/{name}")


def test_a_reader_of_output_that_goes_away_is_no_bug(newsletter: Newsletter) -> None:
    newsletter.expect(0, "send-issue", "29")
    done = subprocess.run(
        ["bash", "-c", f"'{os.path.dirname(sys.executable)}/dispatcher' report 29 --format tsv | head -1"],  # noqa: PTH120
        cwd=newsletter.folder, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
