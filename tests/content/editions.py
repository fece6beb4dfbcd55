"""Every issue that the tests know, as editions in both themes: what the browser and the text are held against."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from dispatcher.content import compose as composing
from dispatcher.content.drawing.inline import inline_styles
from dispatcher.content.drawing.theme import find_theme
from dispatcher.content.source.issue import load_issue
from dispatcher.models import Edition
from tests.content.reference_issue import FOLDER, REFERENCE
from tests.content.trees import LETTERHEAD, ROOT

SEED = ROOT.parent / "shared/seed/ml-utd-29.zh.md"
ARABIC = ROOT / "tests/content/arabic"
MADE = [
    (issue, theme, language)
    for issue, languages in (("reference", "en zh"), ("29", "en zh"), ("arabic", "ar"), ("seed", "zh"))
    for theme in ("default", "letter")
    for language in languages.split()
]


@dataclass(frozen=True, slots=True)
class Made:
    """An edition, and what it was before its styles were moved into the tags."""

    edition: Edition
    before: str

    @property
    def pictures(self) -> Mapping[str, bytes]:
        return {picture.name: picture.content for picture in self.edition.pictures}


@cache
def make(issue: str, theme: str, language: str, empty: Path) -> Made:
    """The edition; `empty` is a folder for the seed, which is only one file."""
    if issue == "seed" and not SEED.exists():
        pytest.skip("needs ../shared/seed, which is not part of the project")
    before: list[str] = []

    def watched(html: str, rules: str) -> str:
        before.append(html.replace("</head>", f"<style>{rules}</style></head>", 1))
        return inline_styles(html, rules)

    folder, root = _issue(issue, empty)
    draft = load_issue(folder, root=root, default_language=language if issue == "arabic" else "en").drafts[language]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(composing, "inline_styles", watched)
        edition = composing.compose(
            draft, number=29, folder=folder, theme=find_theme(theme, ROOT), letterhead=LETTERHEAD, label_missing=True
        )
    return Made(edition, before[-1])


def _issue(name: str, empty: Path) -> tuple[Path, Path]:
    """An issue's folder, and the newsletter's."""
    if name != "seed":
        return {
            "reference": (FOLDER, REFERENCE),
            "29": (ROOT / "issues/29", ROOT),
            "arabic": (ARABIC / "issues/1", ARABIC),
        }[name]
    folder = empty / "issues/29"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "issue.md").write_text("# Nothing\n\nHere.\n", encoding="utf-8")
    (folder / "issue.zh.md").write_bytes(SEED.read_bytes())
    return folder, empty
