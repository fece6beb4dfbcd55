from datetime import date
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.content.source.issue import Draft, Issue, find_issue, load_issue
from dispatcher.content.tree import Block, Divider, Paragraph, StoryKind, plain_text
from dispatcher.desk.skeletons import write_issue
from dispatcher.errors import InputWrong, NotFound
from tests.content.reference_issue import reference_draft

BODY = "# At home\n\n## The kettle\n\nIt boils.\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "issues").mkdir()
    return tmp_path


def write(root: Path, content: str | bytes, name: str = "issue.md", folder: str = "29") -> None:
    path = root / "issues" / folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def load(root: Path, folder: str = "29") -> Issue:
    return load_issue(root / "issues" / folder, root=root, default_language="en")


def draft(root: Path, content: str | bytes) -> Draft:
    write(root, content)
    return load(root).drafts["en"]


def faults(root: Path) -> list[str]:
    with pytest.raises(InputWrong) as caught:
        load(root)
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize(
    "what",
    [
        "29",
        "029",
        "29-life-with-data",
        "issues/29-life-with-data/",
        "{root}/issues/29",
        "issues/029-life-with-data/issue.md",
        "{root}/issues/29/issue.zh.md",
    ],
)
def test_an_issue_is_found_by_every_name_it_has(root: Path, what: str) -> None:
    (root / "issues/029-life-with-data").mkdir()
    assert find_issue(root, what.format(root=root)) == root / "issues/029-life-with-data"


@pytest.mark.parametrize("what", ["30", "29-other", "", ".", "x", "9" * 5000, "/nowhere/29", "../29", "29\0", "²"])
def test_an_issue_that_is_not_there_is_refused_with_those_that_are(root: Path, what: str) -> None:
    for folder in ("27", "28", "29-life"):
        (root / "issues" / folder).mkdir()
    with pytest.raises(NotFound, match="issues/ has 27, 28, 29-life"):
        find_issue(root, what)


@pytest.mark.parametrize(("what", "said"), [("99", "the nearest are 12, 13"), ("x/issue.md", "the newest are 12, 13")])
def test_of_many_issues_the_nearest_are_named_as_such(root: Path, what: str, said: str) -> None:
    for number in range(10, 17):
        (root / "issues" / str(number)).mkdir(exist_ok=True)
    with pytest.raises(NotFound, match=f"there is no issue '{what}'; {said}"):
        find_issue(root, what)


def test_a_newsletter_without_issues_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there are none in"):
        find_issue(tmp_path, "29")


def test_two_folders_with_one_number_are_a_fault_even_if_one_is_named_exactly(root: Path) -> None:
    for folder in ("29", "029-life"):
        (root / "issues" / folder).mkdir()
    with pytest.raises(InputWrong, match="2 folders are issue 29; rename or remove all but one of 029-life, 29"):
        find_issue(root, "29")


def test_a_folder_without_an_issue_is_not_found(root: Path) -> None:
    (root / "issues/29").mkdir()
    with pytest.raises(NotFound, match=r"issues/29 has no issue\.md"):
        load(root)


def test_front_matter_is_optional_and_the_first_heading_is_then_title_and_subject(root: Path) -> None:
    found = draft(root, "# Two *small* stories\n\nDear reader.\n")
    assert (found.title, found.subject, found.preheader) == ("Two small stories", "Two small stories", "")
    assert (found.date, found.theme, found.list) == (None, None, None)


def test_front_matter_is_read_as_it_is_written(root: Path) -> None:
    head = "---\nnumber: 029\ntitle: 2020\nsubject: >\n  a\n  b\nlanguage: no\ndate: 2020-12-30\nlist: all\n---\n"
    write(root, head + BODY)
    found = load(root).drafts["no"]
    assert (found.title, found.subject, found.date, found.list) == ("2020", "a b", date(2020, 12, 30), "all")


