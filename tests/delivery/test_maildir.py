"""A Maildir: a message is there once, durably, and found again, read or unread."""

from pathlib import Path

import pytest

from dispatcher.delivery.maildir import find, open_maildir, store

NAME, CONTENT = "i29.abcdefghij0123456789@example.org", b"Subject: hello\r\n\r\nDear Ann,\r\n"


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    open_maildir(tmp_path / "outbox")
    return tmp_path / "outbox"


def test_a_stored_message_is_found(outbox: Path) -> None:
    name = store(outbox, NAME, CONTENT)
    assert find(outbox, NAME) == name
    assert (outbox / "new" / name).read_bytes() == CONTENT.replace(b"\r\n", b"\n")
    assert not list((outbox / "tmp").iterdir())
    assert ":" not in name
    assert "/" not in name


def test_stored_twice_it_is_there_once(outbox: Path) -> None:
    assert store(outbox, NAME, CONTENT) == store(outbox, NAME, CONTENT)
    assert len(list((outbox / "new").iterdir())) == 1


def test_a_message_that_was_read_is_still_found(outbox: Path) -> None:
    name = store(outbox, NAME, CONTENT)
    (outbox / "new" / name).rename(outbox / "cur" / f"{name}:2,S")
    assert find(outbox, NAME) == f"{name}:2,S"


def test_other_messages_are_not_taken_for_it(outbox: Path) -> None:
    store(outbox, NAME, CONTENT)
    assert find(outbox, NAME.replace("i29", "i2")) is None
    assert find(outbox, NAME.replace("9@", "8@")) is None


def test_a_half_written_message_is_not_there(outbox: Path) -> None:
    name = store(outbox, NAME, CONTENT)
    (outbox / "new" / name).rename(outbox / "tmp" / name)
    assert find(outbox, NAME) is None
    assert store(outbox, NAME, CONTENT) == name
    assert find(outbox, NAME) == name


def test_opening_it_again_keeps_what_is_there(outbox: Path) -> None:
    store(outbox, NAME, CONTENT)
    open_maildir(outbox)
    assert find(outbox, NAME)
    assert outbox.stat().st_mode & 0o077 == 0 or (outbox / "new").stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_made_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file")
    with pytest.raises(OSError, match="outbox"):
        open_maildir(tmp_path / "outbox")
