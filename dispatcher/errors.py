"""What the operator can put right: each error names the thing, the place and the remedy, and has an exit code."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong in a file: printed as `path:line: message; remedy`, clickable in an editor."""

    path: str
    message: str
    line: int | None = None
    remedy: str = ""
    check: str = field(default="", compare=False)  # the one that finds it, such as NL012; of most, known from where

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        sentence = f"{self.message}; {self.remedy}" if self.remedy else self.message
        return f"{place}: {sentence}"


class Severity(StrEnum):
    """What a finding of `dispatcher check` means for a send."""

    ERROR = "error"  # it stops the send
    WARNING = "warning"  # it stops nothing; not a promise that readers will not mind
    NOTE = "note"  # a matter of taste


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A fault as the check of that number found it."""

    check: str
    severity: Severity
    fault: Fault


class DispatcherError(Exception):
    """Shown to the operator as one line; `exit_code` follows sysexits(3)."""

    exit_code = 1


class InputWrong(DispatcherError):
    """The issue, a template or a subscriber file is wrong: every fault with file, line and remedy."""

    exit_code = 65

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


class NotFound(DispatcherError):
    """No such issue, list or file."""

    exit_code = 66


class RelayUnusable(DispatcherError):
    """No connection at the start, or the relay refuses the sender or every message: no reader is marked."""

    exit_code = 69


class LedgerFailed(DispatcherError):
    """The ledger cannot be written; sending stopped at once."""

    exit_code = 74


class Unfinished(DispatcherError):
    """Run it again later: another run holds the lock, or the relay was lost for longer than patience allows."""

    exit_code = 75


class LostTouch(Unfinished):
    """Others may take the run for dead by now: the database took no sign of life of it for too long."""


class NotPermitted(DispatcherError):
    """Refused by a receipt or the gate, or not confirmed; nothing is left behind."""

    exit_code = 77


class SettingsWrong(DispatcherError):
    """Settings are missing or contradict each other."""

    exit_code = 78
