"""The readers' pages: to look changes nothing, to post acts, and what was not signed here does neither."""

import asyncio
import hashlib
import re
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.requests import Request

from dispatcher.audience.people import add_person
from dispatcher.storage.dossiers import dossier
from dispatcher.storage.readers import find_subscriber
from dispatcher.tokens import Keyring, LeaveToken, ReturnToken, ViewToken, sign_leave, sign_return, sign_view
from dispatcher.web.app import make_site
from dispatcher.web.form import LARGEST, form_fields
from dispatcher.web.masking import masked
from dispatcher.web.wording import read_wording
from tests.storage.books import keys
from tests.web.house import ANN, BOB, PNG, WANG_FANG, House, build
from tests.web.visitor import FORM, ask

ONE_CLICK = b"List-Unsubscribe=One-Click"
TOKENS = re.compile(r"[a-z2-7]{40,}")


def multipart(*fields: tuple[str, str]) -> tuple[bytes, str]:
    parts = (f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields)
    return ("".join(parts) + "--b--\r\n").encode(), "multipart/form-data; boundary=b"


# Looking


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "LINK"])
def test_only_a_post_changes_anything(house: House, method: str) -> None:
    before = house.everyone()
    for path in (house.link(ANN), house.link(BOB), "/u/sample"):
        house.ask(method, path, ONE_CLICK, kind=FORM)
    assert house.everyone() == before


def test_the_page_asks_with_one_button_and_shows_the_address_masked(house: House) -> None:
    page = house.ask("GET", house.link(ANN))
    assert page.status == 200
    assert page.text.count("<button") == 1
    assert 'name="confirm" value="1"' in page.text
    assert "a•••@e•••.org" in page.text
    assert ANN not in page.text
    assert "<strong>readers</strong>" in page.text
    assert page.text.count("<h1>") == 1
    assert "<script" not in page.text


def test_head_answers_as_get_does(house: House) -> None:
    got, headed = (house.ask(method, house.link(ANN)) for method in ("GET", "HEAD"))
    assert (headed.status, headed.headers) == (got.status, got.headers)


def test_who_is_on_further_lists_is_offered_to_leave_them_all(house: House) -> None:
    page = house.ask("GET", house.link(BOB)).text
    assert page.count("<button") == 2
    assert 'name="all" value="1"' in page
    assert "1 further list." in page


@pytest.mark.parametrize(
    ("email", "shown"),
    [
        ("ann@example.org", "a•••@e•••.org"),
        ("a@mail.example.co.uk", "a•••@m•••.uk"),
        ("王芳@xn--fsqu00a.xn--fiqs8s", "王•••@x•••.xn--fiqs8s"),
    ],
)
def test_a_masked_address_keeps_two_letters_and_the_ending(email: str, shown: str) -> None:
    assert masked(email) == shown


# Leaving


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (ONE_CLICK, FORM),
        (ONE_CLICK, f"{FORM}; charset=UTF-8"),
        multipart(("List-Unsubscribe", "One-Click")),
        (ONE_CLICK, ""),
    ],
    ids=["urlencoded, as Gmail and Apple", "with a charset, as Yahoo", "multipart, as Thunderbird", "no type"],
)
def test_one_click_leaves_the_list_and_answers_in_a_word(house: House, body: bytes, kind: str) -> None:
    answer = house.ask("POST", house.link(ANN), body, kind=kind)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.body == b"You are unsubscribed.\n"
    assert not {"set-cookie", "location"} & answer.headers.keys()
    assert house.lists_of(ANN) == set()
    assert house.lists_of(BOB) == {"readers", "events"}


@pytest.mark.parametrize("form", [(b"confirm=1", FORM), multipart(("confirm", "1"))], ids=["urlencoded", "multipart"])
def test_the_button_leaves_the_list_and_the_page_says_so(house: House, form: tuple[bytes, str]) -> None:
    body, kind = form
    page = house.ask("POST", house.link(ANN), body, kind=kind)
    assert page.status == 200
    assert "You are unsubscribed" in page.text
    assert page.text.count("<button") == 1  # Undo
    assert house.lists_of(ANN) == set()


