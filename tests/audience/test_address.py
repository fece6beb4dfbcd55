"""Addresses: what is one, what only looks like one, and who is the same person."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.audience.address import read_address


@pytest.mark.parametrize(
    ("text", "email"),
    [
        ("ann@example.com", "ann@example.com"),
        ("  ann@example.com ", "ann@example.com"),
        ("Ann.Smith+news@Mail.Example.COM", "Ann.Smith+news@mail.example.com"),
        ("o'hara@example.com", "o'hara@example.com"),
        ("a_b-c!#$%&*/=?^`{|}~@example.com", "a_b-c!#$%&*/=?^`{|}~@example.com"),
        ("1234567890@example.com", "1234567890@example.com"),
        ("a@b.co", "a@b.co"),
        ("x" * 64 + "@example.com", "x" * 64 + "@example.com"),
        ("ann@" + "a" * 63 + ".com", "ann@" + "a" * 63 + ".com"),
        ("ann@münchen.de", "ann@xn--mnchen-3ya.de"),
        ("ann@xn--mnchen-3ya.de", "ann@xn--mnchen-3ya.de"),
        ("ann@faß.de", "ann@xn--fa-hia.de"),
        ("ann@例子.测试", "ann@xn--fsqu00a.xn--0zwm56d"),
        ("王芳@example.com", "王芳@example.com"),
        ("jose\u0301@example.com", "jos\u00e9@example.com"),
        ("ann@example.test", "ann@example.test"),
    ],
)
def test_an_address_is_brought_to_one_spelling(text: str, email: str) -> None:
    address = read_address(text)
    assert address.email == email
    assert address.domain == email.rpartition("@")[2]
    assert address.domain.isascii()
    assert address.domain == address.domain.lower()


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "@", "ann", "ann@", "@example.com", "ann@localhost", "ann@example", "ann@@example.com",
        "ann@b@example.com", "ann smith@example.com", "ann@exa mple.com", ".ann@example.com", "ann.@example.com",
        "a..b@example.com", "ann@.example.com", "ann@example..com", "ann@example.com.", "ann@-example.com",
        "ann@example-.com", "ann@exam_ple.com", "ann@1.2.3.4", "ann@[127.0.0.1]", '"ann smith"@example.com',
        "Ann <ann@example.com>", "<ann@example.com>", "ann@example.com, bob@example.com", "ann@example.com;",
        "mailto:ann@example.com", "ann(comment)@example.com", "ann\\@example.com", "ann@" + "a" * 64 + ".com",
        "ann@" + "a." * 126 + "com", "ann\n@example.com", "ann@example.com\n", "ann@example.com\r\nBcc: b@example.com",
        "ann\0@example.com", "ann\t@example.com", "a\u202enn@example.com", "a\u200bnn@example.com",
        "ann@exam\u00adple\u2028.com",
    ],
    ids=repr,
)  # fmt: skip
def test_what_only_looks_like_an_address_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+") as caught:
        read_address(text)
    assert not str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann@example.com", "ann@EXAMPLE.com"),
        ("JOSÉ@example.com", "jose\u0301@example.com"),
        ("ann@münchen.de", "ANN@xn--mnchen-3ya.de"),
        ("ann@MÜNCHEN.de", "ann@münchen.de"),
    ],
)
def test_one_person_has_one_key(one: str, other: str) -> None:
    assert read_address(one).key == read_address(other).key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ann@example.com", "anna@example.com"),
        ("ann+a@example.com", "ann@example.com"),
        ("a.b@example.com", "ab@example.com"),
    ],
)
def test_two_people_have_two_keys(one: str, other: str) -> None:
    assert read_address(one).key != read_address(other).key


def test_strasse_and_strasse_with_an_eszett_are_two_people() -> None:
    assert read_address("straße@example.com").key != read_address("strasse@example.com").key


def test_a_local_part_is_no_longer_than_64() -> None:
    with pytest.raises(ValueError, match="long"):
        read_address("x" * 65 + "@example.com")


@given(st.text(max_size=40) | st.from_regex(r"[\x00-\x7f]{0,9}@[\x00-\x7f]{0,9}\.[a-z]{2}"))
def test_whatever_passes_can_stand_on_an_envelope(text: str) -> None:
    try:
        address = read_address(text)
    except ValueError:
        return
    assert not set(address.email) & set(' <>()[]\\,;:"\r\n\t\0')
    assert address.email.count("@") == 1
    assert len(address.email) <= 254 + 66
    assert read_address(address.email) == address
