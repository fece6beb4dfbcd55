"""`dispatcher inbox -`: what a mail server pipes in is ours once we end well, so what nobody acts on is kept."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dispatcher.cli.main import app
from dispatcher.errors import Unfinished
from tests.returns.house import ANN, DAN, House, bounce, plain

REPLY = plain(ANN, "letter@example.org", "Re: Test Letter", "Lovely!")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "letter")


def piped(house: House, mail: bytes, *options: str) -> Result:
    folder = house.settings.folder
    return CliRunner(env={"DISPATCHER_SECRET": "s" * 40}).invoke(app, ["-C", str(folder), "inbox", "-", *options], mail)


def test_a_reply_is_kept_once_for_the_editor(house: House) -> None:
    folder = house.settings.folder / "returned"
    assert f"1 reply, left for you: nobody is affected\nkept for you in {folder}" in piped(house, REPLY).output
    assert "kept for you" in piped(house, REPLY).output
    [kept] = (folder / "new").iterdir()
    assert kept.read_bytes() == REPLY
    assert {path.stat().st_mode & 0o777 for path in (folder, folder / "new")} == {0o700}


def test_what_is_acted_on_explained_or_empty_is_not_kept(house: House) -> None:
    copies = house.send()
    assert "1 bounce: 1 suspended" in piped(house, bounce(copies[DAN])).output
    assert "reply" in piped(house, REPLY, "--explain").output
    assert piped(house, b"\n").output == "no mail: nobody is affected\n"
    assert not (house.settings.folder / "returned").exists()


def test_a_reply_that_cannot_be_kept_is_tried_again_by_who_pipes_it(house: House) -> None:
    (house.settings.folder / "returned").write_text("in the way")
    assert isinstance(piped(house, REPLY).exception, Unfinished)
