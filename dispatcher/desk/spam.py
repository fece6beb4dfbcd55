"""Asks the spam filters of this machine what they think of a message: SpamAssassin, or rspamd."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from dispatcher.errors import Fault, Finding, NotFound, Severity

_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opinion:
    filter: str
    is_spam: bool  # it would at least be marked
    score: float
    limit: float
    rules: Sequence[str]


def spam_findings(message: bytes, path: str) -> list[Finding]:
    """A finding if a filter would take the message for spam. Raises NotFound if there is no filter to ask."""
    if program := shutil.which("spamassassin"):
        opinion = _of_spamassassin(_output([program, "--local", "--test-mode"], message))
    elif program := shutil.which("rspamc"):
        opinion = _of_rspamd(_output([program, "--json"], message))
    else:
        raise NotFound("neither spamassassin nor rspamc is installed; install one, or leave --spam out")
    if not opinion.is_spam:
        return []
    fault = Fault(
        path=path,
        message=(
            f"{opinion.filter} gives the message {opinion.score:g} of {opinion.limit:g} points and takes it for spam: "
            f"{', '.join(opinion.rules)}"
        ),
        remedy="see the rules' names; those about relays and signatures are no faults of the words",
        check="NL035",
    )
    return [Finding(check="NL035", severity=Severity.NOTE, fault=fault)]


def _output(command: Sequence[str], message: bytes) -> str:
    try:
        done = subprocess.run(command, input=message, capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotFound(f"{command[0]} does not answer: {error}; leave --spam out") from error
    return done.stdout.decode(errors="replace")


def _of_spamassassin(marked: str) -> _Opinion:
    """Score, limit and rules, as the filter writes them into the message's header."""
    unfolded = re.sub(r"\r?\n[ \t]+", " ", marked)
    found = re.search(
        r"^X-Spam-Status: .*?score=(-?[\d.]+) required=([\d.]+) tests=(\S*(?:, ?\S+)*)", unfolded, re.MULTILINE
    )
    if not found:
        raise NotFound("spamassassin gives no score; is it set up? Leave --spam out")
    score, limit = float(found[1]), float(found[2])
    rules = re.findall(r"[A-Z][A-Z0-9_]+", found[3].partition(" autolearn")[0])
    return _Opinion(filter="SpamAssassin", is_spam=score >= limit, score=score, limit=limit, rules=rules)


def _of_rspamd(answer: str) -> _Opinion:
    """Its limit is that of refusal; long before that it asks for a mark, which puts mail into the folder of spam."""
    try:
        said = json.loads(answer)
        rules = sorted(
            (rule for rule in said["symbols"].values() if rule["score"] > 0), key=lambda rule: -rule["score"]
        )
        return _Opinion(
            filter="rspamd",
            is_spam=said["action"] in {"add header", "rewrite subject", "reject"},
            score=float(said["score"]),
            limit=float(said["required_score"]),
            rules=[rule["name"] for rule in rules],
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotFound("rspamc gives no score; is rspamd running? Leave --spam out") from error