def test_only_the_list_that_the_message_came_through_is_left(house: House) -> None:
    page = house.post(house.link(BOB, "events"), b"confirm=1")
    assert house.lists_of(BOB) == {"readers"}
    assert "<strong>events</strong>" in page.text
    assert 'name="all"' in page.text


def test_all_lists_can_be_left_at_once(house: House) -> None:
    page = house.post(house.link(BOB), b"confirm=1&all=1")
    assert "You have left all lists" in page.text
    assert house.lists_of(BOB) == set()
    person = dossier(house.database, BOB)
    assert person is not None
    assert person.left_at is not None


def test_all_without_confirm_is_no_answer_to_the_question(house: House) -> None:
    assert "Unsubscribe from" in house.post(house.link(BOB), b"all=1").text
    assert house.lists_of(BOB) == {"readers", "events"}


@pytest.mark.parametrize("body", [ONE_CLICK, b"confirm=1", b"confirm=1&all=1"])
def test_leaving_twice_is_as_good_as_once(house: House, body: bytes) -> None:
    first = house.post(house.link(ANN), body)
    after = house.everyone()
    second = house.post(house.link(ANN), body)
    assert second.status == first.status == 200
    assert house.everyone() == after


def test_who_has_left_reads_that_he_is_not_on_the_list(house: House) -> None:
    house.post(house.link(ANN), ONE_CLICK)
    page = house.ask("GET", house.link(ANN))
    assert page.status == 200
    assert "You are not on this list" in page.text
    assert "<button" not in page.text


def test_how_somebody_left_is_remembered(house: House) -> None:
    house.post(house.link(ANN), ONE_CLICK)
    house.post(house.link(WANG_FANG), b"confirm=1")
    for address, channel in ((ANN, "one-click"), (WANG_FANG, "page")):
        person = dossier(house.database, address)
        assert person is not None
        assert (person.history[-1].kind, person.history[-1].channel) == ("unsubscribed", channel)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", ""),
        (b"", FORM),
        (b"List-Unsubscribe=No", FORM),
        (b"confirm=0", FORM),
        (b"x&" * 100, FORM),
        (b"\xff\xfe%zz", FORM),
        (ONE_CLICK, "multipart/form-data"),
        (ONE_CLICK, "multipart/form-data; boundary=b"),
        (b"--b\r\n\r\n", "multipart/form-data; boundary=b"),
        (multipart(('confirm"; filename="1', "1"))[0], "multipart/form-data; boundary=b"),
        (multipart(("confirm", "1"))[0][:-9], "multipart/form-data; boundary=c"),
        (multipart(("confirm", "é"))[0], "multipart/form-data; boundary=b; charset=idna"),
    ],
)  # fmt: skip
def test_a_post_that_does_not_say_what_it_wants_gets_the_question(fortress: House, body: bytes, kind: str) -> None:
    answer = fortress.ask("POST", fortress.link(ANN), body, kind=kind)
    assert answer.status == 200
    assert "Unsubscribe from" in answer.text


@settings(deadline=None, max_examples=200)
@given(
    body=st.binary(max_size=300)
    | st.lists(st.sampled_from([b"--b", b"\r\n", b'Content-Disposition: form-data; name="x"', b"--", b"=", b"1"])).map(
        b"".join
    ),
    kind=st.sampled_from(["", FORM, "multipart/form-data; boundary=b", "multipart/form-data;;;", "text/html"]),
)
def test_no_rubbish_brings_the_site_down_or_anybody_off_the_list(fortress: House, body: bytes, kind: str) -> None:
    assert fortress.ask("POST", fortress.link(ANN), body, kind=kind).status == 200


# Tokens


