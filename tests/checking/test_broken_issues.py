"""Issues with one fault each, made of a good one: the check finds that fault, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from dispatcher.config import Settings
from dispatcher.content.checking.register import FINDS, checks
from dispatcher.recipes.check import Wish, check
from tests.checking.desk import GOOD, Desk, told
from tests.content.editions import SEED
from tests.content.reference_issue import REFERENCE
from tests.content.trees import ROOT

ISSUE = "issues/2/issue.md"
Spoil = Callable[[Desk], None]


def words(old: str, new: str) -> Spoil:
    return lambda desk: desk.change(old, new)


def theme(file: str, old: str, new: str) -> Spoil:
    return lambda desk: desk.redraw(file, old, new)


def translation_without_its_last_story(desk: Desk) -> None:
    text = GOOD[: GOOD.index("## The cup")] + GOOD[GOOD.index("# Dates") :]
    desk.write("issues/2/issue.zh.md", text.replace("utm_source", "source"))


def earlier_issue_with_the_same_link(desk: Desk) -> None:
    desk.write("issues/1/issue.md", "# One\n\nSee [this](http://www.example.org/singing/?utm_medium=mail#top).\n")


def picture_of_another_kind(desk: Desk) -> None:
    Image.new("RGB", (9, 9)).save(desk.folder / "issues/2/img/kettle.png", "WEBP")


def moving_picture(desk: Desk) -> None:
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    frames[0].save(desk.folder / "issues/2/img/kettle.gif", save_all=True, append_images=frames[1:])
    desk.change("img/kettle.png", "img/kettle.gif")


def ten_pictures(desk: Desk) -> None:
    picture = "![A kettle](img/kettle.png)\n\nPhoto: Ann, CC BY 4.0\n\n"
    desk.change("## The cup that", f"## Ten kettles\n\n{picture * 12}Here.\n\n## The cup that")


def flat_issue_with_a_wrong_contents_list(desk: Desk) -> None:
    head = GOOD[: GOOD.index("Dear")]
    desk.write(ISSUE, f"{head}# Home\n\n- The kettle\n- The mug\n\n# The kettle\n\n> It sings.\n\nSo it does.\n")


PARAGRAPH = "It boils at about one hundred degrees, and so does every other kettle that we know of. " * 12
DOUBLE = "Nothing does not conduct heat."
CUP = "## The cup that keeps warm"

BROKEN: dict[str, tuple[str, Spoil, str, str]] = {
    # what is wrong: (check, what spoils it, the file it is told of, words on the line it is told of)
    "a misspelt key": ("NL001", words("preheader:", "preheadr:"), ISSUE, "preheadr"),
    "a date that is none": ("NL001", words("2026-11-25", "25.11.2026"), ISSUE, "25.11"),
    "a card without its end": ("NL002", words("One line about it.\n:::", "One line about it."), ISSUE, "::: card"),
    "a link without words": ("NL003", words("[the theory of nothing]", "[]"), ISSUE, "[]("),
    "a link without an address": ("NL003", words("(https://example.org/nothing)", "()"), ISSUE, "]()"),
    "a missing picture": ("NL004", words("img/kettle.png", "img/pot.png"), ISSUE, "pot.png"),
    "a picture of another kind": ("NL004", picture_of_another_kind, ISSUE, "kettle.png"),
    "no description": ("NL005", words("![A red kettle on a stove]", "![]"), ISSUE, "![]"),
    "a file's name for a description": ("NL005", words("A red kettle on a stove", "kettle.png"), ISSUE, "kettle.png]"),
    "literal emphasis": ("NL006", words("all that there", "**all that there"), ISSUE, "**all"),
    "HTML": ("NL007", words("two walls", "<b>two</b> walls"), ISSUE, "<b>"),
    "a contents list that names no story": ("NL008", flat_issue_with_a_wrong_contents_list, ISSUE, "# Home"),
    "two stories of one name": ("NL009", words(CUP, "## The kettle that sings"), ISSUE, ""),
    "a parted handle": ("NL010", words("[The makers of the kettle]", "[@ kettle makers]"), ISSUE, "@ kettle"),
    "a relative address": ("NL011", words("https://example.org/nothing", "nothing.html"), ISSUE, "nothing.html"),
    "a private address": ("NL011", words("https://example.org/nothing", "http://192.168.1.7/"), ISSUE, "192.168"),
    "a link called here": ("NL012", words("the theory of nothing", "here"), ISSUE, "[here]"),
    "a shortener": ("NL014", words("https://example.org/nothing", "https://bit.ly/abc"), ISSUE, "bit.ly"),
    "a moving picture": ("NL015", moving_picture, ISSUE, "kettle.gif"),
    "ten pictures and no words": ("NL016", ten_pictures, ISSUE, "kettle.png"),
    "a picture of nobody's": ("NL017", words("Photo: Ann Example, CC BY 4.0 [[source](https://example.org/photo)]", "So red."), ISSUE, "kettle.png"),  # noqa: E501
    "too long": ("NL018", words(DOUBLE, "\n\n".join([PARAGRAPH] * 100)), ISSUE, ""),
    "a page without a title": ("NL019", theme("head.mjml", "<mj-title>{{ title }}</mj-title>", ""), "templates/default/issue.mjml", ""),  # noqa: E501
    "an open comment of Outlook's": ("NL020", theme("head.mjml", "</style><![endif]-->", "</style>-->"), "templates/default/issue.mjml", ""),  # noqa: E501
    "another program's mark": ("NL021", words("all that there is", "all that *|FNAME|* is"), ISSUE, "FNAME"),
    "a style that Gmail drops": ("NL022", theme("head.mjml", ".kicker {", ".kicker { position: absolute;"), "templates/default/head.mjml", ""),  # noqa: E501
    "faint text": ("NL023", theme("head.mjml", "font-weight: 700; color: #4338ca }", "font-weight: 700; color: #b0b0e0 }"), "templates/default/head.mjml", ""),  # noqa: E501
    "text that is faint in the dark": ("NL023", theme("head.mjml", "{{ where }}.page .about, ", ""), "templates/default/head.mjml", ""),  # noqa: E501
    "a level left out": ("NL024", words("### How it works", "##### How it works"), ISSUE, "##### How"),
    "a form": ("NL025", theme("issue.mjml", "<h1>", "<form></form><h1>"), "templates/default/issue.mjml", ""),
    "an anchor without a target": ("NL026", theme("issue.mjml", "<h1>", '<a href="#top">Up to the top</a><h1>'), "templates/default/issue.mjml", ""),  # noqa: E501
    "tiny text": ("NL027", theme("head.mjml", ".tagline { margin: 0; font-size: 18px", ".kicker { font-size: 9px !important } .tagline { margin: 0; font-size: 18px"), "templates/default/head.mjml", ""),  # noqa: E501
    "a misspelt tag": ("NL028", theme("issue.mjml", "<mj-head>", "<mj-haed>"), "templates/default/issue.mjml", ""),
    "a poor text part": ("NL029", lambda desk: desk.write("templates/default/issue.txt", "{{ postal_address }} {{ unsubscribe_url }}\n"), "templates/default/issue.txt", ""),  # noqa: E501
    "an endless subject": ("NL030", words("what boils, and", "what boils, " * 90), ISSUE, "subject:"),
    "no preheader": ("NL031", words(GOOD.split("\n")[3] + "\n", ""), ISSUE, "---"),
    "a short preheader": ("NL031", words("two jobs, and a meetup for those who like steam.", "jobs."), ISSUE, "preheader:"),  # noqa: E501
    "no way out in the text part": ("NL032", theme("issue.txt", "{{ unsubscribe_url }}\n", ""), "templates/default/issue.txt", ""),  # noqa: E501
    "an invisible character": ("NL034", words("two walls", "two\u200bwalls"), ISSUE, "A cup of two"),
    "a translation left behind": ("NL036", translation_without_its_last_story, "issues/2/issue.zh.md", ""),
    "a tracker": ("NL037", words("https://example.org/nothing", "https://example.org/nothing?utm_source=x"), ISSUE, "utm_source=x"),  # noqa: E501
    "two spaces": ("NL038", words("two walls", "two  walls"), ISSUE, "two  walls"),
    "a link without encryption": ("NL039", words("https://example.org/nothing", "http://example.org/nothing"), ISSUE, "http://"),
    "words that look like another site": ("NL040", words("the theory of nothing", "bank.example.com/login"), ISSUE, "bank.example.com"),  # noqa: E501
    "a link that ran before": ("NL042", earlier_issue_with_the_same_link, ISSUE, "example.org/singing"),
    "a sponsor without a label": ("NL043", theme("blocks.mjml", '<p class="label">{{ block | sponsored }}</p>', ""), "templates/default/blocks.mjml", ""),  # noqa: E501
    "a job that is closed": ("NL044", words("until 2026-12-31", "until 2026-10-31"), ISSUE, "Tea taster"),
    "an event that is over": ("NL045", words("2026-12-01 [", "2026-11-01 ["), ISSUE, "Kettle Meetup"),
    "a wide subject": ("NL046", words("what boils, and what does not", "什么会沸腾，什么不会沸腾，以及为什么会这样，还有更多的水壶和茶杯"), ISSUE, "subject:"),  # noqa: E501
    "a loud subject": ("NL047", words("what does not", "what does not!!"), ISSUE, "subject:"),
    "a field that is none": ("NL048", words("{{ subscriber.name |", "{{ name |"), ISSUE, "{{ name"),
    "a job without a place": ("NL049", words(", Leaf & Sons, Example City, until", ", until"), ISSUE, "Tea taster"),
    "a heading with nothing under it": ("NL050", words(CUP, f"## Nothing\n\n{CUP}"), ISSUE, "## Nothing"),
    "an unknown word in the theme": ("NL051", theme("issue.mjml", "<h1>", "<h1>{{ strings.nothing.at_all }}"), "templates/default/issue.mjml", "strings.nothing"),  # noqa: E501
    "a check let pass for nothing": ("NL052", words("date:", "ignore:\n  NL017: the picture is our own\ndate:"), ISSUE, "NL017"),  # noqa: E501
    "a picture without a licence": ("NL053", words(", CC BY 4.0", ""), ISSUE, "kettle.png"),
    "nearly too long": ("NL054", words(DOUBLE, "\n\n".join([PARAGRAPH] * 70)), ISSUE, ""),
    "a host in two scripts": ("NL055", words("https://example.org/nothing", "https://ex\u0430mple.org/nothing"), ISSUE, "the theory"),  # noqa: E501
}  # fmt: skip
NOT_HERE = {"NL013", "NL035", "NL041", "NL033"}
"""Found by asking others (test_links), or only when we have made a mistake (test_checks)."""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk.lay(tmp_path)


def test_a_good_issue_gives_nothing(desk: Desk) -> None:
    assert told(desk.check()) == []


@pytest.mark.parametrize("wrong", BROKEN)
def test_one_fault_gives_the_one_finding(desk: Desk, wrong: str) -> None:
    check_id, spoil, path, line = BROKEN[wrong]
    spoil(desk)
    found = desk.check()
    assert [each.check for each in found.findings] == [check_id], found.findings
    fault = found.findings[0].fault
    assert fault.path == path
    assert fault.remedy
    if line:
        assert fault.line == desk.line_of(line, path)


def test_every_check_has_a_broken_issue() -> None:
    assert {check_id for check_id, *_ in BROKEN.values()} | NOT_HERE == set(checks())
    assert set(FINDS) <= set(checks())


@pytest.mark.parametrize(("root", "number"), [(ROOT, "29"), (REFERENCE, "1")])
def test_our_own_issues_give_nothing(root: Path, number: str) -> None:
    settings = Settings(folder=root, sender="N <n@example.org>", postal_address="1 Example Street")
    assert told(check(settings, number, Wish())) == []


def test_the_seed_gives_what_an_editor_would_object_to(tmp_path: Path) -> None:
    if not SEED.exists():
        pytest.skip("needs ../shared/seed, which is not part of the project")
    folder = tmp_path / "issues/29"
    folder.mkdir(parents=True)
    (folder / "issue.md").write_bytes(SEED.read_bytes())
    found = told(check(Settings(folder=tmp_path, language="zh", postal_address="1 Example Street"), "29", Wish()))
    numbers = [check_id for check_id, *_ in found]
    assert numbers.count("NL004") == 7  # the pictures are not there
    assert numbers.count("NL010") == 4  # one on each line with broken handles
    assert ("NL017", "issues/29/issue.md", 140) in found  # the one picture that says nothing of its origin
    assert set(numbers) == {"NL004", "NL005", "NL010", "NL017", "NL031", "NL037", "NL039", "NL053"}
