"""Transfer encodings: pieces encoded once and joined say the same as the whole, and the wire does them no harm."""

import base64
import quopri

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dispatcher.content.message.encode import encode_pieces, quoted_printable

plain = st.text(st.sampled_from("ab .=-_F\nrom\t\"<>'"), max_size=200)
chinese = st.text(st.sampled_from("王芳读信件，。\n 😀.F"), max_size=60).map(lambda text: "王芳" * 20 + text)
any_text = st.text(st.characters(exclude_characters="\r\x02\x03", exclude_categories=["Cs"]), max_size=120)
values = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=90)


def decoded(name: str, body: bytes) -> str:
    raw = base64.b64decode(body) if name == "base64" else quopri.decodestring(body)
    return raw.decode().replace("\r\n", "\n")


def check(pieces: list[str], filled: list[int | str]) -> str:
    encoded = encode_pieces(pieces)
    body = encoded.join(filled)
    said = "".join(pieces[each] if isinstance(each, int) else each for each in filled)
    assert decoded(encoded.name, body) in ({said} if encoded.name == "base64" else {said, said + "\n"})
    lines = body.split(b"\r\n")
    assert max(map(len, lines)) <= 76
    assert not [line for line in lines if line.startswith((b".", b"From "))]
    assert not [line for line in lines if line.endswith((b" ", b"\t"))]
    assert b"\n" not in body.replace(b"\r\n", b"")
    assert b"\r" not in body.replace(b"\r\n", b"")
    assert body.isascii()
    assert b"=_" not in body  # what a boundary begins with
    assert not body.endswith(b"=\r\n") or encoded.name == "base64"
    return encoded.name


@given(st.data(), st.lists(plain | any_text, min_size=1, max_size=5))
@example(data=None, pieces=["." * 200])
@example(data=None, pieces=["From me\nFrom you\n.\n..\n"])
@example(data=None, pieces=["x" * 75 + ".", "From "])
@example(data=None, pieces=[" \n \n\t\n"])
def test_pieces_and_values_say_what_they_said(data: st.DataObject | None, pieces: list[str]) -> None:
    numbers: list[int | str] = list(range(len(pieces)))
    if data is None:
        check(pieces, numbers)
        return
    check(pieces, data.draw(st.lists(st.sampled_from(numbers) | values, max_size=10)))


@given(st.data(), st.lists(chinese, min_size=1, max_size=4))
def test_what_is_mostly_chinese_goes_as_base64_and_says_the_same(data: st.DataObject, pieces: list[str]) -> None:
    filled = data.draw(st.lists(st.sampled_from(range(len(pieces))) | values, max_size=10))
    assert check(pieces, filled) == "base64"


@pytest.mark.parametrize(
    ("pieces", "name"),
    [(["hello\n" * 9], "quoted-printable"), (["王芳" * 9], "base64"), ([], "quoted-printable")],
)
def test_the_shorter_encoding_is_chosen(pieces: list[str], name: str) -> None:
    assert encode_pieces(pieces).name == name
    assert decoded(name, encode_pieces(pieces).join(list(range(len(pieces))))).rstrip("\n") == "".join(pieces).rstrip(
        "\n"
    )


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("hello\n", b"hello\r\n"),
        ("hello", b"hello=\r\n"),
        ("1=1\n", b"1=3D1\r\n"),
        ("a \n", b"a=20\r\n"),
        ("a\t\n", b"a=09\r\n"),
        (".\n", b"=2E\r\n"),
        ("From me\n", b"=46rom me\r\n"),
        ("é\n", b"=C3=A9\r\n"),
        ("\n", b"\r\n"),
        ("a\r\nb\n", b"a\r\nb\r\n"),
        ("x" * 80 + "\n", b"x" * 75 + b"=\r\n" + b"x" * 5 + b"\r\n"),
        ("x" * 74 + "=\n", b"x" * 74 + b"=\r\n=3D\r\n"),
    ],
)
def test_quoted_printable_is_what_rfc_2045_says(text: str, body: bytes) -> None:
    assert quoted_printable(text) == body
