"""Decides why a delivery failed, from all that is told about it: the server's words, its codes, the report's status."""

import re

from dispatcher.returns import codes, phrases
from dispatcher.returns.phases import Phase, phase_in
from dispatcher.returns.returned import Cause, Recipient, Verdict, verdict_on

_MOST_WORDS = 500
_GENERAL = {Cause.POLICY, Cause.SYSTEM, Cause.NETWORK, Cause.PROTOCOL, Cause.EXPIRED}
_STRONG_SUBJECTS = {"2", "3", "6", "7"}
_QUOTED = re.compile(r"(?<![\w.:/#-])(?:smtp; ?)?([45]\d\d)(?:[ -]+(?:[45]\.\d{1,3}\.\d{1,3}\b)?|\s*<)[\s\S]*")
_PLAIN_UNKNOWN = re.compile(r"(?i)user unknown|unknown user|no such user")


def judge(address: str, *, said: str, status: str | None = None, around: str = "", source: str) -> Recipient:
    """What is known about one recipient.

    `said` are the receiving server's words, `status` is the reporting server's own code, `around` the rest of the
    notice, heard only where those two say nothing.
    """
    if status is not None and not codes.STATUS.fullmatch(status):  # a provider may send anything
        status = None
    quoted = _QUOTED.search(said)
    words = quoted[0] if quoted else said
    told = codes.find_status(words) or status or codes.find_status(said)
    reply = codes.find_reply(words) or codes.find_reply(around)
    cause, why = _weigh(words, told) or _weigh(said, status) or _weigh(around, None) or (Cause.OTHER, "")
    if reply or told:
        cause, why = _at_its_point(cause, why, words, told, phase_in(said) or phase_in(around))
    return Recipient(
        address=address,
        status=told or codes.find_status(around),
        reply=reply,
        cause=cause,
        said=" ".join(words.split())[:_MOST_WORDS],
        evidence=(source, why) if why else (source,),
    )


def _weigh(words: str, status: str | None) -> tuple[Cause, str] | None:
    """Particular words, then a particular code, then general words or codes."""
    heard = phrases.cause_in(words)
    by_code = codes.cause_of(status) if status else None
    said = (heard[0], f"words: {heard[1]}") if heard else None
    coded = (by_code, f"status {status}") if by_code else None
    if said and said[0] not in _GENERAL:
        return said
    if coded and (codes.is_particular(status or "") or (status or "..").split(".")[1] in _STRONG_SUBJECTS):
        return coded
    return said or coded


def _at_its_point(cause: Cause, why: str, words: str, status: str | None, phase: Phase | None) -> tuple[Cause, str]:
    """What a refusal means by the point of the session at which it was made."""
    is_dead = verdict_on(cause) is Verdict.DEAD
    if phase in {Phase.GREETING, Phase.MAIL} and (is_dead or cause in _GENERAL or cause is Cause.OTHER):
        return (Cause.REPUTATION if phase is Phase.GREETING else Cause.SENDER), ", ".join(
            filter(None, (why, f"at {phase}"))
        )
    names_address = status is not None and status.startswith("5.1.") and codes.is_particular(status)
    if is_dead and phase is not Phase.RCPT and not names_address and _PLAIN_UNKNOWN.search(words):
        # An address is refused at RCPT, or with a code that names it; filters say "user unknown" after the content.
        return Cause.FILTERED, f"{why}, but neither at RCPT nor with a code that names the address"
    return cause, why
