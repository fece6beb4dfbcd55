"""Finds an issue's folder and loads what is in it: a draft for each language, with every fault named at once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from dispatcher.content.source.front_matter import Head, Value, day, language_tag, read_head
from dispatcher.content.source.markdown import mark_fields, read_blocks
from dispatcher.content.source.shape import shape
from dispatcher.content.source.snippets import Snippet, find_snippets
from dispatcher.content.source.text_file import read_text
from dispatcher.content.tree import Document, plain_text
from dispatcher.errors import Fault, InputWrong, NotFound
from dispatcher.expressions import Expression, parse
from dispatcher.models import Field

LARGEST = 2 * 1024 * 1024  # bytes

_FOLDER = re.compile(r"(?P<number>[0-9]{1,9})(?:-(?P<slug>.+))?")
_FILE = re.compile(r"issue(?:\.(?P<language>.+))?\.md")
_SHARED = ("number", "date", "theme", "list", "only")  # what a translation takes over from issue.md


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An issue as written in one language; `title`, `subject` and `preheader` may hold marks."""

    language: str  # BCP 47
    path: Path
    title: str
    subject: str
    preheader: str
    date: date | None
    theme: str | None
    list: str | None
    only: Expression | None
    document: Document
    fields: tuple[Field, ...]
    corrected: str = ""  # the day, after it was sent: what the archive shows, with what was wrong
    correction: str = ""
    ignored: Mapping[str, Value] = field(default_factory=dict, hash=False)  # a check: why it is to pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    number: int
    folder: Path
    drafts: Mapping[str, Draft]  # by language, that of issue.md first

    @property
    def list_name(self) -> str | None:
        """The list that the issue asks to be sent to."""
        return next(iter(self.drafts.values())).list

    @property
    def only(self) -> Expression | None:
        """Whom of the list the issue is for; None for everybody."""
        return next(iter(self.drafts.values())).only


def find_issue(root: Path, what: str) -> Path:
    """The folder that `what` names: 29, 029, 29-life-with-data, issues/29/, issues/29/issue.md or a whole path.

    NotFound says which issues there are; two folders with one number are InputWrong.
    """
    given, what = what, str(Path(what).parent) if _FILE.fullmatch(Path(what).name) else what
    named = _FOLDER.fullmatch(Path(what).name)
    issues = (root / "issues").resolve()
    is_elsewhere = len(Path(what).parts) > 1 and issues not in {
        (root / what).resolve().parent,
        Path(what).resolve().parent,
    }
    if not named or is_elsewhere:
        raise NotFound(f"there is no issue {given!r}; {_nearby(root, 0)}")
    number = int(named["number"])
    same = [folder for folder in issue_folders(root) if issue_number(folder) == number]
    if len(same) > 1:
        remedy = f"rename or remove all but one of {', '.join(folder.name for folder in same)}"
        raise InputWrong([Fault(path="issues", message=f"{len(same)} folders are issue {number}", remedy=remedy)])
    for folder in same:
        slug = _FOLDER.fullmatch(folder.name)
        if named["slug"] is None or (slug and named["slug"] == slug["slug"]):
            return folder
    raise NotFound(f"there is no issue {given!r}; {_nearby(root, number)}")


def load_issue(folder: Path, *, root: Path, default_language: str) -> Issue:
    """Read every language of an issue. Raises InputWrong with all the faults of all its files, NotFound without any."""
    if not (folder / "issue.md").is_file():
        raise NotFound(f"{_relative(folder, root)} has no issue.md; write one, or run `dispatcher new`")
    named = _FOLDER.fullmatch(folder.name)
    faults: list[Fault] = []
    if not named:
        remedy = "name it as a number, such as 29 or 29-life-with-data"
        faults.append(Fault(path=_relative(folder, root), message="the folder's name gives no number", remedy=remedy))
    number = int(named["number"]) if named else 0
    original = _read(folder / "issue.md", root, faults)
    drafts: dict[str, Draft] = {}
    for path in _files(folder):
        is_original = path.name == "issue.md"
        head = original if is_original else _read(path, root, faults)
        inherited = {key: value for key, value in original.values.items() if key in _SHARED}
        language = _language(path, head, default_language, root, faults)
        values = {**inherited, **head.values}
        snippets = find_snippets(root, language)
        name = _relative(path, root)
        draft = _draft(path, language, values, head, snippets=snippets, name=name, faults=faults)
        draft = replace(draft, ignored={**original.ignored, **head.ignored})
        _check_number(head, number, name, faults)
        if language in drafts:
            message = f"{drafts[language].path.name} is in {language} as well"
            faults.append(Fault(path=_relative(path, root), message=message, remedy="keep one file a language"))
        drafts[language] = draft
    if faults:
        once = dict.fromkeys(faults)  # a standing text may be wrong in several places of use
        raise InputWrong(sorted(once, key=lambda fault: (fault.path, fault.line or 0)))
    return Issue(number=number, folder=folder, drafts=drafts)


