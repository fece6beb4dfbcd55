"""The recipe of `dispatcher check 29`: reads, draws and builds every language of an issue, and lists what is wrong."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from lxml import html as lxml_html  # type: ignore[import-untyped]

from dispatcher.config import Settings, shares_of
from dispatcher.content.checking.proof import Proof, references
from dispatcher.content.checking.register import find_all, finding
from dispatcher.content.checking.support import excused
from dispatcher.content.checking.urls import canonical
from dispatcher.content.checking.verdict import Excuse, Verdict, judge
from dispatcher.content.compose import Drawn
from dispatcher.content.drawing.theme import Theme, find_theme, read_strings, shown_path
from dispatcher.content.message.build import make_skeleton, neutral_reader
from dispatcher.content.personal import MARK
from dispatcher.content.source.issue import Draft, Issue, find_issue, issue_folders, issue_number, load_issue
from dispatcher.content.source.translations import drift
from dispatcher.desk import findings, screen
from dispatcher.desk.links import Answers, ask, link_findings
from dispatcher.desk.spam import spam_findings
from dispatcher.errors import Finding, InputWrong, Severity
from dispatcher.models import Edition
from dispatcher.recipes.editions import draw_draft, sample_message

Draw = Callable[[Draft], Drawn]

_URL = re.compile(r"https?://[^\s<>\"'\])]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an editor asks for beside what costs nothing."""

    links: bool = False  # asks every address whether it answers
    spam: bool = False  # asks the spam filters of this machine


@dataclass(slots=True, kw_only=True)
class _Found:
    by_path: dict[str, list[Finding]] = field(default_factory=dict)
    excuses: list[Excuse] = field(default_factory=list)


def check(settings: Settings, what: str, wish: Wish) -> Verdict:
    """What is wrong with an issue, in every language. Raises NotFound and SettingsWrong."""
    try:
        folder = find_issue(settings.folder, what)
        issue = load_issue(folder, root=settings.folder, default_language=settings.language)
    except InputWrong as error:
        return unreadable(error)
    return check_issue(settings, issue, wish, lambda draft: draw_draft(issue, draft, settings, label_missing=True))


def unreadable(error: InputWrong) -> Verdict:
    """What is wrong with an issue that cannot even be read."""
    return judge({"": [finding(fault) for fault in error.faults]}, [])


def stop_at_errors(settings: Settings, issue: Issue, made: Mapping[str, Edition]) -> None:
    """The check as a step of sending: raises InputWrong for errors, and says how much else there is.

    What came up when the editions were made has been told.
    """
    verdict = check_issue(settings, issue, Wish(), lambda draft: Drawn(edition=made[draft.language]))
    if errors := [each.fault for each in verdict.findings if each.severity is Severity.ERROR]:
        raise InputWrong(errors)
    if verdict.findings:
        screen.note(f"{findings.summary(verdict.findings)}; see: dispatcher check {issue.number}")


def check_issue(settings: Settings, issue: Issue, wish: Wish, draw: Draw) -> Verdict:
    """The same, of an issue that has been read."""
    found = _Found()
    earlier = _ran_earlier(settings.folder, issue.number)
    original, *translations = issue.drafts.values()
    for draft in issue.drafts.values():
        path = _shown(draft.path, settings.folder)
        found.excuses += _excuses(draft, original, path)
        try:
            drawn = draw(draft)
            proof = lay_proof(settings, issue, draft, drawn.edition, earlier)
        except InputWrong as error:
            found.by_path[path] = [finding(fault, "NL051") for fault in error.faults]
            continue
        found.by_path[path] = [*(finding(fault) for fault in drawn.warnings), *find_all(proof)]
        if wish.links:
            found.by_path[path] += link_findings(_answers(proof, settings), path)
        if wish.spam:
            found.by_path[path] += spam_findings(proof.raw, path)
    for translation in translations:
        path = _shown(translation.path, settings.folder)
        found.by_path[path] += [finding(fault) for fault in drift(original, translation, path=path)]
    return judge(found.by_path, found.excuses)


