"""Sorts what was found: what the editor lets pass, with his reason, and what stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dispatcher.content.checking.register import checks, finding
from dispatcher.errors import Fault, Finding, Severity

_FIRST = (Severity.ERROR, Severity.WARNING, Severity.NOTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Excuse:
    """A check that an issue's front matter lets pass."""

    check: str
    reason: str
    path: str  # of the file whose findings it is about, and where it stands
    line: int
    is_inherited: bool = False  # from issue.md, by a translation


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found in an issue: the worst first, then by place."""

    findings: tuple[Finding, ...]
    let_pass: tuple[tuple[Finding, str], ...] = ()  # each with the editor's reason

    def count(self, severity: Severity) -> int:
        return sum(each.severity is severity for each in self.findings)

    @property
    def is_sendable(self) -> bool:
        return not self.count(Severity.ERROR)


def judge(found: Mapping[str, Sequence[Finding]], excuses: Sequence[Excuse]) -> Verdict:
    """The verdict on what was found in each of an issue's files, by its path."""
    stands: list[Finding] = []
    let_pass: list[tuple[Finding, str]] = []
    used: set[str] = set()
    for path, findings in found.items():
        reasons = {excuse.check: excuse.reason for excuse in excuses if excuse.path == path}
        for each in findings:
            if each.check in reasons:
                let_pass.append((each, reasons[each.check]))
                used.add(each.check)
            else:
                stands.append(each)
    stands += [_stale(excuse) for excuse in excuses if not excuse.is_inherited and excuse.check not in used]
    once = dict.fromkeys(stands)
    return Verdict(findings=tuple(sorted(once, key=_order)), let_pass=tuple(dict.fromkeys(let_pass)))


def _order(each: Finding) -> tuple[int, str, int, str]:
    return _FIRST.index(each.severity), each.fault.path, each.fault.line or 0, each.check


def _stale(excuse: Excuse) -> Finding:
    known = excuse.check in checks()
    message = f"{excuse.check} is let pass, and finds nothing" if known else f"there is no check {excuse.check}"
    fault = Fault(path=excuse.path, line=excuse.line, message=message, remedy="remove the line")
    return finding(fault, "NL052")