def read_heads(folder: Path, root: Path, default_language: str) -> Mapping[str, Head]:
    """The front matter of each language, without a look at what stands below it; what is wrong in it is left out."""
    heads = {path: _read(path, root, []) for path in _files(folder)}
    return {_language(path, head, default_language, root, []): head for path, head in heads.items()}


def issue_folders(root: Path) -> Sequence[Path]:
    """Every issue's folder, in the order of their numbers."""
    issues = root / "issues"
    folders = [path for path in issues.iterdir() if path.is_dir()] if issues.is_dir() else []
    return sorted(
        (path for path in folders if _FOLDER.fullmatch(path.name)), key=lambda path: (issue_number(path), path)
    )


def issue_number(folder: Path) -> int:
    """The number that a folder's name gives, 0 if none."""
    named = _FOLDER.fullmatch(folder.name)
    return int(named["number"]) if named else 0


def _nearby(root: Path, number: int) -> str:
    folders = issue_folders(root)
    if not folders:
        return f"there are none in {root / 'issues'}"
    nearest = sorted(folders, key=lambda folder: abs(issue_number(folder) - number))[:5] if number else folders[-5:]
    names = sorted((folder.name for folder in nearest), key=lambda name: (len(name), name))
    some = "issues/ has" if len(names) == len(folders) else "the nearest are" if number else "the newest are"
    return f"{some} {', '.join(names)}"


def _files(folder: Path) -> Sequence[Path]:
    """issue.md first."""
    paths = [path for path in folder.iterdir() if _FILE.fullmatch(path.name)]
    return sorted(paths, key=lambda path: (path.name != "issue.md", path.name))


def _relative(path: Path, root: Path) -> str:
    path, root = path.resolve(), root.resolve()
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _read(path: Path, root: Path, faults: list[Fault]) -> Head:
    """The file split into front matter and Markdown; an empty one if its bytes are no text."""
    name = _relative(path, root)
    text, fault = read_text(path, name=name, largest=LARGEST)
    if fault:
        faults.append(fault)
    return read_head(text, path=name, faults=faults)


def _language(path: Path, head: Head, default: str, root: Path, faults: list[Fault]) -> str:
    """The language of a draft: its file's, the front matter's, or the newsletter's."""
    name = _FILE.fullmatch(path.name)
    suffix = name["language"] if name else None
    given = head.values.get("language")
    written = language_tag(given.text) if given else None
    if suffix is None:
        return written or language_tag(default) or default
    language = language_tag(suffix)
    if language is None:
        message, remedy = f"{suffix} is not a language", "name the file issue.LANGUAGE.md, such as issue.zh.md"
        faults.append(Fault(path=_relative(path, root), message=message, remedy=remedy))
    elif given and written != language:
        message, remedy = f"language is {given.text}, the file's name says {suffix}", "remove the line"
        fault = Fault(path=_relative(path, root), line=given.line, message=message, remedy=remedy, check="NL001")
        faults.append(fault)
    return language or suffix


def _check_number(head: Head, number: int, path: str, faults: list[Fault]) -> None:
    given = head.values.get("number")
    if given and int(given.text) != number:
        message, remedy = f"number is {given.text}, the folder says {number}", "remove the line, or rename the folder"
        faults.append(Fault(path=path, line=given.line, message=message, remedy=remedy, check="NL001"))


def _draft(
    path: Path,
    language: str,
    values: Mapping[str, Value],
    head: Head,
    *,
    snippets: Mapping[str, Snippet],
    name: str,
    faults: list[Fault],
) -> Draft:
    fields: list[Field] = []
    title, subject, preheader = (
        mark_fields(value.text, fields=fields, faults=faults, path=name, first_line=value.line) if value else ""
        for value in map(values.get, ("title", "subject", "preheader"))
    )
    blocks = read_blocks(
        head.body, fields=fields, faults=faults, path=name, first_line=head.body_line, snippets=snippets
    )
    document = shape(blocks, title=title, fields=fields, faults=faults, path=name)
    title = title or " ".join(plain_text(document.title).split())
    return Draft(
        language=language,
        path=path,
        title=title,
        subject=subject or title,
        preheader=preheader,
        date=day(values["date"].text) if "date" in values else None,
        theme=values["theme"].text if "theme" in values else None,
        list=values["list"].text if "list" in values else None,
        only=parse(values["only"].text) if "only" in values else None,
        document=document,
        fields=tuple(fields),
        corrected=values["corrected"].text if "corrected" in values else "",
        correction=values["correction"].text if "correction" in values else "",
    )
