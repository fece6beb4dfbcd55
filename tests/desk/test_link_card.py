"""Link cards: what a page says of itself, however it says it, becomes a card that an issue can hold."""

import threading
from collections.abc import Iterator
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.content.source.markdown import read_blocks
from dispatcher.content.tree import LinkCard, plain_text
from dispatcher.desk.link_card import as_markdown, fetch_card, read_card
from dispatcher.errors import Fault, NotFound
from dispatcher.models import Field

PAGE = """\
<!DOCTYPE html><html><head><title>Kettles – The Example</title>
<meta property="og:title" content="Kettles &amp; [cups]"><meta property="og:site_name" content="The Example">
<meta name="description" content="What boils,
 and what does not."><meta name="author" content="Ann">
<meta property="article:published_time" content="2026-11-25T09:00">
<meta property="og:image" content="https://example.org/kettle.png"></head><body></body></html>
"""


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = PAGE.encode()
        self.send_response(200 if self.path == "/kettles" else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def card_in(markdown: str) -> LinkCard:
    """The one card that an issue with this text has."""
    faults: list[Fault] = []
    fields: list[Field] = []
    (placed,) = read_blocks(markdown, fields=fields, faults=faults, path="issue.md")
    assert (faults, fields) == ([], [])
    assert isinstance(placed.block, LinkCard)
    return placed.block


def test_a_page_is_fetched_once_and_becomes_a_card(site: str) -> None:
    card = fetch_card(f"{site}/kettles", newsletter="Kettles", may_reach_private=True)
    assert as_markdown(card) == (
        "{# The Example, Ann, 2026-11-25, https://example.org/kettle.png #}\n"
        f"::: card {site}/kettles\n"
        "Kettles & \\[cups\\]\n"
        "What boils, and what does not.\n"
        ":::"
    )
    assert plain_text(card_in(as_markdown(card)).title) == "Kettles & [cups]"


def test_what_is_not_there_or_not_public_is_said(site: str) -> None:
    with pytest.raises(NotFound, match="it answers 404"):
        fetch_card(f"{site}/nothing", newsletter="Kettles", may_reach_private=True)
    with pytest.raises(NotFound, match="private address"):
        fetch_card(f"{site}/kettles", newsletter="Kettles")
    with pytest.raises(NotFound, match="no title"):
        read_card(b"<p>Hello</p>", "https://example.org/")


@given(st.text(), st.text())
def test_whatever_a_page_says_is_text_in_the_issue(title: str, description: str) -> None:
    page = f"""<meta charset="utf-8"><meta property="og:title" content="A {escape(title)}">
    <meta name="description" content="{escape(description)}">"""
    card = read_card(page.encode(), "https://example.org/", "text/html; charset=utf-8")
    assert card_in(as_markdown(card)).url == "https://example.org/"