def lay_proof(settings: Settings, issue: Issue, draft: Draft, edition: Edition, earlier: Mapping[str, str]) -> Proof:
    """The edition with everything that the checks look at."""
    path = _shown(draft.path, settings.folder)
    theme = find_theme(draft.theme or settings.theme, settings.folder)
    skeleton = make_skeleton(edition)
    raw = sample_message(settings, skeleton, neutral_reader(skeleton, draft.language), issue.number)
    html = _filled(edition, edition.html)
    return Proof(
        path=path,
        lines=tuple(_uncommented(draft.path.read_text(encoding="utf-8-sig")).split("\n")),
        language=draft.language,
        subject=draft.subject,
        preheader=draft.preheader,
        day=draft.date or _today(),
        document=draft.document,
        marked_html=edition.html,
        html=html,
        page=lxml_html.document_fromstring(html),
        text=_filled(edition, edition.text),
        raw=raw,
        message=message_from_bytes(raw, EmailMessage, policy=policy.default),
        theme=_theme_path(theme),
        postal_address=settings.postal_address,
        strings=read_strings(theme, draft.language),
        excused=_excused(theme),
        programs=shares_of(settings.mail_programs) or {},
        tolerated=int(settings.tolerated_share),
        earlier=earlier,
    )


def _filled(edition: Edition, part: str) -> str:
    """A part with something in the place of every field, and both branches of every condition."""
    shown = {"s": "", "x": "reader", "p": "reader", "w": "https://example.org/"}
    urls = {number for number, each in enumerate(edition.fields) if re.search(r"\b\w+_url\b", each.source)}
    return MARK.sub(lambda mark: shown["w" if int(mark[1]) in urls and mark[2] != "s" else mark[2]], part)


def _uncommented(source: str) -> str:
    """The source without what is for editors only; its lines keep their numbers."""
    return re.sub(r"\{#.*?#\}", lambda comment: "\n" * comment[0].count("\n"), source, flags=re.DOTALL)


def _ran_earlier(root: Path, number: int) -> dict[str, str]:
    """Every address of the issues before this one, canonical, with the place where it ran last."""
    ran: dict[str, str] = {}
    for folder in issue_folders(root):
        if issue_number(folder) >= number:
            break
        for path in sorted(folder.glob("issue*.md")):
            text = _uncommented(path.read_text(encoding="utf-8", errors="replace"))
            for line, words in enumerate(text.splitlines(), 1):
                if "://" in words:
                    place = f"{_shown(path, root)}:{line}"
                    ran |= {canonical(url): place for url in _URL.findall(words)}
    return ran


def _excuses(draft: Draft, original: Draft, path: str) -> Iterator[Excuse]:
    for number, reason in draft.ignored.items():
        is_inherited = draft is not original and original.ignored.get(number) == reason
        yield Excuse(check=number, reason=reason.text, path=path, line=reason.line, is_inherited=is_inherited)


def _answers(proof: Proof, settings: Settings) -> Answers:
    """What the servers of the issue's links say."""
    lines = {each.url: each.line for each in references(proof) if each.url.startswith("http")}
    asked = {url: line for url, line in lines.items() if not MARK.search(url)}
    return ask(asked, newsletter=settings.name)


def _excused(theme: Theme) -> frozenset[str]:
    path = next((folder / "head.mjml" for folder in theme.folders if (folder / "head.mjml").is_file()), None)
    return excused(path.read_text(encoding="utf-8")) if path else frozenset()


def _theme_path(theme: Theme) -> str:
    own = [folder for folder in theme.folders if folder.name == theme.name]
    shown = Path(shown_path(own[0], theme))
    return f"templates/{theme.name}" if shown.is_absolute() else shown.as_posix()


def _shown(path: Path, root: Path) -> str:
    path, root = path.resolve(), root.resolve()
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _today() -> date:
    return datetime.now(UTC).date()
