"""The readers' pages: to look changes nothing, to post acts, and a token is all that is asked for."""

import http.client
import re
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from tests.newsletter import ANN, BOB, CAST, Newsletter, html_of, text_of, unsubscribe_url
from tests.relay import Relay

URLENCODED = ("application/x-www-form-urlencoded", b"List-Unsubscribe=One-Click")
MULTIPART = (
    "multipart/form-data; boundary=xyz",
    b'--xyz\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--xyz--\r\n',
)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Site:
    """The pages on a port of their own, and the newsletter that they belong to."""

    newsletter: Newsletter
    relay: Relay
    port: int

    def ask(self, method: str, url: str, *, kind: str = "", body: bytes = b"") -> Answer:
        """One request, as a bare program sends it: no cookie, no redirect followed."""
        parts = urlsplit(url)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {"Content-Type": kind} if kind else {}
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
            connection.request(method, path, body=body or None, headers=headers)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def link_of(self, address: str) -> str:
        return unsubscribe_url(self.relay.message_to(address).parsed)

    def is_mailed(self, address: str) -> bool:
        """Whether the next issue would reach the reader."""
        self.newsletter.expect(0, "send-issue", "30")
        return address in {message["To"].addresses[0].addr_spec for message in self.newsletter.outbox()}


@pytest.fixture
def site(live: Newsletter, relay: Relay) -> Iterator[Site]:
    """Issue 29 was sent, issue 30 is ready, the pages are open."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    live.env["DISPATCHER_BASE_URL"] = f"http://127.0.0.1:{port}"
    live.send()
    live.write(
        "issues/30/issue.md", "---\ntitle: Another\nsubject: Another\n---\n\nHello.\n\n# One\n\n## Two\n\nThree.\n"
    )
    del live.env["DISPATCHER_RELAY"]
    server = live.start("dispatcher", "serve", "--port", str(port))
    site = Site(live, relay, port)
    try:
        live.wait_for_port(port, server)
        yield site
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)
    assert "Traceback" not in live.said("dispatcher")


def test_to_look_changes_nothing(site: Site) -> None:
    link = site.link_of(ANN)
    for method in ("GET", "HEAD", "OPTIONS", "GET"):
        assert site.ask(method, link).status < 500
    page = site.ask("GET", link)
    assert page.status == 200
    assert b"<form" in page.body
    assert ANN.encode() not in page.body
    assert site.ask("HEAD", link).status == 200
    assert site.is_mailed(ANN)


@pytest.mark.parametrize("form", [URLENCODED, MULTIPART], ids=["urlencoded", "multipart"])
def test_one_click_unsubscribes_exactly_that_reader(site: Site, form: tuple[str, bytes]) -> None:
    kind, body = form
    answer = site.ask("POST", site.link_of(ANN), kind=kind, body=body)
    assert answer.status in {200, 202}
    assert "set-cookie" not in answer.headers
    assert not site.is_mailed(ANN)
    assert {message["To"].addresses[0].addr_spec for message in site.newsletter.outbox()} == set(CAST) - {ANN}


def test_one_click_twice_is_as_good_as_once(site: Site) -> None:
    kind, body = URLENCODED
    first, second = [site.ask("POST", site.link_of(ANN), kind=kind, body=body) for _ in range(2)]
    assert first.status == second.status == 200
    assert not site.is_mailed(ANN)


def test_the_button_on_the_page_does_the_same(site: Site) -> None:
    page = site.ask("GET", site.link_of(BOB)).body.decode()
    fields = re.findall(r'<(?:input|button)[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page)
    assert fields
    body = "&".join(f"{name}={value}" for name, value in fields).encode()
    action = re.search(r'<form[^>]*action="([^"]*)"', page)
    url = (action and action[1]) or site.link_of(BOB)
    assert site.ask("POST", url, kind=URLENCODED[0], body=body).status == 200
    assert not site.is_mailed(BOB)


@pytest.mark.parametrize("body", [b"", b"hello=world", b"List-Unsubscribe=No"], ids=["empty", "other", "no"])
def test_a_post_without_the_fields_shows_the_page_and_changes_nothing(site: Site, body: bytes) -> None:
    answer = site.ask("POST", site.link_of(ANN), kind=URLENCODED[0], body=body)
    assert answer.status < 500
    assert site.is_mailed(ANN)


def test_forged_and_altered_tokens_are_one_and_the_same_404(site: Site) -> None:
    link = site.link_of(ANN)
    head, _, token = link.rpartition("/")
    middle = len(token) // 2
    swapped = "b" if token[middle] != "b" else "c"
    forged = {
        "altered": token[:middle] + swapped + token[middle + 1 :],
        "shorter": token[:-1],
        "longer": token + "a",
        "capitals": token.upper(),
        "padded": token + "=",
        "nonsense": "x" * len(token),
        "short": "x",
        "traversal": "..%2f..%2fetc%2fpasswd",
        "script": "%3Cscript%3E",
        "nul": "%00",
        "full-width": "%EF%BC%A1",
        "endless": "a" * 5000,
    }
    seen = set()
    for spelling in forged.values():
        for method in ("GET", "POST"):
            kind, body = URLENCODED if method == "POST" else ("", b"")
            answer = site.ask(method, f"{head}/{spelling}", kind=kind, body=body)
            assert answer.status == 404, spelling[:50]
            seen.add(answer.body)
    assert len(seen) == 1
    assert site.is_mailed(ANN)


def test_the_return_path_is_no_key_to_the_unsubscribe_page(site: Site) -> None:
    token = site.relay.message_to(ANN).sender.partition("+")[2].partition("@")[0]
    head = site.link_of(ANN).rpartition("/")[0]
    assert site.ask("POST", f"{head}/{token}", kind=URLENCODED[0], body=URLENCODED[1]).status == 404


def test_pages_are_closed_to_framing_caching_and_referrers(site: Site) -> None:
    headers = site.ask("GET", site.link_of(ANN)).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "no-store" in headers["cache-control"]
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert "noindex" in headers.get("x-robots-tag", "") or b"noindex" in site.ask("GET", site.link_of(ANN)).body


def test_pages_load_nothing_from_elsewhere_and_run_nothing(site: Site) -> None:
    page = site.ask("GET", site.link_of(ANN)).body.decode()
    assert "<script" not in page
    assert not re.search(r'(?:src|<link[^>]*href)="https?://(?!127\.0\.0\.1)', page)


def test_a_picture_is_served_under_its_content_hash(site: Site) -> None:
    html = html_of(site.relay.message_to(ANN).parsed)
    found = re.search(r'<img[^>]*alt="A red square"[^>]*>', html)
    assert found
    source = re.search(r'src="([^"]+)"', found[0])
    assert source
    answer = site.ask("GET", source[1])
    assert (answer.status, answer.headers["content-type"]) == (200, "image/png")
    assert answer.body == (site.newsletter.folder / "issues/29/img/a.png").read_bytes()
    assert "max-age" in answer.headers["cache-control"]


def test_a_picture_nobody_made_is_not_found(site: Site) -> None:
    html = html_of(site.relay.message_to(ANN).parsed)
    source = re.search(r'src="(http://127[^"]+)/[^"/]+"', html)
    assert source
    for name in ("0" * 64 + ".png", "..%2f..%2f..%2fpyproject.toml", "%2e%2e/issue.md", "dispatcher.key"):
        assert site.ask("GET", f"{source[1]}/{name}").status == 404


def test_the_issue_has_a_page_that_names_no_reader(site: Site) -> None:
    link = site.relay.message_to(ANN).wire_header("List-Archive").decode().strip("<>")
    text = text_of(site.relay.message_to(ANN).parsed) + html_of(site.relay.message_to(ANN).parsed)
    pages = {link, *re.findall(r'href="(http://127\.0\.0\.1:\d+/[^"]+)"', text)} - {site.link_of(ANN)}
    answers = {url: site.ask("GET", url) for url in pages}
    assert {answer.status for answer in answers.values()} == {200}
    issue_pages = [answer.body.decode() for answer in answers.values() if b"The kettle" in answer.body]
    assert issue_pages
    for page in issue_pages:
        assert "Dear reader" in page
        assert "Dear Ann" not in page
        assert site.link_of(ANN) not in page


def test_every_link_of_ours_in_a_message_works(site: Site) -> None:
    for message in site.relay.messages:
        for url in set(re.findall(r'(?:href|src)="(http://127\.0\.0\.1:\d+/[^"]*)"', html_of(message.parsed))):
            assert site.ask("GET", url).status == 200, url


def test_the_sample_token_opens_and_changes_nothing(site: Site) -> None:
    head = site.link_of(ANN).rpartition("/")[0]
    assert site.ask("GET", f"{head}/sample").status == 200
    answer = site.ask("POST", f"{head}/sample", kind=URLENCODED[0], body=URLENCODED[1])
    assert answer.status == 200
    site.newsletter.expect(0, "send-issue", "30")
    assert len(site.newsletter.outbox()) == len(CAST)


def test_a_staging_readers_link_is_not_the_readers(site: Site) -> None:
    """Ann is on both lists: what she leaves is the list that the message came through."""
    site.newsletter.write("subscribers/staging.csv", f"email,name,language\n{ANN},Ann,en\n")
    site.newsletter.expect(0, "send-issue", "29", "--staging")
    [staged] = site.newsletter.outbox()
    kind, body = URLENCODED
    assert site.ask("POST", unsubscribe_url(staged), kind=kind, body=body).status == 200
    assert site.is_mailed(ANN)


def test_a_large_body_is_refused(site: Site) -> None:
    answer = site.ask("POST", site.link_of(ANN), kind=URLENCODED[0], body=b"x" * 100_000)
    assert answer.status in {400, 413, 200}
    assert site.is_mailed(ANN)


# Behind a web server


@pytest.mark.parametrize("trusts", [(), ("--proxy", "127.0.0.1")], ids=["nobody's word counts", "the proxy's counts"])
def test_a_visitors_address_is_what_a_trusted_proxy_says(newsletter: Newsletter, trusts: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    server = newsletter.start("dispatcher", "serve", "--port", str(port), *trusts)
    try:
        newsletter.wait_for_port(port, server)
        statuses = []
        for number in range(30):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            headers = {"X-Forwarded-For": f"203.0.{number}.7", "Content-Type": URLENCODED[0]}
            connection.request("POST", "/subscribe", body=b"email=ann%40example.com", headers=headers)
            statuses.append(connection.getresponse().status)
            connection.close()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)
    assert set(statuses) == ({200} if trusts else {200, 429})


def test_visitors_who_dawdle_keep_nobody_waiting(site: Site) -> None:
    dawdlers = []
    try:
        for _ in range(100):
            slow = socket.create_connection(("127.0.0.1", site.port), timeout=10)
            slow.sendall(b"POST /subscribe HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8000\r\n")
            dawdlers.append(slow)
        begun = time.monotonic()
        assert site.ask("GET", "/health").status == 200
        assert site.ask("POST", site.link_of(ANN), kind=URLENCODED[0], body=URLENCODED[1]).status == 200
        assert time.monotonic() - begun < 9  # after ten seconds the dawdlers are sent away
    finally:
        for slow in dawdlers:
            slow.close()
