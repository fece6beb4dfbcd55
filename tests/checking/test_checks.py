"""Checks by themselves, where a whole broken issue would say less."""

from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from dispatcher.config import Settings
from dispatcher.content.checking.mail import fragile_message
from dispatcher.content.checking.styles import contrast, hexadecimal
from dispatcher.content.checking.urls import canonical, disguise, is_private, trackers
from dispatcher.recipes.check import lay_proof
from dispatcher.recipes.editions import compose_editions, load_named
from tests.checking.desk import SETTINGS, Desk


def test_what_would_not_survive_its_way_is_a_mistake_of_ours_and_is_told(tmp_path: Path) -> None:
    folder = Desk.lay(tmp_path).folder
    settings = Settings(folder=folder, **SETTINGS)  # type: ignore[arg-type]
    issue = load_named(settings, "2")
    edition = compose_editions(issue, settings).by_language["en"]
    proof = lay_proof(settings, issue, issue.drafts["en"], edition, {})
    assert list(fragile_message(proof)) == []
    (long,) = fragile_message(replace(proof, raw=proof.raw + b"x" * 999))
    assert "more than 998 bytes" in long.message
    broken = message_from_bytes(b"Content-Type: multipart/mixed\n\nx", EmailMessage, policy=policy.default)
    assert any("strict parser" in fault.message for fault in fragile_message(replace(proof, message=broken)))


def test_what_is_for_editors_only_is_not_looked_at(tmp_path: Path) -> None:
    desk = Desk.lay(tmp_path)
    desk.change("# At home", "{# <b>Do not</b> [here](http://bit.ly/x)\n**  #}\n\n# At home")
    assert desk.check().findings == ()


def test_contrast_is_that_of_wcag() -> None:
    assert contrast((0, 0, 0), (1, 1, 1)) == pytest.approx(21)
    grey = (0x77 / 255,) * 3
    assert contrast(grey, (1, 1, 1)) == pytest.approx(4.48, abs=0.01)
    assert hexadecimal(grey) == "#777777"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://www.example.org/a/", "http://example.org/a"),
        ("https://example.org/a?utm_source=x&b=1", "https://example.org/a?b=1#top"),
        ("https://example.org/a?b=1&c=2", "https://example.org/a?c=2&b=1"),
        ("https://EXAMPLE.org/a", "https://example.org/a"),
    ],
)
def test_addresses_of_one_page_have_one_spelling(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


def test_addresses_of_two_pages_have_two() -> None:
    assert canonical("https://example.org/A") != canonical("https://example.org/a")
    assert canonical("https://example.org/?id=1") != canonical("https://example.org/?id=2")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "192.168.0.1", "printer", "nas.local", "10.1.2.3"])
def test_what_only_our_network_knows_is_private(host: str) -> None:
    assert is_private(host)


@pytest.mark.parametrize("host", ["example.org", "8.8.8.8", "例子.中国"])
def test_what_everybody_can_reach_is_not(host: str) -> None:
    assert not is_private(host)


def test_trackers_are_named() -> None:
    assert trackers("https://example.org/?utm_source=a&utm_medium=b&page=2&fbclid=c") == [
        "utm_source", "utm_medium", "fbclid",
    ]  # fmt: skip
    assert trackers("https://medium.com/@a?source=post_page-----b") == ["source"]
    assert trackers("https://example.org/?source=wire") == []


def test_a_host_in_one_script_is_plain_and_in_two_disguised() -> None:
    assert disguise("münchen.example") == ""
    assert disguise("例え.テスト") == ""
    assert disguise("ex\u0430mple.org") == "mixes Cyrillic and Latin letters"
    assert disguise("xn--exmple-4nf.org") == "mixes Cyrillic and Latin letters"
