"""Prints what `dispatcher check` found: for people, as JSON, and as the annotations that GitHub shows beside a file."""

import json
from collections.abc import Sequence

from dispatcher.errors import Finding, Severity


def print_text(findings: Sequence[Finding], let_pass: Sequence[tuple[Finding, str]]) -> None:
    """One finding a line, `file:line: NL012 warning: what; remedy`, then how many there are."""
    for each in findings:
        fault = each.fault
        place = fault.path if fault.line is None else f"{fault.path}:{fault.line}"
        sentence = f"{fault.message}; {fault.remedy}" if fault.remedy else fault.message
        print(f"{place}: {each.check} {each.severity}: {sentence}")
    for each, reason in let_pass:
        print(f"{each.fault.path}: {each.check} is let pass: {reason}")
    more = f"; more on one: dispatcher check --explain {findings[0].check}" if findings else ""
    print(summary(findings) + more)


def summary(findings: Sequence[Finding]) -> str:
    """`2 errors, 1 warning: the issue cannot be sent`."""
    counts = [(severity, sum(each.severity is severity for each in findings)) for severity in Severity]
    said = [f"{count} {severity}{'s' if count > 1 else ''}" for severity, count in counts if count]
    if not said:
        return "nothing to object to"
    is_stopped = counts[0][1] > 0
    return f"{', '.join(said)}: {'the issue cannot be sent' if is_stopped else 'nothing that stops a send'}"


def print_json(findings: Sequence[Finding], let_pass: Sequence[tuple[Finding, str]]) -> None:
    shown = {
        "findings": [as_plain(each) for each in findings],
        "let_pass": [as_plain(each) | {"reason": reason} for each, reason in let_pass],
    }
    print(json.dumps(shown, indent=2, ensure_ascii=False))


def as_plain(each: Finding) -> dict[str, object]:
    return {
        "check": each.check,
        "severity": each.severity.value,
        "path": each.fault.path,
        "line": each.fault.line,
        "message": each.fault.message,
        "remedy": each.fault.remedy,
    }


def print_github(findings: Sequence[Finding]) -> None:
    """Workflow commands, `::error file=…,line=…,title=…::…`."""
    kinds = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
    for each in findings:
        fault = each.fault
        place = f"file={_property(fault.path)}" + (f",line={fault.line}" if fault.line else "")
        words = f"{fault.message}; {fault.remedy}" if fault.remedy else fault.message
        print(f"::{kinds[each.severity]} {place},title={each.check}::{_data(words)}")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
