"""Webhooks of providers: a right signature counts once, a wrong, missing or old one never."""

import hmac
import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from dispatcher.recipes.hooks import take_hook
from dispatcher.recipes.newsletter import open_newsletter
from dispatcher.recipes.site import site_of
from dispatcher.storage.database import now
from dispatcher.storage.standing import Cause
from dispatcher.web.app import make_site
from tests.returns.house import ANN, DAN, EVE, Copy, House
from tests.web.visitor import ask

KEY = "k" * 40
TOPIC = "arn:aws:sns:eu-west-1:123456789012:letter"
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"
Post = tuple[str, dict[str, str], bytes]  # provider, headers, body

_AUTHORITY = trustme.CA(key_type=trustme.KeyType.RSA)
_SNS = _AUTHORITY.issue_cert("sns.eu-west-1.amazonaws.com", key_type=trustme.KeyType.RSA)
_SENDGRID = ec.generate_private_key(ec.SECP256R1())
_SPKI = b64encode(_SENDGRID.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
KEYS = {"mailgun": KEY, "sendgrid": _SPKI, "postmark": "letter:secret", "generic": KEY, "ses": TOPIC}


def mailgun(copy: Copy, *, age: timedelta = timedelta(0), event: Mapping[str, object] | None = None) -> Post:
    at = str(int((now() - age).timestamp()))
    signature = hmac.digest(KEY.encode(), f"{at}token".encode(), "sha256").hex()
    told = event or {
        "event": "failed", "severity": "permanent",
        "delivery-status": {"code": 550, "message": "5.1.1 no such user", "enhanced-code": "5.1.1"},
    }  # fmt: skip
    named = {"id": "one", "recipient": copy.email, "message": {"headers": {"message-id": copy.message_id}}}
    posted = {"signature": {"timestamp": at, "token": "token", "signature": signature}, "event-data": {**told, **named}}
    return "mailgun", {}, json.dumps(posted).encode()


def sendgrid(copy: Copy, *, age: timedelta = timedelta(0)) -> Post:
    at = str(int((now() - age).timestamp()))
    event = {
        "event": "bounce", "email": copy.email, "status": "5.1.1", "reason": "550 5.1.1 no such user",
        "smtp-id": f"<{copy.message_id}>", "sg_event_id": "one",
    }  # fmt: skip
    body = json.dumps([event]).encode()
    signature = b64encode(_SENDGRID.sign(at.encode() + body, ec.ECDSA(SHA256()))).decode()
    headers = {
        "x-twilio-email-event-webhook-timestamp": at, "x-twilio-email-event-webhook-signature": signature,
    }  # fmt: skip
    return "sendgrid", headers, body


def postmark(copy: Copy, *, kind: str = "HardBounce") -> Post:
    record = "SpamComplaint" if kind == "SpamComplaint" else "Bounce"
    posted = {"RecordType": record, "Type": kind, "ID": 42, "Email": copy.email, "Details": "550 5.1.1 unknown user"}
    return "postmark", {"authorization": f"Basic {b64encode(b'letter:secret').decode()}"}, json.dumps(posted).encode()


def generic(copy: Copy, *, age: timedelta = timedelta(0), **event: str) -> Post:
    at = int((now() - age).timestamp())
    told = {"id": "one", "kind": "bounce", "address": copy.email, "status": "5.1.1", "said": "550 5.1.1 gone"} | event
    body = json.dumps({"events": [told]}).encode()
    signature = hmac.digest(KEY.encode(), f"{at}.".encode() + body, "sha256").hex()
    return "generic", {"dispatcher-signature": f"t={at},v1={signature}"}, body


def ses(copy: Copy, *, version: str = "1", topic: str = TOPIC, certificate: str = CERTIFICATE) -> Post:
    message = {
        "notificationType": "Bounce",
        "bounce": {
            "bounceType": "Permanent", "bounceSubType": "General",
            "bouncedRecipients": [{"emailAddress": copy.email, "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1"}],
        },
        "mail": {"source": copy.return_path},
    }  # fmt: skip
    return "ses", {}, _signed_by_sns(
        {"Type": "Notification", "MessageId": "one", "TopicArn": topic, "Message": json.dumps(message)},
        version, certificate,
    )  # fmt: skip


def _signed_by_sns(posted: dict[str, str], version: str, certificate: str) -> bytes:
    posted = {"Timestamp": f"{now():%Y-%m-%dT%H:%M:%S.000Z}"} | posted
    posted |= {"SignatureVersion": version, "SigningCertURL": certificate}
    names = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
    signed = "".join(f"{name}\n{posted[name]}\n" for name in names if name in posted)
    key = load_pem_private_key(_SNS.private_key_pem.bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    algorithm = SHA256() if version == "2" else SHA1()  # noqa: S303
    signature = key.sign(signed.encode(), PKCS1v15(), algorithm)
    return json.dumps(posted | {"Signature": b64encode(signature).decode()}).encode()


def fetch(url: str) -> bytes:
    """Amazon's web server, as far as it is asked."""
    if url != CERTIFICATE:
        raise OSError(url)
    return _SNS.cert_chain_pems[0].bytes()


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path / "letter")
    house.settings = replace(house.settings, hook_keys=KEYS)
    return house


def post(house: House, post: Post, *, fetch: Callable[[str], bytes] = fetch) -> int:
    provider, headers, body = post
    with open_newsletter(house.settings) as newsletter:
        return take_hook(newsletter, provider, headers, body, fetch=fetch)


PROVIDERS = {"mailgun": mailgun, "sendgrid": sendgrid, "postmark": postmark, "generic": generic, "ses": ses}
of_each_provider = pytest.mark.parametrize("make", PROVIDERS.values(), ids=PROVIDERS)


@of_each_provider
def test_a_genuine_bounce_suspends_that_reader_once(house: House, make: Callable[[Copy], Post]) -> None:
    posted = make(house.send()[DAN])
    assert post(house, posted) == 200
    assert house.kept_away() == {DAN: Cause.BOUNCED}
    assert post(house, posted) == 200
    assert house.kept_away() == {DAN: Cause.BOUNCED}


@of_each_provider
def test_a_wrong_signature_changes_nobody(house: House, make: Callable[[Copy], Post]) -> None:
    copies = house.send()
    provider, headers, body = make(copies[DAN])
    forged = body.replace(DAN.encode(), EVE.encode())
    if provider in {"mailgun", "postmark"}:  # they prove who posts, not what
        forged = body.replace(b'"signature": "', b'"signature": "0')
        headers = {name: value[:-3] for name, value in headers.items()}
    assert post(house, (provider, headers, forged)) == 403
    assert house.kept_away() == {}


@of_each_provider
def test_a_missing_signature_changes_nobody(house: House, make: Callable[[Copy], Post]) -> None:
    provider, _, body = make(house.send()[DAN])
    posted = json.loads(body)
    if isinstance(posted, dict):
        posted = {name: value for name, value in posted.items() if name.lower() != "signature"}
    assert post(house, (provider, {}, json.dumps(posted).encode())) == 403
    assert house.kept_away() == {}


@pytest.mark.parametrize("make", [mailgun, sendgrid, generic])
def test_a_signature_of_long_ago_changes_nobody(house: House, make: Callable[..., Post]) -> None:
    assert post(house, make(house.send()[DAN], age=timedelta(days=2))) == 403
    assert house.kept_away() == {}


def test_a_provider_that_is_not_set_up_is_not_there(house: House) -> None:
    copies = house.send()
    house.settings = replace(house.settings, hook_keys={})
    assert post(house, generic(copies[DAN])) == 404
    assert post(house, ("unknown", {}, b"{}")) == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"topic": "arn:aws:sns:eu-west-1:1:another"},
        {"certificate": "https://sns.eu-west-1.amazonaws.com.evil.example/x.pem"},
        {"certificate": "http://sns.eu-west-1.amazonaws.com/x.pem"},
        {"certificate": "https://evil.example/sns.eu-west-1.amazonaws.com/x.pem"},
    ],
)
def test_sns_is_believed_for_our_topic_and_by_amazons_certificate_only(house: House, changes: dict[str, str]) -> None:
    assert post(house, ses(house.send()[DAN], **changes)) == 403
    assert house.kept_away() == {}


