"""Finds `[tool.dispatcher]` in a pyproject.toml, and where in the file a setting stands."""

import re
import tomllib
from pathlib import Path

from dispatcher.errors import SettingsWrong


def settings_table(path: Path) -> dict[str, object] | None:
    """`[tool.dispatcher]` of a pyproject.toml, None if there is none."""
    try:
        tool = tomllib.loads(path.read_text(encoding="utf-8")).get("tool")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsWrong(f"{path}: {error}; mend the file") from error
    if tool is None or (isinstance(tool, dict) and "dispatcher" not in tool):
        return None
    table = tool["dispatcher"] if isinstance(tool, dict) else None
    if not isinstance(table, dict):
        raise SettingsWrong(f"{path}: tool.dispatcher is no table; write it as [tool.dispatcher]")
    return table


def line_of(path: Path, key: str) -> int:
    """Where a setting stands in the file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    table = next((number for number, line in enumerate(lines) if line.strip() == "[tool.dispatcher]"), 0)
    written = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*=""")
    return next(
        (number for number, line in enumerate(lines[table:], start=table + 1) if written.match(line)), table + 1
    )


def line_of_table(path: Path, key: str, number: int = 0) -> int:
    """Where a table of settings begins in the file; of several, the one with this number."""
    written = re.compile(rf"\s*\[+tool\.dispatcher\.{re.escape(key)}[\].]")
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [at for at, line in enumerate(lines, start=1) if written.match(line)]
    return found[number] if number < len(found) else line_of(path, key)