PUBLIC = {"sample", "en", "zh"}  # in one of the rooms


def missing(house: House) -> bytes:
    return house.ask("GET", "/no/such/page").body


@settings(deadline=None, max_examples=200)
@given(text=st.text(min_size=1, max_size=200).filter(lambda text: text not in PUBLIC))
def test_what_was_never_signed_opens_nothing(fortress: House, text: str) -> None:
    path = "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "replace"))
    for room in ("u", "v", "pictures", "issues/29", "issues"):
        answer = fortress.ask("GET", f"/{room}/{path}")
        assert answer.status == 404
        assert answer.body == missing(fortress)


@pytest.mark.parametrize(
    "path", ["/u", "/u/", "/u/../u", "/favicon.ico", "/u/x/", "/v/", "/issues/29/en/", "/pictures/", "//u/sample"]
)
def test_every_unknown_address_is_the_same_page(fortress: House, path: str) -> None:
    answer = fortress.ask("GET", path)
    assert (answer.status, answer.body) == (404, missing(fortress))


def test_a_token_for_something_else_does_not_let_anybody_leave(house: House) -> None:
    ring = house.site.keyring
    reader = find_subscriber(house.database, ANN)
    assert reader is not None
    leave = LeaveToken(subscriber_id=reader.id, ref=reader.ref, list_id=1)
    strangers = [
        sign_return(ring, ReturnToken(delivery_id=1, ref=reader.ref)),
        sign_view(ring, ViewToken(number=29, language="en")),
        sign_leave(ring, replace(leave, ref=reader.ref ^ 1)),
        sign_leave(ring, replace(leave, subscriber_id=999)),
        sign_leave(ring, replace(leave, list_id=999)),
        sign_leave(Keyring(secrets=("t" * 32,), instance=ring.instance), leave),
        sign_leave(Keyring(secrets=ring.secrets, instance="another"), leave),
    ]
    for token in strangers:
        answer = house.post(f"/u/{token}", ONE_CLICK)
        assert (answer.status, answer.body) == (404, missing(house))
    assert house.lists_of(ANN) == {"readers"}


def test_a_token_signed_with_an_older_secret_still_works(house: House) -> None:
    rotated = replace(house.site.keyring, secrets=("n" * 32, *house.site.keyring.secrets))
    application = make_site(replace(house.site, keyring=rotated))
    assert ask(application, "POST", house.link(ANN), ONE_CLICK, kind=FORM).status == 200
    assert house.lists_of(ANN) == set()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_sample_says_that_it_is_one_and_changes_nothing(fortress: House, method: str) -> None:
    answer = fortress.ask(method, "/u/sample", b"confirm=1" if method == "POST" else b"", kind=FORM)
    assert answer.status == 200
    assert "This is a sample copy" in answer.text
    assert "<button" not in answer.text


def test_one_click_on_a_sample_is_answered_in_a_word(fortress: House) -> None:
    answer = fortress.post("/u/sample", ONE_CLICK)
    assert (answer.status, answer.body) == (200, b"This is a sample copy: nothing has changed.\n")


# Issues and pictures


def test_a_view_token_opens_the_issues_page(fortress: House) -> None:
    token = sign_view(fortress.site.keyring, ViewToken(number=30, language="en"))
    answer = fortress.ask("GET", f"/v/{token}")
    assert (answer.status, answer.body) == (200, b"<p>Issue 30")
    assert answer.headers["x-robots-tag"] == "noindex"
    assert "img-src 'self' http://127.0.0.1:8029" in answer.headers["content-security-policy"]
    assert "script-src" not in answer.headers["content-security-policy"]


def test_a_view_token_of_an_issue_that_is_gone_is_a_404(fortress: House) -> None:
    token = sign_view(fortress.site.keyring, ViewToken(number=31, language="en"))
    answer = fortress.ask("GET", f"/v/{token}")
    assert (answer.status, answer.body) == (404, missing(fortress))