@pytest.mark.parametrize("timestamp", ["2020-11-25T09:00:00.000Z", "2026-11-25T09:00:00", "", "x"])
def test_sns_is_not_believed_about_times_long_gone(house: House, timestamp: str) -> None:
    message = json.dumps({"notificationType": "Bounce"})
    posted = {"Type": "Notification", "MessageId": "one", "TopicArn": TOPIC, "Message": message}
    assert post(house, ("ses", {}, _signed_by_sns({**posted, "Timestamp": timestamp}, "2", CERTIFICATE))) == 403
    assert post(house, ("ses", {}, _signed_by_sns(posted, "2", CERTIFICATE))) == 200


def test_sns_signs_in_the_newer_way_too(house: House) -> None:
    assert post(house, ses(house.send()[DAN], version="2")) == 200
    assert house.kept_away() == {DAN: Cause.BOUNCED}


def test_a_subscription_to_our_topic_is_confirmed_at_amazon_only(house: House) -> None:
    fetched: list[str] = []

    def watched(url: str) -> bytes:
        fetched.append(url)
        return fetch(CERTIFICATE)

    for url, code in (("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=x", 200),
                      ("https://evil.example/?Action=ConfirmSubscription", 403)):  # fmt: skip
        body = _signed_by_sns(
            {"Type": "SubscriptionConfirmation", "MessageId": "two", "TopicArn": TOPIC, "Token": "x", "Message": "Yes?",
             "SubscribeURL": url}, "2", CERTIFICATE,
        )  # fmt: skip
        assert post(house, ("ses", {}, body), fetch=watched) == code
    assert [each for each in fetched if each != CERTIFICATE] == [
        "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=x"
    ]


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (lambda copy: mailgun(copy, event={"event": "complained"}), Cause.COMPLAINED),
        (lambda copy: postmark(copy, kind="SpamComplaint"), Cause.COMPLAINED),
        (lambda copy: generic(copy, kind="complaint"), Cause.COMPLAINED),
        (lambda copy: generic(copy, kind="complaint", feedback_type="auth-failure"), None),
        (lambda copy: generic(copy, status="5.7.1", said="550 5.7.1 spam"), None),
        (lambda copy: postmark(copy, kind="AutoResponder"), None),
    ],
)
def test_other_events_go_the_way_of_returned_mail(
    house: House, make: Callable[[Copy], Post], cause: Cause | None
) -> None:
    assert post(house, make(house.send()[ANN])) == 200
    assert house.kept_away() == ({ANN: cause} if cause else {})


