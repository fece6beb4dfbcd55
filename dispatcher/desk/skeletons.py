"""Writes what a new newsletter and a new issue begin with."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from string import Template

from dispatcher.errors import NotPermitted

_NEWSLETTER = {
    "pyproject.toml": "pyproject.toml",
    ".gitignore": "gitignore",
    "subscribers/readers.csv": "readers.csv",
    "subscribers/staging.csv": "staging.csv",
}


def write_newsletter(folder: Path) -> list[Path]:
    """Writes a newsletter's files and returns them. Raises NotPermitted rather than replace one."""
    return _write(folder, _NEWSLETTER, {"name": _in_quotes(folder.resolve().name)})


def write_issue(root: Path, number: int | None, *, newsletter: str) -> Path:
    """Writes a new issue's file, of the next number unless one is given. Raises NotPermitted if the issue exists."""
    names = (re.match(r"\d+(?=-|$)", each.name) for each in (root / "issues").glob("[0-9]*") if each.is_dir())
    taken = {int(name[0]) for name in names if name}
    number = number or max(taken, default=0) + 1
    if number in taken:
        raise NotPermitted(f"issue {number} exists already; `dispatcher new` without a number takes the next one")
    today = datetime.now(UTC).date()
    values = {
        "number": str(number),
        "name": _in_quotes(newsletter or root.name),
        "date": today.isoformat(),
        "later": (today + timedelta(days=30)).isoformat(),  # for what must not have passed
    }
    return _write(root, {f"issues/{number}/issue.md": "issue.md"}, values)[0]


def _in_quotes(text: str) -> str:
    """A text as it stands between quotes in TOML and YAML."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _write(folder: Path, files: Mapping[str, str], values: Mapping[str, str]) -> list[Path]:
    skeletons = resources.files("dispatcher.desk") / "skeleton"
    paths = {folder / target: skeletons / source for target, source in files.items()}
    if existing := [path for path in paths if path.exists()]:
        raise NotPermitted(f"{existing[0]} exists already and is not replaced; choose another folder")
    for path, skeleton in paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(Template(skeleton.read_text(encoding="utf-8")).safe_substitute(values), encoding="utf-8")
    return list(paths)
