"""Asking servers whether links answer: a real server on loopback that answers as told."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dispatcher.desk.fetch import Fetcher, fetching
from dispatcher.desk.links import ask, link_findings

ANSWERS: dict[str, tuple[int, str]] = {
    "/fine": (200, ""),
    "/moved": (301, "/fine"),
    "/moved-for-now": (302, "/fine"),
    "/gone": (404, ""),
    "/broken": (500, ""),
    "/forbidden": (403, ""),
    "/round": (302, "/round"),
    "/inside": (302, "http://169.254.169.254/latest"),
}


class Server(ThreadingHTTPServer):
    """Counts what it was asked."""

    asked: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answering(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        status, location = ANSWERS[self.path]
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with Server(("127.0.0.1", 0), Answering) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    with fetching("Kettles", may_reach_private=True) as fetcher:
        yield fetcher


def findings(server: Server, *paths: str) -> list[tuple[str, int | None, str]]:
    lines = {f"{server.url}{path}": line for line, path in enumerate(paths, 1)}
    found = link_findings(ask(lines, newsletter="Kettles", may_reach_private=True), "issue.md")
    return [(each.check, each.fault.line, each.fault.message.rpartition("/")[2]) for each in found]


def test_dead_and_moved_links_are_told_with_their_lines(server: Server) -> None:
    assert findings(server, "/fine", "/moved", "/moved-for-now", "/gone", "/broken", "/forbidden", "/round") == [
        ("NL041", 2, "moved has moved for good"),
        ("NL013", 4, "gone is dead: it answers 404"),
        ("NL013", 5, "broken is dead: it answers 500"),
        ("NL013", 7, "round is dead: it redirects without an end"),
    ]


def test_what_answered_is_not_asked_again_that_day_and_what_did_not_is(server: Server) -> None:
    findings(server, "/fine", "/gone")
    findings(server, "/fine", "/gone")
    assert sorted(server.asked) == ["/fine", "/gone", "/gone"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "0.0.0.0"])  # noqa: S104
def test_no_private_address_is_ever_asked(server: Server, host: str) -> None:
    url = f"http://{host}:{server.server_port}/fine"
    (found,) = link_findings(ask({url: 1}, newsletter="Kettles"), "issue.md")
    assert found.check == "NL013"
    assert "private address" in found.fault.message
    assert server.asked == []


def test_a_page_larger_than_what_is_read_is_cut(server: Server, fetcher: Fetcher) -> None:
    assert fetcher.get(f"{server.url}/fine").body == b"hello"
    assert fetcher.get("ftp://example.org/").problem == "it is no http or https address"
