"""What the site shows: issues as they were frozen, the live one first, and pictures of drafts as well."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from PIL import Image

from dispatcher.config import load_settings
from dispatcher.content.drawing.pictures import load_picture
from dispatcher.recipes.draft_pictures import draft_pictures
from dispatcher.recipes.newsletter import open_newsletter
from dispatcher.recipes.site import site_of
from dispatcher.web.site import Site
from tests.newsletter import ISSUE, Newsletter


@contextmanager
def site(newsletter: Newsletter) -> Iterator[Site]:
    settings = load_settings(newsletter.folder, environment={})
    with open_newsletter(settings) as opened:
        yield site_of(opened)


def test_an_issue_that_was_not_sent_has_no_page(newsletter: Newsletter) -> None:
    with site(newsletter) as pages:
        assert pages.issue_page(29, "en") is None
        assert pages.public_issue_page(29, "en") is None


def test_a_trial_is_seen_through_its_link_only(newsletter: Newsletter) -> None:
    newsletter.expect(0, "send-issue", "29")
    with site(newsletter) as pages:
        english, chinese = pages.issue_page(29, "en"), pages.issue_page(29, "zh")
        assert english is not None
        assert chinese is not None
        assert "Dear reader" in english
        assert "亲爱的读者" in chinese
        assert "/u/sample" in english
        assert pages.issue_page(29, "fr") == english
        assert pages.public_issue_page(29, "en") is None


def test_what_went_out_live_is_public_and_later_trials_do_not_change_it(live: Newsletter) -> None:
    live.send()
    live.write("issues/29/issue.md", ISSUE.replace("The kettle", "The samovar"))
    del live.env["DISPATCHER_RELAY"]
    live.expect(0, "send-issue", "29")
    with site(live) as pages:
        page = pages.public_issue_page(29, "en")
        assert page is not None
        assert "The kettle" in page
        assert pages.issue_page(29, "en") == page
        assert pages.public_issue_page(29, "fr") is None


def test_the_public_page_is_the_archives_with_nothing_on_it_that_is_for_its_readers_only(live: Newsletter) -> None:
    live.send()
    with site(live) as pages:
        page, chinese = pages.public_issue_page(29, "en"), pages.public_issue_page(29, "zh")
        assert page is not None
        assert chinese is not None
        for words in ("You receive this because", "Unsubscribe", "/u/", ".invalid"):
            assert words not in page
        assert "您收到这封邮件" not in chinese
        assert "1 Example Street" in page
        assert '<link rel="canonical" href="http://127.0.0.1:8029/issues/29/en">' in page
        assert '<a href="/issues/29/zh" hreflang="zh"' in page
        assert pages.sitemap().count("<loc>") == 3
        feed = pages.feed()
        assert feed is not None
        assert '<link rel="alternate" type="text/html" href="http://127.0.0.1:8029/issues/29/en"/>' in feed
        assert "<title>Two small stories</title>" in feed


def test_a_correction_is_public_with_its_date_as_soon_as_it_is_written(live: Newsletter) -> None:
    live.send()
    with site(live) as pages:
        assert pages.issues()[0].corrected is None
        head = "corrected: 2026-12-01\ncorrection: It was a samovar.\ndate:"
        live.write("issues/29/issue.md", ISSUE.replace("The kettle", "The samovar").replace("date:", head))
        page = pages.public_issue_page(29, "en")
        assert page is not None
        assert "The samovar" in page
        assert '<time datetime="2026-12-01">2026-12-01</time>: It was a samovar.' in page
        assert pages.issues()[0].corrected == date(2026, 12, 1)
        live.replace("issues/29/issue.md", "It was a samovar", "It broke {% if")
        live.replace("issues/29/issue.md", "The samovar", "{% if")
        assert "The kettle" in (pages.public_issue_page(29, "en") or "")


def test_there_is_no_feed_before_the_first_issue(newsletter: Newsletter) -> None:
    with site(newsletter) as pages:
        assert pages.feed() is None
        assert pages.issues() == []


def test_inline_pictures_are_hosted_ones_on_the_page(newsletter: Newsletter) -> None:
    newsletter.write("pyproject.toml", (newsletter.folder / "pyproject.toml").read_text() + 'pictures = "inline"\n')
    newsletter.expect(0, "send-issue", "29")
    picture = load_picture(newsletter.folder / "issues/29", "img/a.png")
    assert picture is not None
    with site(newsletter) as pages:
        page = pages.issue_page(29, "en")
        assert page is not None
        assert "cid:" not in page
        assert f"http://127.0.0.1:8029/pictures/{picture.name}" in page
        assert pages.find_picture(picture.name) == ("image/png", picture.content)


def drawn(colour: str) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(written, "PNG")
    return written.getvalue()


def test_pictures_of_a_draft_are_found_by_their_content_and_new_ones_a_moment_later(tmp_path: Path) -> None:
    folder = tmp_path / "issues/30"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(drawn("red"))
    (folder / "notes.bin").write_bytes(b"no picture")
    now = [0.0]
    find = draft_pictures(tmp_path, clock=lambda: now[0])
    red = load_picture(folder, "a.png")
    assert red is not None
    assert find(red.name) == ("image/png", drawn("red"))

    (folder / "img").mkdir()
    (folder / "img/b.PNG").write_bytes(drawn("blue"))
    blue = load_picture(folder, "img/b.PNG")
    assert blue is not None
    assert find(blue.name) is None
    now[0] += 3
    assert find(blue.name) == ("image/png", drawn("blue"))

    (folder / "a.png").write_bytes(drawn("green"))
    assert find(red.name) is None
    now[0] += 3
    assert find("0" * 20 + ".png") is None