def test_a_sample_of_the_view_link_says_what_it_will_open(fortress: House) -> None:
    answer = fortress.ask("GET", "/v/sample")
    assert answer.status == 200
    assert "The issue’s page will be here" in answer.text


def test_an_issue_is_public_once_it_has_gone_out(fortress: House) -> None:
    assert fortress.ask("GET", "/issues/29/en").body == b"<p>Issue 29"
    for path in ("/issues/30/en", "/issues/29/zh", "/issues/029/en", f"/issues/{'9' * 30}/en", "/issues/٢٩/en"):
        answer = fortress.ask("GET", path)
        assert (answer.status, answer.body) == (404, missing(fortress))


def test_programs_find_a_feed_and_a_map_of_the_issues(fortress: House) -> None:
    for path, kind, content in (
        ("/feed.xml", "application/atom+xml", b"<feed/>"), ("/sitemap.xml", "application/xml", b"<urlset/>"),
    ):  # fmt: skip
        answer = fortress.ask("GET", path)
        assert (answer.status, answer.body) == (200, content)
        assert answer.headers["content-type"].startswith(kind)
        assert "x-robots-tag" not in answer.headers
    assert 'href="/feed.xml"' in fortress.ask("GET", "/issues").text
    unread = replace(fortress.site, feed=lambda: None)
    assert House(site=unread, application=make_site(unread)).ask("GET", "/feed.xml").status == 404


def test_a_picture_is_kept_for_good(fortress: House) -> None:
    answer = fortress.ask("GET", f"/pictures/{PNG}")
    assert (answer.status, answer.body) == (200, b"\x89PNG")
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"


# The answers as a whole


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/u/x", {"GET", "HEAD", "POST"}), ("/v/x", {"GET", "HEAD"}), (f"/pictures/{PNG}", {"GET", "HEAD"})],
)
def test_other_methods_hear_which_ones_there_are(fortress: House, path: str, allowed: set[str]) -> None:
    answer = fortress.ask("DELETE", path)
    assert answer.status == 405
    assert set(answer.headers["allow"].split(", ")) == allowed


def test_a_body_of_8_kb_is_read_and_a_longer_one_is_not(house: House) -> None:
    link = house.link(ANN)
    assert house.post(link, ONE_CLICK + b"&x=" + b"y" * LARGEST).status == 413
    thousands = [ONE_CLICK + b"&x=", *[b"y" * 1000] * 9]
    assert ask(house.application, "POST", link, thousands, kind=FORM).status == 413
    assert ask(house.application, "POST", link, [b"y" * 100_000] * 100, kind=FORM).status == 413
    assert house.lists_of(ANN) == {"readers"}
    assert house.post(link, (ONE_CLICK + b"&x=").ljust(LARGEST, b"y")).status == 200
    assert house.lists_of(ANN) == set()


def test_who_hangs_up_in_the_middle_of_a_body_has_said_nothing(fortress: House) -> None:
    answer = ask(fortress.application, "POST", fortress.link(ANN), [ONE_CLICK], kind=FORM, hangs_up=True)
    assert answer.status == 400


def test_a_body_that_does_not_arrive_in_time_is_not_waited_for() -> None:
    async def dawdle() -> NoReturn:
        await asyncio.Event().wait()
        raise AssertionError

    request = Request({"type": "http", "method": "POST", "headers": []}, dawdle)
    with pytest.raises(HTTPException) as refused:
        asyncio.run(form_fields(request, seconds=0.01))
    assert refused.value.status_code == 408


def paths(house: House) -> list[tuple[str, str]]:
    view = sign_view(house.site.keyring, ViewToken(number=29, language="en"))
    return [
        ("GET", house.link(ANN)), ("POST", house.link(BOB)), ("GET", "/u/sample"), ("GET", "/nowhere"),
        ("PUT", "/u/sample"), ("GET", f"/v/{view}"), ("GET", "/issues/29/en"), ("GET", f"/pictures/{PNG}"),
    ]  # fmt: skip


