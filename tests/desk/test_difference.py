"""`dispatcher diff`: what a reader would see differently, since the last staging or since a git revision."""

import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dispatcher.cli.main import app
from tests.checking.desk import GOOD, Desk
from tests.commands.test_preview import PYPROJECT
from tests.newsletter import Newsletter
from tests.relay import Relay


def diff(folder: Path, *command: str) -> str:
    result = CliRunner().invoke(app, ["-C", str(folder), "diff", *command], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """The good issue, committed."""
    desk = Desk.lay(tmp_path)
    desk.write("pyproject.toml", PYPROJECT)
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "commit", "-qm", "Issue 2"],
    ):
        subprocess.run(["git", "-C", tmp_path, *command], check=True)
    return desk


def test_nothing_has_changed(desk: Desk) -> None:
    assert diff(desk.folder, "2", "--since", "HEAD") == "a reader would see the same\n"
    desk.change("# At home", "{# for editors only #}\n\n# At home")
    assert diff(desk.folder, "2", "--since", "HEAD") == "a reader would see the same\n"


def test_words_links_headers_and_bytes_are_told(desk: Desk) -> None:
    desk.change("what boils, and what does not", "what boils over")
    desk.change("https://example.org/nothing", "https://example.org/something")
    desk.change("A cup of two walls", "A cup of three walls")
    said = diff(desk.folder, "2", "--since", "HEAD")
    assert "  Subject: Kettles 2: what boils, and what does not  →  Kettles 2: what boils over\n" in said
    assert "  link removed: https://example.org/nothing\n  link added: https://example.org/something\n" in said
    assert "  -A cup of two walls" in said
    assert "  +A cup of three walls" in said
    assert said.startswith("en: ")
    assert "bytes of HTML (+" in said


def test_a_new_language_is_told(desk: Desk) -> None:
    desk.write("issues/2/issue.zh.md", GOOD)
    assert "zh: new\n" in diff(desk.folder, "2", "--since", "HEAD")


def test_what_is_no_revision_is_said(desk: Desk) -> None:
    for revision in ("nothing", "--output=x"):
        result = CliRunner().invoke(app, ["-C", str(desk.folder), "diff", "2", f"--since={revision}"])
        assert result.exit_code != 0
        assert revision in str(result.exception)


def test_without_a_revision_it_is_the_last_staging(live: Newsletter, relay: Relay) -> None:
    live.send("--staging")
    assert diff(live.folder, "29") == "a reader would see the same\n"
    live.replace("issues/29/issue.md", "two small stories from", "two tiny stories from")
    said = diff(live.folder, "29")
    assert "two tiny stories from" in said
    assert relay.messages
