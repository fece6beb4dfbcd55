"""What the site shows: issues as they were frozen, the live one first, and pictures of drafts as well."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
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
