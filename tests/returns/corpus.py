"""The labelled returned mail beside the project, and how a reader of it is scored; see its README for the labels."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dispatcher.returns.returned import Class, Returned, Verdict

FOLDER = Path(__file__).parents[3] / "shared/corpus/bounces"

_DEAD = frozenset("userunknown hostunknown hasmoved notaccept".split())
_SENDER = frozenset(
    "authfailure badreputation blocked contenterror exceedlimit failedstarttls mesgtoobig norelaying notcompliantrfc "
    "policyviolation rejected requireptr securityerror spamdetected speeding syntaxerror toomanyconn "
    "virusdetected".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """One mail and what people say it is."""

    name: str
    raw: bytes
    kind: str
    recipients: frozenset[str]
    alias: str
    reasons: dict[str, str]
    hard: dict[str, bool]
    feedback_type: str
    is_corroborated: bool


@dataclass(slots=True, kw_only=True)
class Score:
    """Counts over a corpus; a mail that is found has exactly the labelled recipients."""

    bounces: int = 0
    exact: int = 0
    corroborated: int = 0
    corroborated_exact: int = 0
    judged: int = 0
    hard_right: int = 0
    three_way_right: int = 0
    sender_side: int = 0
    sender_side_dead: int = 0
    others: int = 0
    others_called_bounce: int = 0
    abuse: int = 0
    abuse_found: int = 0


def labelled() -> Iterator[Labelled]:
    with (FOLDER / "truth.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            recipients = row["recipients"].lower().split(";")
            yield Labelled(
                name=row["file"],
                raw=(FOLDER / "mails" / row["file"]).read_bytes(),
                kind=row["class"],
                recipients=frozenset(recipients),
                alias=row["alias"].lower(),
                reasons=dict(zip(recipients, row["reasons"].split(";"), strict=False)),
                hard={
                    each: hard == "hard" for each, hard in zip(recipients, row["hard_soft"].split(";"), strict=False)
                },
                feedback_type=row["feedback_type"].split(";")[0],
                is_corroborated=bool(row["corroborated_by"]),
            )


def verdict_of(reason: str) -> Verdict:
    if reason in _DEAD:
        return Verdict.DEAD
    return Verdict.SENDER if reason in _SENDER else Verdict.TRANSIENT


def add(score: Score, mail: Labelled, returned: Returned) -> None:
    """Counts one mail that has been read."""
    is_bounce = returned.kind in {Class.BOUNCE, Class.DELAY}
    found = {each.address.lower(): each for each in returned.recipients} if is_bounce else {}
    if mail.kind != "bounce":
        score.others += 1
        score.others_called_bounce += is_bounce
        is_abuse = mail.feedback_type == "abuse"
        score.abuse += is_abuse
        score.abuse_found += is_abuse and returned.kind is Class.COMPLAINT and returned.feedback_type == "abuse"
        return
    is_exact = set(found) == mail.recipients or (len(mail.recipients) == 1 and set(found) == {mail.alias})
    score.bounces += 1
    score.exact += is_exact
    score.corroborated += mail.is_corroborated
    score.corroborated_exact += mail.is_corroborated and is_exact
    for address, reason in mail.reasons.items():
        recipient = found.get(address) or (found.get(mail.alias) if len(mail.recipients) == 1 else None)
        if recipient is None:
            continue
        truth = verdict_of(reason)
        score.judged += 1
        score.hard_right += recipient.is_hard == mail.hard[address]
        score.three_way_right += recipient.verdict is truth
        score.sender_side += truth is Verdict.SENDER
        score.sender_side_dead += truth is Verdict.SENDER and recipient.is_hard
