"""Small mails: a few paragraphs and one link, in both parts, from a program that says so."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from dispatcher.content.letter import SmallMail, build_letter
from tests.newsletter import html_of, text_of

URL = "https://letter.example.org/confirm/" + "a" * 60


def mail(**changes: object) -> EmailMessage:
    said: dict[str, object] = {
        "to": "ann@example.org",
        "sender": "Test Letter <letter@example.org>",
        "reply_to": "editor@example.org",
        "message_id": "letter.1@example.org",
        "date": datetime(2026, 11, 25, tzinfo=UTC),
        "subject": "Please confirm: Test Letter",
        "paragraphs": ["Hello,", "somebody asked for this."],
        "label": "Confirm",
        "url": URL,
        "closing": ["You receive this once."],
        "postal_address": "1 Example Street",
        "language": "en",
        "direction": "ltr",
        "font_stack": "sans-serif",
        "accent": "#4338ca",
    }
    raw = build_letter(SmallMail(**(said | changes)))  # type: ignore[arg-type]
    assert b"\n" not in raw.replace(b"\r\n", b"")
    parsed = message_from_bytes(raw, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    assert not [defect for part in parsed.walk() for defect in part.defects]
    return parsed


def test_both_parts_say_the_same_and_hold_the_link_whole() -> None:
    built = mail()
    for text in (text_of(built), html_of(built)):
        for words in (
            "Hello,",
            "somebody asked for this.",
            "Confirm",
            URL,
            "You receive this once.",
            "1 Example Street",
        ):
            assert words in text


def test_no_vacation_program_answers_it() -> None:
    assert mail()["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize("words", ["请确认", "<script>alert(1)</script>", ".\n.", "From here", "=" * 200, "é" * 200])
def test_whatever_a_theme_says_arrives_as_it_is_and_is_no_markup(words: str) -> None:
    built = mail(paragraphs=[words], subject=words.replace("\n", " "))
    assert "<script" not in html_of(built)
    assert words.replace("\n", "")[:60] in text_of(built).replace("\n", "")


def test_an_address_that_no_header_may_carry_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\S"):
        mail(to="ann@example.org\r\nBcc: eve@example.net")
