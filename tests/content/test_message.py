"""The message as bytes: parsed back it says what went in, and the wire finds nothing to stumble over."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage, Message

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.content.message.build import (
    Copy,
    build_message,
    make_skeleton,
    merged_html,
    merged_text,
    neutral_reader,
)
from dispatcher.content.message.merge import Unfilled
from dispatcher.models import Edition, Field, Picture, Subscriber

TOKEN = "t" * 200
NAME = Field(source='{{ subscriber.name | default("reader") }}', path="issue.md", line=1)
SITE = Field(source="{{ subscriber.site }}", path="issue.md", line=2)
PICTURE = Picture(name="3f.png", media_type="image/png", content=bytes(range(256)) * 3, width=1, height=1)


def edition(**changed: object) -> Edition:
    plain = Edition(
        number=29,
        language="en",
        newsletter="Life with Data",
        sender="Life with Data <weekly@example.org>",
        reply_to="Editor <editor@example.org>",
        subject="Hello zq0xqz",
        html="<p>Dear zq0xqz,</p>\n<p>" + "long " * 60 + "</p>\n",
        text="Dear zq0xqz,\n\n.dot\nFrom me\n",
        fields=(NAME, SITE),
        pictures=(),
        inline_pictures=False,
    )
    return replace(plain, **changed)  # type: ignore[arg-type]


def copy(**changed: object) -> Copy:
    reader = Subscriber(id=1, ref=2, email="ann@example.com", name="Ann", language="en", attributes={})
    plain = Copy(
        to="ann@example.com",
        reader=reader,
        message_id="i29.abc@example.org",
        date=datetime(2026, 11, 25, 9, tzinfo=UTC),
        list_name="readers",
        unsubscribe_url=f"https://news.example.org/u/{TOKEN}",
        unsubscribe_mailto=f"mailto:bounces+{TOKEN}@example.org?subject=unsubscribe",
        view_url="https://news.example.org/v/abc",
    )
    return replace(plain, **changed)  # type: ignore[arg-type]


def built(made: Edition | None = None, one: Copy | None = None) -> bytes:
    content = build_message(make_skeleton(made or edition()), one or copy())
    assert isinstance(content, bytes), content
    return content


def parsed(content: bytes) -> EmailMessage:
    message = message_from_bytes(content, EmailMessage, policy=policy.default)
    assert not [defect for part in message.walk() for defect in part.defects]
    return message


def named(name: str | None, **attributes: str) -> Copy:
    reader = Subscriber(id=1, ref=2, email="ann@example.com", name=name, language=None, attributes=attributes)
    return copy(reader=reader)


def said(part: Message) -> str:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content.decode().replace("\r\n", "\n")


def safe_on_the_wire(content: bytes) -> None:
    assert content.endswith(b"\r\n")
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", content)
    lines = content.split(b"\r\n")
    assert not [line for line in lines if line.startswith(b".")]
    assert max(map(len, lines)) <= 998
    head, _, body = content.partition(b"\r\n\r\n")
    assert max(map(len, body.split(b"\r\n"))) <= 76
    assert [line for line in head.split(b"\r\n") if not line.strip()] == []


def test_every_header_of_the_contract_is_there_once() -> None:
    message = parsed(built())
    expected = {
        "Date": "Wed, 25 Nov 2026 09:00:00 +0000",
        "From": "Life with Data <weekly@example.org>",
        "To": "Ann <ann@example.com>",
        "Subject": "Hello Ann",
        "Message-ID": "<i29.abc@example.org>",
        "Reply-To": "Editor <editor@example.org>",
        "List-Id": "Life with Data <readers.example.org>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Archive": "<https://news.example.org/v/abc>",
        "Feedback-ID": "29:readers:en:example.org",
        "MIME-Version": "1.0",
    }
    for name, value in expected.items():
        assert message.get_all(name) == [value]
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert "Bcc" not in message
    assert "Cc" not in message


def test_list_unsubscribe_is_on_the_wire_as_written() -> None:
    one = copy()
    assert f"\r\nList-Unsubscribe: <{one.unsubscribe_url}>,\r\n <{one.unsubscribe_mailto}>\r\n".encode() in built()


def test_both_parts_say_what_the_edition_says() -> None:
    text, html = parsed(built()).iter_parts()
    assert said(text) == "Dear Ann,\n\n.dot\nFrom me\n"
    assert said(html) == edition().html.replace("zq0xqz", "Ann")
    assert text.get_content_charset() == html.get_content_charset() == "utf-8"


def test_pictures_stand_beside_the_html_where_they_are_inline() -> None:
    content = built(edition(pictures=(PICTURE,), inline_pictures=True))
    text, related = parsed(content).iter_parts()
    html, picture = related.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert related.get_content_type() == "multipart/related"
    assert html.get_content_type() == "text/html"
    assert picture.get_content() == PICTURE.content
    assert picture["Content-ID"] == "<3f.png>"
    safe_on_the_wire(content)
    assert b"3f.png" not in built(edition(pictures=(PICTURE,)))


def test_the_same_input_gives_the_same_bytes() -> None:
    assert built() == built()
    assert built(None, named("Bob")) != built()


def test_a_copy_keeps_to_its_own_reader() -> None:
    skeleton = make_skeleton(edition())
    ann, nobody, again = (build_message(skeleton, each) for each in (named("Ann"), named(None), named("Ann")))
    assert ann == again
    assert isinstance(nobody, bytes)
    assert "Ann" not in "".join(said(part) for part in parsed(nobody).iter_parts())
    assert b"Ann" not in nobody.partition(b"\r\n\r\n")[0]


def test_the_staging_mark_stands_before_the_subject() -> None:
    assert parsed(built(None, copy(subject_mark="[staging] ")))["Subject"] == "[staging] Hello Ann"


@pytest.mark.parametrize("part", ["subject", "text", "html"])
def test_a_missing_field_is_named_wherever_it_stands(part: str) -> None:
    made = edition(**{part: "see zq1xqz"})
    assert build_message(make_skeleton(made), copy()) == Unfilled(reason="field site missing", field="site")


def neutral(html: str, text: str) -> tuple[str | Unfilled, str | Unfilled]:
    skeleton = make_skeleton(edition(html=html, text=text))
    nobody = neutral_reader(skeleton, "en")
    return (
        merged_html(skeleton, nobody, unsubscribe_url="https://u", view_url="https://v"),
        merged_text(skeleton, nobody, unsubscribe_url="https://u", view_url="https://v"),
    )


def test_a_neutral_reader_fills_every_field() -> None:
    assert neutral("<p>zq1xqz</p>", "zq1xqz zq0xqz\n") == ("<p>[site]</p>", "[site] reader\n")
    assert neutral('<a href="zq1wqz">x</a>', "zq1wqz\n") == (
        '<a href="https://example.org/">x</a>',
        "https://example.org/\n",
    )


def test_a_neutral_reader_fills_a_link_that_spells_its_own_address() -> None:
    html, text = neutral('<a href="zq1wqz">zq1xqz</a>', "zq1xqz zq1wqz\n")
    assert html == '<a href="https://example.org/">https://example.org/</a>'
    assert text == "https://example.org/ https://example.org/\n"


@pytest.mark.parametrize("control", ["\r\nBcc: eve@example.com", "\nX: y", "\u2028", "\x85", "\x0b", "\t"])
def test_a_name_cannot_begin_a_header(control: str) -> None:
    """Line ends become spaces; what is left of them begins no line."""
    content = built(None, named(f"Ann{control}"))
    head = content.partition(b"\r\n\r\n")[0]
    assert not re.search(rb"(?m)^(Bcc|X):", head)
    assert parsed(content).get_all("Bcc") is None


@pytest.mark.parametrize("control", ["\0", "\x01", "\x1b", "\x7f"])
def test_a_control_character_in_a_name_is_refused(control: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        build_message(make_skeleton(edition()), named(f"Ann{control}"))


@pytest.mark.parametrize("control", ["\0", "\x1b", "\x7f"])
def test_a_control_character_in_a_chinese_name_is_refused_too(control: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        build_message(make_skeleton(edition()), named(f"王芳{control}"))


texts = st.text(st.characters(exclude_characters="\r\x02\x03", exclude_categories=["Cs"]), max_size=200)
names = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=60)


@settings(deadline=None, max_examples=60)
@given(text=texts, html=texts, name=names, subject=names)
def test_whatever_an_issue_and_a_name_hold_the_message_is_sound(text: str, html: str, name: str, subject: str) -> None:
    if "zq" in text + html + subject:
        return
    made = edition(text=text + "zq0xqz\n", html=html + "<p>zq0xqz</p>\n", subject=subject + " zq0xqz")
    content = built(made, named(name))
    safe_on_the_wire(content)
    message = parsed(content)
    boundary = message.get_boundary()
    assert boundary is not None
    assert content.count(boundary.encode()) == 4  # declared, twice before a part, once at the end
    plain, page = message.iter_parts()
    assert said(plain) == text + name + "\n"
    assert said(page).startswith(html)
    assert message["Subject"] == " ".join(f"{subject} {name}".split())
    assert message["To"].addresses[0].addr_spec == "ann@example.com"
