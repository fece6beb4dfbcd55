"""Themes: whose file wins, what languages inherit, and how their authors hear of mistakes."""

import re
import tomllib
from pathlib import Path

import pytest

from dispatcher.content.drawing.theme import find_theme, open_environment, read_strings, render
from dispatcher.errors import InputWrong
from dispatcher.models import Field
from tests.content.trees import ROOT, document, edition, paragraph


def own_theme(folder: Path, name: str = "mine", **files: str) -> Path:
    for file, content in {"issue.mjml": "", "issue.txt": "", **files}.items():
        path = folder / "templates" / name / file.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


def rendered(folder: Path, template: str = "issue.mjml", into: list[Field] | None = None, **values: object) -> str:
    theme = find_theme("mine", folder)
    return render(open_environment(theme, into=[] if into is None else into, **values), template, theme)


def test_the_packaged_theme_is_found_from_any_newsletter(tmp_path: Path) -> None:
    assert find_theme("default", tmp_path).folders[-1] == ROOT / "templates" / "default"


def test_a_newsletter_may_replace_one_file_of_the_packaged_theme(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "issue.txt").write_text("Only this: {{ number }} {{ unsubscribe_url }}\n")
    made = edition(document(), newsletter=tmp_path)
    assert re.fullmatch(r"Only this: 29 zq\d+xqz\n", made.text)
    assert "<h1" in made.html


def test_a_newsletter_may_replace_one_string(tmp_path: Path) -> None:
    own_theme(tmp_path, "default", **{"strings__zh.toml": 'unsubscribe = "不再订阅"'})
    (tmp_path / "templates/default/issue.mjml").unlink()
    strings = read_strings(find_theme("default", tmp_path), "zh")
    assert strings["unsubscribe"] == "不再订阅"
    assert strings["view_in_browser"] == "在浏览器中查看"


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("zh", "退订"),
        ("zh-CN", "退订"),
        ("zh-Hant-TW", "取消訂閱"),
        ("zh-TW", "取消訂閱"),
        ("zh-Hans-TW", "退订"),
        ("ja-JP", "配信停止"),
        ("de-CH-1996", "Abbestellen"),
        ("eo", "Unsubscribe"),
    ],
)
def test_a_language_takes_what_it_lacks_from_the_wider_one_and_from_english(language: str, said: str) -> None:
    strings = read_strings(find_theme("default", ROOT), language)
    assert strings["unsubscribe"] == said
    assert strings["dir"] == "ltr"


def test_no_string_of_the_theme_is_left_unused() -> None:
    files = [path for path in (ROOT / "templates/default").iterdir() if path.suffix in {".mjml", ".txt"}]
    source = "".join(path.read_text(encoding="utf-8") for path in files)
    used = set(re.findall(r"strings\.(\w+)", source)) | {
        "picture",
        "sponsored",
        "until",
        "minutes_one",
        "minutes_other",
        "page_accent",  # of the readers' pages
        "page_accent_dark",
    }
    assert used == set(read_strings(find_theme("default", ROOT), "en"))


LANGUAGES = sorted(path.stem for path in (ROOT / "templates/default/strings").iterdir())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_all_that_has_words_and_with_the_same_fields(language: str) -> None:
    folder = ROOT / "templates/default/strings"
    english, own = (tomllib.loads((folder / f"{tag}.toml").read_text(encoding="utf-8")) for tag in ("en", language))
    looks = {
        "dir", "font_stack", "mso_font", "line_height", "emphasis", "dot", "arrow", "labelled", "minutes_one",
        "page_accent", "page_accent_dark",
    }  # fmt: skip
    assert english.keys() - looks <= own.keys()
    for name, said in own.items():
        form = name if name in english else "minutes_other"
        wanted = set(re.findall(r"\{\w+\}", english[form]))
        assert set(re.findall(r"\{\w+\}", said)) == wanted or (name.startswith("minutes_") and "{" not in said)


@pytest.mark.parametrize("theme", ["default", "letter"])
@pytest.mark.parametrize(("language", "script"), [("zh", "SC"), ("zh-TW", "TC"), ("ja", "JP"), ("ko", "KR")])
def test_each_script_of_east_asia_has_its_own_fonts_and_no_slanted_emphasis(
    theme: str, language: str, script: str
) -> None:
    strings = read_strings(find_theme(theme, ROOT), language)
    assert f"CJK {script}'" in strings["font_stack"]
    assert "italic" not in strings["emphasis"]
    assert ("sans-serif" in strings["font_stack"]) is (theme == "default")


def test_an_unknown_theme_is_named_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(InputWrong, match="there is no theme 'letters'; the themes are default, letter"):
        find_theme("letters", tmp_path)


