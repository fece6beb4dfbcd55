"""Signed names: they say what was signed, in one spelling, for one purpose, in one database.

The long form: `DISPATCHER_TESTS_LONG=1 python -m pytest tests/test_tokens.py`.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.errors import SettingsWrong
from dispatcher.tokens import (
    ConfirmToken,
    DataToken,
    Keyring,
    LeaveToken,
    Purpose,
    ReturnToken,
    UndoToken,
    ViewToken,
    fingerprint,
    load_secrets,
    message_id,
    new_ref,
    read_confirm,
    read_data,
    read_form,
    read_leave,
    read_return,
    read_undo,
    read_view,
    sign_confirm,
    sign_data,
    sign_form,
    sign_leave,
    sign_return,
    sign_undo,
    sign_view,
)
from tests.forgeries import EXAMPLES, FORGERIES

OLD, NEW = "o" * 32, "n" * 32
KEYRING = Keyring(secrets=(OLD,), instance="a1")
LEAVE = LeaveToken(subscriber_id=7, ref=2**32 - 1, list_id=1)

AT = datetime(2026, 11, 25, 9, tzinfo=UTC)

SIGNED: dict[Purpose, Callable[[Keyring], str]] = {
    Purpose.LEAVE: lambda ring: sign_leave(ring, LEAVE),
    Purpose.RETURN: lambda ring: sign_return(ring, ReturnToken(delivery_id=7, ref=9)),
    Purpose.VIEW: lambda ring: sign_view(ring, ViewToken(number=29, language="zh-hans1")),
    Purpose.CONFIRM: lambda ring: sign_confirm(ring, ConfirmToken(signup_id=7, ref=9, expires_at=AT)),
    Purpose.DATA: lambda ring: sign_data(ring, DataToken(subscriber_id=7, ref=9, expires_at=AT)),
    Purpose.UNDO: lambda ring: sign_undo(ring, UndoToken(subscriber_id=7, ref=9, left_at=AT, expires_at=AT)),
    Purpose.FORM: lambda ring: sign_form(ring, AT),
}
READERS: dict[Purpose, Callable[[Keyring, str], object]] = {
    Purpose.LEAVE: read_leave,
    Purpose.RETURN: read_return,
    Purpose.VIEW: read_view,
    Purpose.CONFIRM: read_confirm,
    Purpose.DATA: read_data,
    Purpose.UNDO: read_undo,
    Purpose.FORM: read_form,
}

leave_tokens = st.builds(
    LeaveToken,
    subscriber_id=st.integers(0, 2**40 - 1),
    ref=st.integers(0, 2**32 - 1),
    list_id=st.integers(0, 2**24 - 1),
)
view_tokens = st.builds(
    ViewToken, number=st.integers(0, 2**32 - 1), language=st.from_regex(r"[a-z]{2,8}", fullmatch=True)
)


@given(leave_tokens)
def test_a_leave_token_says_what_was_signed(token: LeaveToken) -> None:
    text = sign_leave(KEYRING, token)
    assert read_leave(KEYRING, text) == token
    assert len(text) == 47
    assert text == text.lower()
    assert text.isalnum()


@given(view_tokens)
def test_a_view_token_says_what_was_signed(token: ViewToken) -> None:
    assert read_view(KEYRING, sign_view(KEYRING, token)) == token


def test_a_return_token_fits_into_a_local_part_beside_17_characters() -> None:
    text = sign_return(KEYRING, ReturnToken(delivery_id=2**48 - 1, ref=2**32 - 1))
    assert len(text) == 44
    assert len(text) + 17 <= 64


@given(leave_tokens, st.data())
def test_a_token_with_one_other_character_is_worth_nothing(token: LeaveToken, data: st.DataObject) -> None:
    text = sign_leave(KEYRING, token)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters().filter(lambda character: character != text[place]))
    assert read_leave(KEYRING, text[:place] + other + text[place + 1 :]) is None


@given(leave_tokens, st.data())
def test_a_token_that_is_shorter_or_longer_is_worth_nothing(token: LeaveToken, data: st.DataObject) -> None:
    text = sign_leave(KEYRING, token)
    assert read_leave(KEYRING, text[: data.draw(st.integers(0, len(text) - 1))]) is None
    assert read_leave(KEYRING, text + data.draw(st.text(min_size=1))) is None


@pytest.mark.parametrize(
    "respelt",
    [
        str.upper,
        lambda text: text + "=",
        lambda text: " " + text,
        lambda text: text + "\n",
        lambda text: text[:-1] + "7",
    ],
    ids=["upper case", "padded", "space before", "line end", "stray bits at the end"],
)
def test_a_token_has_one_spelling(respelt: Callable[[str], str]) -> None:
    assert read_leave(KEYRING, respelt(sign_leave(KEYRING, LEAVE))) is None


@given(st.text())
def test_no_text_at_all_upsets_the_reader(text: str) -> None:
    assert read_leave(KEYRING, text) is None
    assert read_view(KEYRING, text) is None


@pytest.mark.parametrize("purpose", Purpose)
def test_a_token_serves_one_purpose(purpose: Purpose) -> None:
    token = SIGNED[purpose](KEYRING)  # leave and view, and confirm and data, are as long as each other
    assert {each for each, read in READERS.items() if read(KEYRING, token) is not None} == {purpose}


@settings(max_examples=EXAMPLES, deadline=None)
@given(of=st.sampled_from(Purpose), read_as=st.sampled_from(Purpose), forge=FORGERIES)
def test_nothing_that_is_made_of_a_token_is_one(of: Purpose, read_as: Purpose, forge: Callable[[str], str]) -> None:
    token = SIGNED[of](KEYRING)
    forged = forge(token)
    spelling = str.lower if read_as is Purpose.RETURN else str  # mail servers change the case
    if spelling(forged) != spelling(token):
        assert READERS[read_as](KEYRING, forged) is None


def test_a_token_is_of_one_database() -> None:
    assert read_leave(Keyring(secrets=(OLD,), instance="b2"), sign_leave(KEYRING, LEAVE)) is None


def test_tokens_survive_the_change_of_the_key_while_the_old_one_is_kept() -> None:
    text = sign_leave(KEYRING, LEAVE)
    rotated = Keyring(secrets=(NEW, OLD), instance="a1")
    assert read_leave(rotated, text) == LEAVE
    assert sign_leave(rotated, LEAVE) != text
    assert read_leave(Keyring(secrets=(NEW,), instance="a1"), text) is None


def test_a_keyring_does_not_show_its_secrets() -> None:
    assert OLD not in repr(KEYRING)
    assert OLD not in fingerprint(OLD)
    assert fingerprint(OLD) != fingerprint(NEW)


def test_a_message_id_is_the_same_on_every_attempt_and_of_one_copy() -> None:
    def of(salt: str = "00" * 16, subscriber_id: int = 1, copy: int = 0) -> str:
        return message_id(salt, issue=29, subscriber_id=subscriber_id, copy=copy, domain="example.org")

    assert of() == of()
    assert of().startswith("i29.")
    assert of().endswith("@example.org")
    assert len({of(), of(salt="01" * 16), of(subscriber_id=2), of(copy=1), of(subscriber_id=11), of(copy=11)}) == 6


def test_a_new_reader_has_a_number_that_fits_into_his_token() -> None:
    assert all(0 <= new_ref() < 2**32 for _ in range(100))


def test_the_key_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    key = tmp_path / "dispatcher.key"
    first = load_secrets((), key)
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(first) == 1
    assert len(first[0]) >= 32
    assert load_secrets((), key) == first


def test_a_generous_umask_does_not_open_the_key(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        load_secrets((), tmp_path / "dispatcher.key")
    finally:
        os.umask(before)
    assert (tmp_path / "dispatcher.key").stat().st_mode & 0o777 == 0o600


def test_the_environment_wins_and_no_key_is_made(tmp_path: Path) -> None:
    assert load_secrets((NEW, OLD), tmp_path / "dispatcher.key") == (NEW, OLD)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_key_that_others_can_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    key = tmp_path / "dispatcher.key"
    load_secrets((), key)
    key.chmod(mode)
    with pytest.raises(SettingsWrong, match=f"{key}: .*chmod 600"):
        load_secrets((), key)


@pytest.mark.parametrize("content", ["", "\n", "short\n", f"{OLD} short\n"])
def test_a_key_that_is_too_short_is_refused_without_being_shown(tmp_path: Path, content: str) -> None:
    key = tmp_path / "dispatcher.key"
    key.write_text(content)
    key.chmod(0o600)
    with pytest.raises(SettingsWrong, match="fewer than 32 characters") as caught:
        load_secrets((), key)
    assert OLD not in str(caught.value)


@pytest.mark.parametrize(
    "spoil",
    [lambda key: key.write_bytes(b"\xff" * 40), lambda key: key.mkdir()],
    ids=["not ASCII", "a folder"],
)
def test_a_key_that_cannot_be_read_is_named(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    key = tmp_path / "dispatcher.key"
    spoil(key)
    key.chmod(0o600)
    with pytest.raises(SettingsWrong, match=str(key)):
        load_secrets((), key)
