"""Header fields: nothing begins a field of its own, every line has a bearable length, and it decodes to what it was."""

import re
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.content.message.headers import courtesy, date, field, list_unsubscribe, mailbox, unstructured

CONTROLS = ["\r", "\n", "\r\n", "\0", "\x01", "\x0b", "\x0c", "\x1b", "\x7f", "\x85", "\u2028", "\u2029"]
ENCODED_WORD = re.compile(rb"=\?utf-8\?b\?[A-Za-z0-9+/]*=*\?=")
printable = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=120)
ascii_words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=59)


def read_back(name: str, raw: bytes) -> str:
    return str(message_from_bytes(raw + b"\r\n", policy=policy.default)[name])


def lines_of(raw: bytes) -> list[bytes]:
    assert raw.endswith(b"\r\n")
    lines = raw.removesuffix(b"\r\n").split(b"\r\n")
    assert not [line for line in lines if b"\r" in line or b"\n" in line]
    assert all(line.startswith(b" ") for line in lines[1:])
    assert all(line.strip() for line in lines)
    return lines


@pytest.mark.parametrize("control", CONTROLS, ids=repr)
def test_a_value_cannot_begin_a_field_of_its_own(control: str) -> None:
    with pytest.raises(ValueError, match="Subject holds a control character"):
        field("Subject", f"hello{control}Bcc: eve@example.com")


@given(st.lists(ascii_words, min_size=1, max_size=20))
def test_a_long_value_is_folded_at_its_spaces(words: list[str]) -> None:
    value = " ".join(words)
    lines = lines_of(field("Subject", value))
    assert max(map(len, lines)) <= 78
    assert b"".join(lines) == b"Subject: " + value.encode()


def test_a_colon_does_not_keep_a_line_from_being_folded() -> None:
    lines = lines_of(field("Subject", f"{'x' * 50}: {'y' * 50}"))
    assert max(map(len, lines)) <= 78


def test_a_word_that_is_too_long_stays_whole_and_never_stands_behind_a_bare_name() -> None:
    word = "x" * 200
    assert field("X-A", word) == b"X-A: " + word.encode() + b"\r\n"
    assert lines_of(field("X-A", f"a {word} b"))[1:] == [b" " + word.encode(), b" b"]


@given(printable)
def test_a_subject_comes_back_as_it_was(text: str) -> None:
    raw = field("Subject", unstructured(text))
    lines_of(raw)
    assert raw.isascii()
    assert all(len(word) <= 75 for word in ENCODED_WORD.findall(raw))
    assert read_back("Subject", raw) == " ".join(text.split())


@pytest.mark.parametrize("name", ["Subject", "List-Id", "Reply-To"])
def test_a_line_with_an_encoded_word_has_at_most_76_columns(name: str) -> None:
    """RFC 2047, section 2."""
    assert max(map(len, lines_of(field(name, unstructured("王" * 40))))) <= 76


@pytest.mark.parametrize(
    "text", ["=?utf-8?q?x?=", "a =?= b", "x" * 60, "é", "é" * 200, "👩‍💻" * 30, "王芳 and Ann " * 12]
)
def test_what_could_be_misread_goes_in_encoded_words(text: str) -> None:
    raw = field("Subject", unstructured(text))
    assert b"=?utf-8?b?" in raw
    assert read_back("Subject", raw) == text.strip()


def test_a_plain_subject_is_readable_on_the_wire() -> None:
    assert field("Subject", unstructured("  Two   small\nstories ")) == b"Subject: Two small stories\r\n"


@pytest.mark.parametrize(
    ("name", "email", "value"),
    [
        (None, "ann@example.com", "ann@example.com"),
        ("", "ann@example.com", "ann@example.com"),
        ("Ann", "ann@example.com", "Ann <ann@example.com>"),
        ("Ann Smith", "ann@example.com", "Ann Smith <ann@example.com>"),
        ("Smith, Ann", "ann@example.com", '"Smith, Ann" <ann@example.com>'),
        ("Ann (home)", "ann@example.com", '"Ann (home)" <ann@example.com>'),
        ('Ann "A" \\', "ann@example.com", '"Ann \\"A\\" \\\\" <ann@example.com>'),
        ("eve@example.com", "ann@example.com", '"eve@example.com" <ann@example.com>'),
        ("Ann <eve@example.com>", "ann@example.com", '"Ann <eve@example.com>" <ann@example.com>'),
        ("王芳", "wang@example.com", "=?utf-8?b?546L6Iqz?= <wang@example.com>"),
    ],
)
def test_a_name_is_written_as_it_needs(name: str | None, email: str, value: str) -> None:
    assert mailbox(name, email) == value


@given(printable)
def test_a_mailbox_is_one_address_with_its_name(name: str) -> None:
    raw = field("To", mailbox(courtesy(name), "ann@example.com"))
    lines_of(raw)
    parsed = message_from_bytes(raw + b"\r\n", policy=policy.default)["To"]
    assert [each.addr_spec for each in parsed.addresses] == ["ann@example.com"]
    kept = " ".join((courtesy(name) or "").split())
    assert parsed.addresses[0].display_name == kept
    assert not parsed.defects


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (None, None),
        ("", ""),
        ("Ann", "Ann"),
        ("x" * 200, "x" * 200),
        ("王芳" * 6, "王芳" * 6),
        ("王" * 14, "王" * 12 + "…"),
        ("👩" * 10, "👩" * 9 + "…"),
    ],
)
def test_a_name_that_would_need_two_encoded_words_is_cut(name: str | None, shown: str | None) -> None:
    assert courtesy(name) == shown


@given(printable.map(lambda name: " ".join(name.split())).filter(bool))
def test_a_courteous_name_is_one_encoded_word(name: str) -> None:
    kept = courtesy(name)
    assert kept is not None
    if not kept.isascii():
        assert len(ENCODED_WORD.findall(field("To", mailbox(kept, "a@b.org")))) == 1


def test_list_unsubscribe_has_each_url_whole_on_its_line() -> None:
    url, mailto = (
        f"https://news.example.org/u/{'t' * 200}",
        f"mailto:bounces+{'t' * 47}@example.org?subject=unsubscribe",
    )
    raw = list_unsubscribe([url, mailto])
    assert raw == f"List-Unsubscribe: <{url}>,\r\n <{mailto}>\r\n".encode()
    assert b"=?" not in raw


@pytest.mark.parametrize(
    "url", ["https://a b", "https://a,b", "https://a>b", "https://a\r\nBcc: x", "https://ü", "<x>"]
)
def test_a_url_that_would_break_list_unsubscribe_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="List-Unsubscribe"):
        list_unsubscribe([url])


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        (UTC, "Wed, 25 Nov 2026 09:00:00 +0000"),
        (timezone(timedelta(hours=8)), "Wed, 25 Nov 2026 09:00:00 +0800"),
        (timezone(-timedelta(hours=3, minutes=30)), "Wed, 25 Nov 2026 09:00:00 -0330"),
    ],
)
def test_a_date_has_a_numeric_zone(zone: timezone, shown: str) -> None:
    assert date(datetime(2026, 11, 25, 9, 0, 0, 123456, tzinfo=zone)) == shown