def test_a_translation_inherits_what_is_shared_and_not_its_texts(root: Path) -> None:
    write(root, f"---\nsubject: S\ntitle: T\npreheader: P\ntheme: dark\nlist: a\ndate: 2020-12-30\n---\n{BODY}")
    write(root, f"---\ntitle: 标题\nlist: b\n---\n{BODY}", "issue.zh-hant.md")
    issue = load(root)
    assert list(issue.drafts) == ["en", "zh-Hant"]
    found = issue.drafts["zh-Hant"]
    assert (found.title, found.subject, found.preheader) == ("标题", "标题", "")
    assert (found.theme, found.list, found.date) == ("dark", "b", date(2020, 12, 30))


def test_subject_preheader_and_body_number_into_the_same_fields(root: Path) -> None:
    head = '---\ntitle: T\nsubject: "{{ subscriber.a }}"\npreheader: "{{ subscriber.b }}"\n---\n'
    found = draft(root, head + "Dear {{ subscriber.c }}\n\n" + BODY)
    assert (found.subject, found.preheader) == ("zq0xqz", "zq1xqz")
    assert [field.source for field in found.fields] == [f"{{{{ subscriber.{name} }}}}" for name in "abc"]
    assert [field.line for field in found.fields] == [3, 4, 6]


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(root: Path) -> None:
    text = "---\ntitle: T\n---\n\nHello\nyou\n\n" + BODY
    plain = draft(root, text)
    assert draft(root, b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()) == plain


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("---\ntitel: T\n---\n", ":2: unknown key 'titel'; did you mean title?"),
        ("---\ntitle: T\nnumber: 30\n---\n", ":3: number is 30, the folder says 29; remove the line"),
        ("---\ntitle: T\nnumber: soon\n---\n", ":3: number is 'soon'; write digits only"),
        ("---\ntitle: T\ndate: 2020-W53-3\n---\n", ":3: date is '2020-W53-3'; write it as 2026-11-25"),
        ("---\ntitle: T\nlanguage: english\n---\n", ":3: language is 'english'; write a tag such as en"),
        ("---\ntitle: T\nlist: [a, b]\n---\n", ":3: list is not a text; write one value"),
        ("---\ntitle: {{ subscriber.name }}\n---\n# T\n", ":2: title is not a text; write one value, in quotes"),
        ("---\ntitle: T\npreheader:\n---\n", ":3: preheader is empty; write it, or remove the line"),
        ("---\ntitle: T\ntitle: U\n---\n", ":3: title is given twice; keep one of them"),
        ('---\ntitle: "a\\u0007"\n---\n# T\n', ":2: title holds a control character; remove it"),
        ('---\ntitle: "\\ud800"\n---\n# T\n', ":2: title holds a control character; remove it"),
        ('---\ntitle: "\\UFFFFFFFF"\n---\n# T\n', ":2: the front matter escapes a character that does not exist"),
        ("---\ntitle: a: b\n---\n# T\n", ":2: the front matter is broken: mapping values are not allowed here"),
        (
            '---\ndate: 2026-11-25\ntitle: "T\nsubject: S\n---\ntext\n',
            ":3: the front matter is broken: a quote is not closed",
        ),
        ("---\nsubject: S\ntitel: T\n---\ntext\n", ":3: unknown key 'titel'; did you mean title?"),
        ("# T\n\n{% while subscriber.plan %}x{% endwhile %}", ":3: unknown tag 'while'; allowed are if, for, set"),
        ("---\ntitle: &t T\n---\n# T\n", ":2: the front matter is broken: anchors, aliases and tags are not allowed"),
        ("---\ntitle: !!python/name:os T\n---\n# T\n", ":2: the front matter is broken: anchors, aliases and tags"),
        ("---\n- title\n---\n# T\n", ":2: the front matter is broken: it is not made of key: value lines"),
        ("---\ntitle: T\n", ":1: the front matter has no end; close it with ---"),
        (f"---\ntitle: {'x' * 70_000}\n---\n# T\n", ":1: the front matter is larger than 64 KB"),
        (f"---\nlist: {'{' * 30_000}\n---\n# T\n", ":2: list is not a text"),
        ("---\ntitle: T\nsubject: '{{ name }}'\n---\n", ":3: unknown template variable 'name'"),
        (b"# T\n\n\xff", ":3: byte 5 is not UTF-8; save the file as UTF-8"),
        (b"# T\n\na\x00b", ":3: there is a control character, U+0000; remove it"),
        (b"# T\n\na\rb", ":3: there is a control character, U+000D; remove it"),
        (b"x" * (2 * 1024 * 1024 + 1), ": the file is larger than 2 MB"),
        ("# T\n\n" + "{{" * 5000, ":1: personal content is nested too deep"),
        ("# T\n\n{{ subscriber.name", ":3: "),
        ("", ":1: the issue has no title; begin it with `# The title`"),
    ],
)
def test_a_fault_names_file_line_and_remedy(root: Path, content: str | bytes, expected: str) -> None:
    write(root, content)
    assert faults(root)[0].startswith(f"issues/29/issue.md{expected}")


