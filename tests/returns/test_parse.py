"""One reader for what comes back: what a mail is, whom it speaks of, and what that means for him."""

import pytest

from dispatcher.returns.parse import parse
from dispatcher.returns.returned import Cause, Class, Verdict
from tests.returns import mails

DEAD, TRANSIENT, SENDER = Verdict.DEAD, Verdict.TRANSIENT, Verdict.SENDER

NOTICES = {
    "a report": (mails.report(), "dan@example.com", DEAD),
    "Postfix": (mails.POSTFIX, "dan@example.com", DEAD),
    "Sendmail": (mails.SENDMAIL, "dan@example.com", DEAD),
    "Exim": (mails.EXIM, "cleo@example.com", TRANSIENT),
    "qmail": (mails.QMAIL, "dan@example.com", DEAD),
    "Exchange": (mails.EXCHANGE, "dan@example.com", DEAD),
    "Microsoft 365": (mails.MICROSOFT_365, "eve@example.com", SENDER),
    "Gmail": (mails.GMAIL, "dan@example.com", SENDER),
    "Yahoo": (mails.YAHOO, "dan@example.com", DEAD),
    "OpenSMTPD": (mails.OPENSMTPD, "dan@example.com", DEAD),
    "Courier": (mails.COURIER, "dan@example.com", DEAD),
    "Notes": (mails.NOTES, "dan@example.com", DEAD),
    "Zoho": (mails.ZOHO, "dan@example.com", DEAD),
    "DragonFly": (mails.DRAGONFLY, "dan@example.com", DEAD),
    "a Japanese carrier": (mails.CARRIER, "cleo@example.com", TRANSIENT),
    "Tencent": (mails.TENCENT, "wangfang@example.com", DEAD),
    "NetEase": (mails.NETEASE, "wangfang@example.com", TRANSIENT),
    "Amazon SES": (mails.AMAZON_BOUNCE, "dan@example.com", DEAD),
}


@pytest.mark.parametrize(("mail", "address", "verdict"), NOTICES.values(), ids=NOTICES)
def test_a_bounce_names_the_reader_and_what_it_means_for_him(mail: bytes, address: str, verdict: Verdict) -> None:
    returned = parse(mail)
    assert returned.kind is Class.BOUNCE
    assert [each.address for each in returned.recipients] == [address]
    assert returned.recipients[0].verdict is verdict


@pytest.mark.parametrize("mail", [mail for mail, _, _ in NOTICES.values()], ids=NOTICES)
@pytest.mark.parametrize("end", [b"\r\n", b"\r"], ids=["CRLF", "CR"])
def test_line_ends_make_no_difference(mail: bytes, end: bytes) -> None:
    assert parse(mail.replace(b"\n", end)) == parse(mail)


@pytest.mark.parametrize("mail", [mail for mail, _, _ in NOTICES.values()], ids=NOTICES)
def test_a_bounce_that_somebody_forwards_is_the_same_bounce(mail: bytes) -> None:
    forwarded = (
        b"From: editor@example.org\nTo: bounces@example.org\nSubject: Fwd: what is this?\n"
        b"Content-Type: multipart/mixed; boundary=outer\n\n--outer\n\nSee below.\n\n"
        b"--outer\nContent-Type: message/rfc822\n\n" + mail + b"\n--outer--\n"
    )
    assert parse(forwarded).recipients == parse(mail).recipients


@pytest.mark.parametrize(
    ("mail", "kind"),
    [
        (mails.DELAY, Class.DELAY),
        (mails.report(action="delayed", status="4.4.1", diagnostic="smtp; connection timed out"), Class.DELAY),
        (mails.report(action="delivered", status="2.0.0", diagnostic="smtp; 250 ok"), Class.DELIVERED),
        (mails.report(action="deliverable", status="2.1.5", diagnostic="smtp; 250 ok"), Class.DELIVERED),
        (mails.AMAZON_DELIVERY, Class.DELIVERED),
        (mails.AMAZON_COMPLAINT, Class.COMPLAINT),
        (mails.OUT_OF_OFFICE, Class.AUTO_REPLY),
        (mails.OUT_OF_OFFICE_ZH, Class.AUTO_REPLY),
        (mails.APPLE_UNSUBSCRIBE, Class.UNSUBSCRIBE),
        (mails.REPLY, Class.REPLY),
        (mails.ANOTHER_NEWSLETTER, Class.UNKNOWN),
        (b"", Class.UNKNOWN),
    ],
)
def test_what_is_no_bounce_is_not_taken_for_one(mail: bytes, kind: Class) -> None:
    assert parse(mail).kind is kind