def test_a_name_cannot_lead_out_of_the_templates(tmp_path: Path) -> None:
    with pytest.raises(InputWrong, match="there is no theme"):
        find_theme("../../etc", tmp_path)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("\n{{ nobody }}", "templates/mine/issue.mjml:2: unknown template variable: 'nobody' is undefined"),
        ("\n\n{% if %}", "templates/mine/issue.mjml:3: "),
        ("{{ strings.nothing }}", "templates/mine/issue.mjml:1: unknown template variable: 'dict object' has no"),
        ("\n{{ strings.why.format() }}", "templates/mine/issue.mjml:2: "),
        ("{{ 1 / 0 }}", "templates/mine/issue.mjml:1: division by zero"),
        ("{{ strings.why.__class__.__mro__ }}", "templates/mine/issue.mjml:1: "),
        ("{{ subscriber.name | nothing }}", "templates/mine/issue.mjml:1: there is no filter 'nothing'"),
        ('{% include "other.mjml" %}', "templates/mine/other.mjml: theme 'mine' lacks this file; add it"),
        ('{% include "../../secret" %}', "lacks this file"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(tmp_path: Path, source: str, complaint: str) -> None:
    own_theme(tmp_path, **{"issue.mjml": source})
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(InputWrong) as told:
        rendered(tmp_path, strings={"why": "because of {newsletter}"})
    assert complaint in str(told.value)


@pytest.mark.parametrize(
    ("source", "written"),
    [
        (
            "{% for i in [1, 2, 3] %}{{ loop.index }}/{{ loop.length }}{{ '' if loop.last else ',' }}{% endfor %}",
            "1/3,2/3,3/3",
        ),
        ("{% for i in [1, 2, 3] if i != 2 %}{{ i }}{% else %}none{% endfor %}", "13"),
        ("{% for i in [] %}{{ i }}{% else %}none{% endfor %}", "none"),
        ("{% for i in [1, [2, [3]]] recursive %}{{ loop(i) if i is iterable else i }}{% endfor %}", "123"),
        ("{% for key, value in {'a': 1}.items() %}{{ key }}{{ value }}{% endfor %}", "a1"),
        ("{{ 2 * 3 }} {{ 'ab' * 2 }} {{ 2 ** 10 }} {{ 1.5 * 2 }}", "6 abab 1024 3.0"),
    ],
)
def test_what_ends_is_rendered_as_jinja_renders_it(tmp_path: Path, source: str, written: str) -> None:
    own_theme(tmp_path, **{"issue.mjml": source})
    assert rendered(tmp_path) == written


def test_a_loop_over_nothing_known_is_told_with_its_line(tmp_path: Path) -> None:
    own_theme(tmp_path, **{"issue.mjml": "\n{% for i in nobody %}{% endfor %}"})
    with pytest.raises(InputWrong, match=r"^templates/mine/issue\.mjml:2: unknown template variable: 'nobody'"):
        rendered(tmp_path)


def test_a_mistake_in_an_included_file_is_told_there(tmp_path: Path) -> None:
    own_theme(tmp_path, **{"issue.mjml": '{% include "part.mjml" %}', "part.mjml": "\n\n{{ nobody }}"})
    with pytest.raises(InputWrong, match=r"^templates/mine/part\.mjml:3: unknown template variable"):
        rendered(tmp_path)


def test_a_mistake_of_ours_is_not_blamed_on_the_theme(tmp_path: Path) -> None:
    own_theme(tmp_path, **{"issue.mjml": "{{ broken() }}"})

    def broken() -> None:
        read_strings(None, "en")  # type: ignore[arg-type]

    with pytest.raises(AttributeError):
        rendered(tmp_path, broken=broken)


@pytest.mark.parametrize(("content", "told"), [("a = \nb", ":1: not TOML"), ("\n\na = 3", "a is not a text")])
def test_wrong_strings_are_told_with_their_file(tmp_path: Path, content: str, told: str) -> None:
    own_theme(tmp_path, **{"strings__en.toml": content})
    with pytest.raises(InputWrong, match=r"strings/en\.toml") as wrong:
        read_strings(find_theme("mine", tmp_path), "en")
    assert told in str(wrong.value)


def test_a_theme_is_a_look_and_what_it_does_not_say_itself_the_default_theme_says(tmp_path: Path) -> None:
    theme = find_theme("mine", own_theme(tmp_path, **{"strings__en.toml": 'unsubscribe = "Leave"'}))
    assert read_strings(theme, "en")["unsubscribe"] == "Leave"
    assert read_strings(theme, "zh")["unsubscribe"] == "退订"
    assert read_strings(theme, "zh")["contents"] == "本期内容"


def test_personal_fields_of_a_theme_become_marks_that_number_on(tmp_path: Path) -> None:
    first = Field(source="{{ subscriber.name }}", path="issue.md", line=1)
    fields = [first]
    own_theme(tmp_path, **{"issue.mjml": "{% if number %}\n{{ subscriber.plan }}{% endif %}"})
    assert rendered(tmp_path, into=fields, number=29) == "zq1xqz"
    assert fields == [first, Field(source="{{ subscriber.plan }}", path="templates/mine/issue.mjml", line=2)]


def test_values_are_escaped_in_mjml_and_not_in_text(tmp_path: Path) -> None:
    own_theme(tmp_path, **{"issue.mjml": "{{ value }}", "issue.txt": "{{ value }}"})
    assert rendered(tmp_path, value="<&>") == "&lt;&amp;&gt;"
    assert rendered(tmp_path, "issue.txt", value="<&>") == "<&>"


def test_the_default_theme_escapes_what_an_author_wrote() -> None:
    assert "<script>" not in edition(document(intro=(paragraph("<script>"),), title="<script>")).html
