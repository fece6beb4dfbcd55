"""What the doctor finds: each with the remedy in words, and the exit code that a script sees."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dispatcher.errors import LedgerFailed, RelayUnusable, SettingsWrong

SETTINGS, RELAY, LEDGER = SettingsWrong.exit_code, RelayUnusable.exit_code, LedgerFailed.exit_code
_ORDER = (LEDGER, RELAY, SETTINGS)


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"  # some receivers mind
    ERROR = "error"  # mail will be refused, or the program will


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    check: str  # "SPF"
    level: Level
    message: str
    remedy: str = ""
    exit_code: int = SETTINGS  # of an error


def fine(check: str, message: str) -> Finding:
    return Finding(check=check, level=Level.OK, message=message)


def warning(check: str, message: str, remedy: str) -> Finding:
    return Finding(check=check, level=Level.WARNING, message=message, remedy=remedy)


def error(check: str, message: str, remedy: str, *, exit_code: int = SETTINGS) -> Finding:
    return Finding(check=check, level=Level.ERROR, message=message, remedy=remedy, exit_code=exit_code)


def exit_code_of(findings: Sequence[Finding]) -> int:
    """Of the worst error, in the order in which the program's exit codes rank; 0 where there is none."""
    codes = {each.exit_code for each in findings if each.level is Level.ERROR}
    return next((code for code in _ORDER if code in codes), 0)
