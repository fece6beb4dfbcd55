"""`dispatcher preview` as an editor has it: the real program, in a real browser."""

import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from tests.axe import objections
from tests.checking.desk import GOOD, Desk
from tests.newsletter import SCRIPTS

PYPROJECT = """\
[tool.dispatcher]
name = "Kettles"
from = "Kettles <kettles@example.org>"
postal_address = "Kettles, 1 Example Street, Exampletown"
base_url = "https://kettles.example.org"
"""
VIEWS = ("desktop", "phone", "dark", "pictureless", "styleless", "text", "source", "findings")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = Desk.lay(tmp_path_factory.mktemp("letter"))
    desk.write("pyproject.toml", PYPROJECT)
    desk.write("subscribers/readers.csv", "email,name\nann@example.com,Ann\n")
    desk.write("issues/2/issue.zh.md", GOOD.replace("Kettles of the week", "本周水壶"))
    command: list[str | Path] = [
        SCRIPTS / "dispatcher",
        "-C",
        desk.folder,
        "subscribers",
        "import",
        desk.folder / "subscribers/readers.csv",
        "--list",
        "readers",
    ]
    subprocess.run(command, check=True, capture_output=True)
    return desk


@pytest.fixture(scope="module")
def url(desk: Desk) -> Iterator[str]:
    """Where the preview runs."""
    command: list[str | Path] = [SCRIPTS / "dispatcher", "-C", desk.folder, "preview", "2", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout
        said = program.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert found, said
        yield found[0]
        program.terminate()
        assert program.wait(timeout=30) == 0


@pytest.fixture
def tab(browser: Browser, url: str, desk: Desk) -> Iterator[Page]:
    """The preview's page, of the good issue."""
    desk.write("issues/2/issue.md", GOOD)
    context = browser.new_context(viewport={"width": 1100, "height": 700})
    page = context.new_page()
    page.goto(url)
    expect(page.locator("#bytes")).to_contain_text("of 100,000 bytes")
    yield page
    context.close()


def mail(tab: Page) -> FrameLocator:
    return tab.frame_locator("#frames iframe")


def test_a_save_is_seen_at_once_where_the_editor_was_reading(tab: Page, desk: Desk) -> None:
    tab.locator("#frames iframe").evaluate("frame => frame.contentWindow.scrollTo(0, 300)")
    desk.change("what boiled this week", "what boiled over this week")
    expect(mail(tab).locator("body")).to_contain_text("what boiled over this week")
    assert tab.locator("#frames iframe").evaluate("frame => frame.contentWindow.scrollY") == 300


def test_a_change_of_the_settings_is_seen_as_well(tab: Page, desk: Desk) -> None:
    desk.change("1 Example Street", "2 Example Street", "pyproject.toml")
    expect(mail(tab).locator("body")).to_contain_text("2 Example Street")
    desk.write("pyproject.toml", PYPROJECT)


def test_a_mistake_stands_over_the_last_good_picture_until_it_is_mended(tab: Page, desk: Desk) -> None:
    desk.change("{{ subscriber.name |", "{{ name |")
    expect(tab.locator("#wrong")).to_contain_text(f"issues/2/issue.md:{desk.line_of('{{ name')}: unknown template")
    expect(mail(tab).locator("body")).to_contain_text("Dear reader")
    desk.write("issues/2/issue.md", GOOD)
    expect(tab.locator("#wrong")).to_be_hidden()


def test_a_finding_leads_to_its_line(tab: Page, desk: Desk) -> None:
    desk.change("the theory of nothing", "here")
    expect(tab.locator("#count")).to_have_text("(1)")
    tab.click("#tab-findings")
    tab.click(".finding")
    expect(tab.locator("#lines li.here")).to_contain_text("[here](https://example.org/nothing)")
    desk.change("what boils", "what boiled over")
    expect(tab.locator("#subject")).to_contain_text("what boiled over")
    expect(tab.locator("#lines li.here")).to_contain_text("[here](https://example.org/nothing)")


def test_the_mail_is_shown_as_a_real_reader_or_in_another_language_gets_it(tab: Page) -> None:
    tab.fill("#reader", "ann@example.com")
    tab.press("#reader", "Enter")
    expect(mail(tab).locator("body")).to_contain_text("Dear Ann")
    tab.fill("#reader", "nobody@example.com")
    tab.press("#reader", "Enter")
    expect(tab.locator("#wrong")).to_contain_text("nobody has this address")
    tab.fill("#reader", "")
    tab.press("#reader", "Enter")
    tab.select_option("#language", "zh")
    expect(mail(tab).locator("h1")).to_have_text("本周水壶")


def test_each_view_shows_what_a_program_of_its_kind_does(tab: Page) -> None:
    def background() -> str:
        return str(mail(tab).locator(".page").first.evaluate("page => getComputedStyle(page).backgroundColor"))

    light = background()
    tab.click("#tab-dark")
    expect(tab.locator("#frames")).to_have_attribute("data-view", "dark")
    expect(mail(tab).locator(".page").first).to_have_css("background-color", "rgb(14, 16, 22)")
    assert light != "rgb(14, 16, 22)"
    tab.click("#tab-pictureless")
    expect(mail(tab).locator("img[src]")).to_have_count(0)
    expect(mail(tab).locator("img").first).to_have_attribute("alt", "A red kettle on a stove")
    tab.click("#tab-styleless")
    expect(mail(tab).locator("style")).to_have_count(0)
    tab.click("#tab-phone")
    expect(tab.locator("#frames iframe")).to_have_css("width", "375px")
    tab.click("#tab-text")
    expect(tab.locator("#text")).to_contain_text("The kettle that sings")
    tab.click("#tab-source")
    tab.select_option("#which", "headers")
    expect(tab.locator("#lines")).to_contain_text("List-Unsubscribe-Post: List-Unsubscribe=One-Click")
    tab.select_option("#which", "MJML")
    expect(tab.locator("#lines")).to_contain_text('Dear {{ subscriber.name | default("reader") }}, here is what boiled')


def test_it_is_worked_with_the_keyboard_and_axe_finds_nothing(tab: Page) -> None:
    for name in VIEWS:
        expect(tab.locator(f"#tab-{name}")).to_have_attribute("aria-selected", "true")
        for scheme in ("light", "dark"):
            tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            found = objections(tab, iframes=False)
            assert [(name, each["id"]) for each in found if each["impact"] in {"serious", "critical"}] == []
        tab.press(f"#tab-{name}", "ArrowRight")
    expect(tab.locator("#tab-desktop")).to_be_focused()


def test_the_mail_runs_no_script_and_reaches_no_other_host(tab: Page, url: str, desk: Desk) -> None:
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    desk.redraw(
        "issue.mjml", "<h1>", '<img src="https://spy.example.org/a.png" alt="" onerror="parent.spied = 1" /><h1>'
    )
    expect(mail(tab).locator("img[src*=spy]")).to_have_count(1)
    (desk.folder / "templates/default/issue.mjml").unlink()
    assert [each for each in asked if not each.startswith((url, "about:", "https://spy"))] == []
    assert tab.evaluate("window.spied") is None
    strange = urllib.request.Request(f"{url}/", headers={"Host": "evil.example.org"})  # noqa: S310  ours
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(strange)  # noqa: S310


def test_the_message_is_there_to_open_in_a_mail_program(url: str) -> None:
    with urllib.request.urlopen(f"{url}/issue.eml?language=zh") as answer:  # noqa: S310
        content = answer.read()
    assert b"List-Unsubscribe" in content
    assert answer.headers["Content-Disposition"] == 'attachment; filename="issue-2-zh.eml"'