def test_a_file_that_cannot_be_read_is_one_fault(root: Path) -> None:
    write(root, b"\xff")
    assert len(faults(root)) == 1


def test_all_faults_of_all_languages_are_told_at_once(root: Path) -> None:
    write(root, "---\ntitel: T\n---\n# T\n\n[a](#b)\n")
    write(root, "---\nlanguage: fr\n---\n# T\n\n[](https://example.net)\n", "issue.zh.md")
    write(root, "# T\n", "issue.en.md")
    write(root, "# T\n", "issue.not a language.md")
    told = faults(root)
    assert [line.partition(": ")[0] for line in told] == [
        "issues/29/issue.en.md",
        "issues/29/issue.md:2",
        "issues/29/issue.md:6",
        "issues/29/issue.not a language.md",
        "issues/29/issue.zh.md:2",
        "issues/29/issue.zh.md:6",
    ]


def test_a_folder_that_is_no_number_is_a_fault(root: Path) -> None:
    write(root, "# T\n", folder="latest")
    with pytest.raises(InputWrong, match="issues/latest: the folder's name gives no number"):
        load(root, "latest")


@settings(deadline=None)
@given(
    st.text(max_size=300)
    | st.lists(st.sampled_from(["---\n", "title: x\n", "a: [", "{", "}", '"\\u', "&a ", "*a", "# t\n", ":", " "])).map(
        "".join
    )
)
def test_any_text_is_an_issue_or_has_faults(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    root = tmp_path_factory.mktemp("letter")
    (root / "issues").mkdir()
    write(root, text.encode("utf-8", "replace"))
    try:
        assert plain_text(load(root).drafts["en"].document.title)
    except InputWrong as wrong:
        assert wrong.faults  # noqa: PT017  # either is right; it must be one of the two


def test_this_repository_s_issue_29_loads_in_both_languages() -> None:
    root = Path(__file__).parents[2]
    issue = load_issue(find_issue(root, "29"), root=root, default_language="en")
    assert list(issue.drafts) == ["en", "zh"]
    for found in issue.drafts.values():
        assert [len(section.stories) for section in found.document.sections] == [3, 3]
        assert [len(note.body) for note in found.document.notes] == [1, 3]
        assert len(found.document.colophon) == 2


def standing(root: Path, text: str, name: str) -> None:
    path = root / "templates/snippets" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


STANDING = "# T\n\nbefore\n\n::: snippet about\n\nafter\n"


def intro(draft: Draft) -> list[str]:
    return [plain_text(block.children) for block in draft.document.intro if isinstance(block, Paragraph)]


def test_a_standing_text_stands_where_it_is_called_and_may_be_personal(root: Path) -> None:
    standing(root, "One, {{ subscriber.name }}.\n\nTwo.\n", "about.md")
    found = draft(root, STANDING)
    assert intro(found) == ["before", "One, zq0xqz.", "Two.", "after"]
    assert [(field.path, field.line) for field in found.fields] == [("templates/snippets/about.md", 1)]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"about.md": "any"}, "any"),
        ({"about.md": "any", "about.zh.md": "zh", "about.en.md": "en"}, "zh"),
        ({"about.zh.md": "zh", "about.zh-hant.md": "hant"}, "hant"),
        ({"about.md": "any", "about.zh-TW.md": "tw", "about.zh-Hant-TW.md": "hant-tw"}, "hant-tw"),
    ],
)
def test_a_standing_text_is_read_in_the_nearest_language(root: Path, files: dict[str, str], said: str) -> None:
    for name, text in files.items():
        standing(root, text, name)
    write(root, BODY)
    write(root, STANDING, "issue.zh-Hant-TW.md")
    assert intro(load(root).drafts["zh-Hant-TW"]) == ["before", said, "after"]