def test_a_token_of_mailgun_counts_once_whatever_event_stands_beside_it(house: House) -> None:
    copies = house.send()
    assert post(house, mailgun(copies[DAN])) == 200
    provider, headers, body = mailgun(copies[EVE])
    assert post(house, (provider, headers, body.replace(b'"id": "one"', b'"id": "two"'))) == 200
    assert house.kept_away() == {DAN: Cause.BOUNCED}


def test_what_a_provider_calls_an_event_fits_into_the_database(house: House) -> None:
    copies = house.send()
    assert post(house, generic(copies[DAN], id="x" * 5000, status="5.1.1 and more" * 10)) == 200
    with open_newsletter(house.settings) as newsletter, newsletter.database.reading() as connection:
        [row] = connection.exec_driver_sql("SELECT fingerprint, status FROM returned").all()
    assert len(row.fingerprint) == 64
    assert row.status == "5.1.1"  # told by its words
    assert house.kept_away() == {DAN: Cause.BOUNCED}


def test_a_signature_from_the_far_future_is_none(house: House) -> None:
    for at in ("9999999999", "999999999999", "٣"):
        assert post(house, ("generic", {"dispatcher-signature": f"t={at},v1={'0' * 64}"}, b"{}")) == 403


def test_what_amazon_does_not_confirm_is_tried_again(house: House) -> None:
    body = _signed_by_sns(
        {"Type": "SubscriptionConfirmation", "MessageId": "two", "TopicArn": TOPIC, "Token": "x", "Message": "Yes?",
         "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"}, "2", CERTIFICATE,
    )  # fmt: skip
    assert post(house, ("ses", {}, body)) == 400


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[" * 100_000, b'{"events": 7}', b"\xff", b"null",
        b'{"signature": {"timestamp": "\\ud800", "token": "\\udfff", "signature": "\\ud800"}}',
        b'{"TopicArn": "%s", "Type": "Notification", "Message": "\\ud800", "SigningCertURL": "%s"}'
        % (TOPIC.encode(), CERTIFICATE.encode()),
        b'{"events": [{"id": "\\ud800", "kind": "bounce", "address": "\\udc00@example.com", "said": "\\u0000"}]}',
    ],
)  # fmt: skip
def test_any_body_is_answered(house: House, body: bytes) -> None:
    at = int(now().timestamp())
    signature = hmac.digest(KEY.encode(), f"{at}.".encode() + body, "sha256").hex()
    assert post(house, ("generic", {"dispatcher-signature": f"t={at},v1={signature}"}, body)) in {200, 400}
    for provider in KEYS:
        assert post(house, (provider, {}, body)) in {400, 403}


def test_the_readers_pages_take_hooks_and_no_more_than_they_must(house: House) -> None:
    copies = house.send()
    provider, headers, body = generic(copies[DAN])
    with open_newsletter(house.settings) as newsletter:
        pages = make_site(site_of(newsletter))
        assert ask(pages, "POST", f"/hooks/{provider}", body, headers=headers).status == 200
        assert ask(pages, "POST", f"/hooks/{provider}", body).status == 403
        assert ask(pages, "POST", "/hooks/unknown", body).status == 404
        assert ask(pages, "GET", f"/hooks/{provider}").status == 405
        assert ask(pages, "POST", f"/hooks/{provider}", b"x" * 300_000, headers=headers).status == 413
    assert house.kept_away() == {DAN: Cause.BOUNCED}
