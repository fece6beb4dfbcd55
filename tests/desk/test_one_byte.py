"""The hash that the gate compares: one byte in whatever reaches the reader changes it, and nothing else does."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from dispatcher.config import load_settings
from dispatcher.recipes.editions import compose_editions, load_named
from tests.checking.desk import GOOD, TEMPLATES, Desk

PYPROJECT = """\
[tool.dispatcher]
name = "Kettles"
from = "Kettles <kettles@example.org>"
reply_to = "ann@example.org"
postal_address = "Kettles, 1 Example Street, Exampletown"
base_url = "https://kettles.example.org"
"""
NOTE = "\n{% if subscriber.plan %}\nFor those who pay.\n{% endif %}\n\n::: snippet thanks\n\n# At home"
PICTURE = '![A red kettle on a stove](img/kettle.png "dark=img/dark.png")'


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """An issue with something of everything, and a theme of its own."""
    desk = Desk.lay(tmp_path_factory.mktemp("letter"))
    desk.write("pyproject.toml", PYPROJECT)
    desk.change("![A red kettle on a stove](img/kettle.png)", PICTURE)
    desk.change("\n# At home", NOTE)
    desk.write("templates/snippets/thanks.md", "Thank you for reading.\n")
    Image.new("RGB", (640, 360), "black").save(desk.folder / "issues/2/img/dark.png")
    shutil.copytree(TEMPLATES / "default", desk.folder / "templates/default")
    return desk


def changed(name: str, old: str, new: str) -> Callable[[Desk], None]:
    return lambda desk: desk.change(old, new, name)


def repainted(name: str) -> Callable[[Desk], None]:
    def repaint(desk: Desk) -> None:
        path = desk.folder / name
        with Image.open(path) as image:
            image.putpixel((0, 0), (1, 2, 3))
            image.save(path)

    return repaint


ISSUE, SETTINGS, THEME = "issues/2/issue.md", "pyproject.toml", "templates/default"
SEEN = {
    "text": changed(ISSUE, "here is what boiled", "here is what Boiled"),
    "translation": lambda desk: desk.write("issues/2/issue.zh.md", GOOD.replace("Kettles of the week", "本周水壶")),
    "title": changed(ISSUE, "title: Kettles of", "title: Kettle of"),
    "subject": changed(ISSUE, "what boils, and", "what boils and"),
    "preheader": changed(ISSUE, "Also: a poll", "Also, a poll"),
    "date": changed(ISSUE, "date: 2026-11-25", "date: 2026-11-26"),
    "address of a link": changed(ISSUE, "org/nothing", "org/nothin"),
    "description of a picture": changed(ISSUE, "A red kettle", "a red kettle"),
    "credit": changed(ISSUE, "CC BY 4.0", "CC BY 3.0"),
    "field": changed(ISSUE, 'default("reader")', 'default("Reader")'),
    "condition": changed(ISSUE, "if subscriber.plan", "if subscriber.plam"),
    "picture": repainted("issues/2/img/kettle.png"),
    "dark picture": repainted("issues/2/img/dark.png"),
    "standing text": changed("templates/snippets/thanks.md", "reading.", "reading!"),
    "template of the page": changed(f"{THEME}/issue.mjml", 'padding="14px', 'padding="15px'),
    "template of the text": changed(f"{THEME}/issue.txt", "-- {#", "--- {#"),
    "template of a block": changed(f"{THEME}/blocks.mjml", "<p>", '<p class="last">'),
    "style": changed(f"{THEME}/head.mjml", "h1 { margin: 0 0 12px", "h1 { margin: 0 0 13px"),
    "style in the dark": changed(f"{THEME}/head.mjml", "#0e1016", "#0e1017"),
    "string": changed(f"{THEME}/strings/en.toml", 'unsubscribe = "', 'unsubscribe = "» '),
    "name": changed(SETTINGS, 'name = "Kettles"', 'name = "Kettle"'),
    "sender": changed(SETTINGS, "<kettles@", "<kettle@"),
    "reply address": changed(SETTINGS, "ann@", "an@"),
    "postal address": changed(SETTINGS, "1 Example", "2 Example"),
    "address of the pages": changed(SETTINGS, "https://kettles.", "https://kettle."),
    "place of the pictures": changed(SETTINGS, "reply_to", 'pictures = "inline"\nreply_to'),
    "tags in links": changed(SETTINGS, "reply_to", 'utm = "utm_source=kettles"\nreply_to'),
    "theme": changed(SETTINGS, "reply_to", 'theme = "letter"\nreply_to'),
}
UNSEEN = {
    "note in the issue": changed(ISSUE, "# Dates", "<!-- ask Bob -->\n\n# Dates"),
    "comment in the issue": changed(ISSUE, "# Dates", "{# ask Bob #}\n\n# Dates"),
    "excuse for the check": changed(ISSUE, "title:", "ignore:\n  NL017: it is our own\ntitle:"),
    "comment in a template": changed(f"{THEME}/issue.mjml", "<mj-head>", "{# a note #}\n<mj-head>"),
    "comment in the strings": changed(f"{THEME}/strings/en.toml", 'unsubscribe = "', '# a note\nunsubscribe = "'),
    "comment in the settings": changed(SETTINGS, "reply_to", "# a note\nreply_to"),
    "setting of the way out": changed(SETTINGS, "reply_to", 'retry_for = "12h"\ngrace = "5s"\nreply_to'),
    "list of readers": lambda desk: desk.write("subscribers/readers.csv", "email\nann@example.com\n"),
    "another issue": lambda desk: desk.write("issues/3/issue.md", "# Another\n\nOne.\n"),
    "picture that no issue shows": lambda desk: shutil.copy(
        desk.folder / "issues/2/img/dark.png", desk.folder / "issues/2/img/spare.png"
    ),
}  # fmt: skip


def content_hash(desk: Desk) -> str:
    settings = load_settings(desk.folder, environment={})
    return compose_editions(load_named(settings, "2"), settings).content_hash


@pytest.fixture(scope="module")
def staged(good: Desk) -> str:
    return content_hash(good)


def after(change: Callable[[Desk], object], good: Desk, folder: Path) -> str:
    desk = Desk(shutil.copytree(good.folder, folder / "copy"))
    change(desk)
    return content_hash(desk)


@pytest.mark.parametrize("what", SEEN)
def test_one_byte_that_a_reader_sees_closes_the_gate(good: Desk, staged: str, tmp_path: Path, what: str) -> None:
    assert after(SEEN[what], good, tmp_path) != staged


@pytest.mark.parametrize("what", UNSEEN)
def test_what_no_reader_sees_leaves_it_open(good: Desk, staged: str, tmp_path: Path, what: str) -> None:
    assert after(UNSEEN[what], good, tmp_path) == staged