@pytest.mark.parametrize(
    ("files", "place", "said"),
    [
        ({}, "issues/29/issue.md:5", "; write it as templates/snippets/about.md"),
        ({"about.zh.md": "a"}, "issues/29/issue.md:5", "there is no standing text 'about' in this language"),
        ({"abuot.md": "a"}, "issues/29/issue.md:5", "; did you mean abuot?"),
        ({"about.md": "a\n\n::: snippet about"}, "templates/snippets/about.md:3", "cannot hold another; write it out"),
        ({"about.md": "a\n\n[b](c)"}, "templates/snippets/about.md:3", "link c is not http, https or mailto"),
        ({"about.md": "a" * 16385}, "templates/snippets/about.md", "the file is larger than 16 KB"),
    ],
)
def test_a_standing_text_that_cannot_be_read_is_a_fault(
    root: Path, files: dict[str, str], place: str, said: str
) -> None:
    for name, text in files.items():
        standing(root, text, name)
    write(root, STANDING)
    (fault,) = faults(root)
    assert fault.startswith(f"{place}: ")
    assert said in fault


def test_a_fault_of_a_standing_text_is_told_once_however_often_it_is_used(root: Path) -> None:
    standing(root, "[b](c)", "about.md")
    write(root, STANDING)
    write(root, STANDING + "::: snippet about\n", "issue.zh.md")
    assert len(faults(root)) == 1


def test_a_file_does_not_grow_without_bounds_by_standing_texts(root: Path) -> None:
    standing(root, "a", "about.md")
    write(root, "# T\n\n" + "::: snippet about\n" * 101)
    assert faults(root) == ["issues/29/issue.md:103: more than 100 standing texts are used; write some of them out"]


def test_the_reference_issue_holds_every_kind_of_block_in_both_languages() -> None:
    for language in ("en", "zh"):
        found = reference_draft(language).document
        stories = [story for section in found.sections for story in section.stories]
        assert {story.kind for story in stories} == set(StoryKind)
        notes = [note.body for note in found.notes]
        bodies = [found.intro, *(story.body for story in stories), *notes, found.colophon]
        held = {type(block) for body in bodies for block in body}
        assert held == set(get_args(Block)) - {Divider}  # a divider ends a story or begins the colophon


def test_the_skeleton_of_an_issue_is_read_as_it_is(root: Path) -> None:
    path = write_issue(root, 30, newsletter="Kettles")
    found = load_issue(path.parent, root=root, default_language="en").drafts["en"].document
    assert [story.kind for section in found.sections for story in section.stories] == [
        StoryKind.LEAD, StoryKind.ORDINARY, StoryKind.BRIEF, StoryKind.BRIEF,
    ]  # fmt: skip
    assert [plain_text(note.title) for note in found.notes] == ["Jobs, dates and a question", "Keep reading"]