def test_every_answer_is_closed_to_scripts_framing_sniffing_and_referrers(fortress: House) -> None:
    for method, path in paths(fortress):
        headers = fortress.ask(method, path).headers
        for rule in ("default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
            assert rule in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "set-cookie" not in headers
        assert "strict-transport-security" not in headers
        is_picture = path.startswith("/pictures/")
        assert headers["cache-control"] == ("public, max-age=31536000, immutable" if is_picture else "no-store")
        assert ("x-robots-tag" in headers) == (not is_picture and not path.startswith("/issues/"))


def test_the_style_is_the_one_that_the_policy_allows(fortress: House) -> None:
    page = fortress.ask("GET", fortress.link(ANN))
    found = re.search(r"<style>(.*?)</style>", page.text, re.DOTALL)
    assert found
    digest = b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in page.headers["content-security-policy"]
    assert "style=" not in page.text


def test_behind_https_browsers_are_told_to_stay_there(fortress: House) -> None:
    application = make_site(replace(fortress.site, base_url="https://letter.example.org"))
    for method, path in paths(fortress):
        assert "max-age=" in ask(application, method, path).headers["strict-transport-security"]


def test_a_ledger_that_fails_asks_to_try_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    house = build(tmp_path)
    link = house.link(ANN)
    with house.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE membership RENAME TO lost")
    for answer in (house.ask("GET", link), house.post(link, ONE_CLICK)):
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) > 0
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "lost" not in answer.text
    assert ANN not in caplog.text
    assert not TOKENS.search(caplog.text)
    house.database.close()


def test_what_the_newsletter_is_called_is_never_markup(tmp_path: Path) -> None:
    house = build(tmp_path)
    name = "<script>alert(1)</script>{address}&"
    add_person(
        house.database, keys(house.database), "eve@example.org", "weekly", name=None, language="en", attributes={}
    )
    application = make_site(replace(house.site, newsletter=name, postal_address=name))
    page = ask(application, "GET", house.link("eve@example.org", "weekly"))
    assert page.status == 200
    assert "<script" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{address}&amp;" in page.text
    house.database.close()


# Languages


@pytest.mark.parametrize(
    ("reader", "asked", "shown"),
    [
        (WANG_FANG, "", "zh"),
        (WANG_FANG, "en", "zh"),
        (ANN, "zh-CN,zh;q=0.9", "en"),
        (BOB, "", "en"),
        (BOB, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (BOB, "fr, de;q=0.9, zh-Hant-TW;q=0.2, en;q=0.1", "zh"),
        (BOB, "zh;q=0, *", "en"),
        (BOB, ";;q=,,q=x;q", "en"),
    ],
)
def test_a_page_speaks_the_readers_language_else_the_browsers_else_the_newsletters(
    fortress: House, reader: str, asked: str, shown: str
) -> None:
    page = fortress.ask("GET", fortress.link(reader), language=asked).text
    assert f'<html lang="{shown}" dir="ltr">' in page
    assert ("退订" in page) == (shown == "zh")


def test_a_newsletter_in_a_language_that_we_lack_has_its_pages_in_english(fortress: House) -> None:
    application = make_site(replace(fortress.site, wording=read_wording("ga", {})))
    assert '<html lang="en"' in ask(application, "GET", fortress.link(BOB)).text


@pytest.mark.parametrize("body", [b"confirm=1", b"confirm=1&all=1"])
def test_every_page_speaks_chinese(house: House, body: bytes) -> None:
    pages = [house.post(house.link(WANG_FANG), body), house.ask("GET", house.link(WANG_FANG))]
    pages += [house.ask("GET", path, language="zh") for path in ("/u/sample", "/v/sample", "/nowhere")]
    for page in pages:
        assert '<html lang="zh"' in page.text
        assert re.search("<h1>[^<]*[\u4e00-\u9fff]", page.text)
