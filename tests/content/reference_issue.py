"""The reference issue: one of every kind of content, in English and Chinese."""

from pathlib import Path

from dispatcher.content.source.issue import Draft, load_issue

REFERENCE = Path(__file__).parent / "reference"  # a newsletter's folder
FOLDER = REFERENCE / "issues/1"


def reference_draft(language: str) -> Draft:
    return load_issue(FOLDER, root=REFERENCE, default_language="en").drafts[language]