def test_a_delay_is_never_hard() -> None:
    [cleo] = parse(mails.DELAY).recipients
    assert (cleo.address, cleo.verdict, cleo.status, cleo.reply) == ("cleo@example.com", TRANSIENT, "4.2.2", "450")


@pytest.mark.parametrize(
    "kind", ["abuse", "fraud", "virus", "other", "not-spam", "auth-failure", "opt-out", "opt-out-list"]
)
def test_a_complaint_tells_its_type(kind: str) -> None:
    returned = parse(mails.complaint(kind))
    assert (returned.kind, returned.feedback_type) == (Class.COMPLAINT, kind)
    assert [each.address for each in returned.recipients] == ["dan@example.com"]


def test_a_redacted_complaint_keeps_the_traces_of_our_message() -> None:
    returned = parse(mails.complaint(recipient="", to="redacted@example.net"))
    assert returned.kind is Class.COMPLAINT
    assert returned.original["original-mail-from"] == "<bounces+token@example.org>"
    assert returned.original["message-id"] == "<i29.abcdefghij@example.org>"


@pytest.mark.parametrize("name", ["Postfix", "Sendmail", "Exim", "qmail", "Gmail", "Yahoo", "OpenSMTPD", "DragonFly"])
def test_the_headers_of_our_message_are_found_where_it_is_returned(name: str) -> None:
    original = parse(NOTICES[name][0]).original
    assert original["message-id"] == "<i29.abcdefghij@example.org>"
    assert original["list-unsubscribe"] == "<https://letter.example.org/u/sample>"


@pytest.mark.parametrize(
    ("status", "diagnostic", "cause"),
    [
        ("5.1.1", "smtp; 550 no", Cause.UNKNOWN_USER),
        ("5.1.2", "smtp; 550 no", Cause.UNKNOWN_HOST),
        ("5.1.6", "smtp; 551 no", Cause.MOVED),
        ("5.1.10", "smtp; 556 no", Cause.TAKES_NO_MAIL),
        ("5.2.2", "smtp; 552 no", Cause.FULL),
        ("5.7.26", "smtp; 550 no", Cause.AUTHENTICATION),
        ("4.1.1", "smtp; 450 not now", Cause.OTHER),
        ("5.1.1", "smtp; 550 5.7.1 Service unavailable; client host blocked using example dnsbl", Cause.REPUTATION),
        ("5.0.0", "smtp; 550 Message rejected as spam", Cause.SPAM),
        ("5.0.0", "smtp; 552 message exceeds the maximum message size", Cause.TOO_LARGE),
        ("5.0.0", "smtp; 550 relay access denied", Cause.RELAYING),
        ("5.0.0", "smtp; 553 sender address rejected: domain not found", Cause.SENDER),
        ("5.0.0", "smtp; 550 see https://example.net/mailbox-full for user.unknown.example.net", Cause.OTHER),
    ],
)
def test_codes_and_words_tell_the_cause(status: str, diagnostic: str, cause: Cause) -> None:
    [recipient] = parse(mails.report(status=status, diagnostic=diagnostic)).recipients
    assert recipient.cause is cause


def test_a_refused_sender_is_never_a_dead_reader() -> None:
    [cleo] = parse(mails.EXIM_AFTER_MAIL).recipients
    assert cleo.verdict is SENDER


def test_a_filter_that_says_unknown_user_after_the_content_kills_nobody() -> None:
    [dan] = parse(mails.POSTFIX_AFTER_CONTENT).recipients
    assert dan.verdict is TRANSIENT


def test_an_internationalised_report_is_read() -> None:
    mail = mails.report(kind="global-delivery-status", reader="x@example.com").replace(
        b"rfc822; x@example.com", rb"utf-8; \x{738B}\x{82B3}@example.com"
    )
    assert [each.address for each in parse(mail).recipients] == ["王芳@example.com"]


def test_each_recipient_of_a_report_has_a_verdict_of_his_own() -> None:
    second = b"Final-Recipient: rfc822; cleo@example.com\nAction: failed\nStatus: 5.2.2\n\n--b1\nContent-Type: text/rfc"
    mail = mails.report().replace(b"--b1\nContent-Type: text/rfc", second)
    assert {each.address: each.verdict for each in parse(mail).recipients} == {
        "dan@example.com": DEAD,
        "cleo@example.com": TRANSIENT,
    }
