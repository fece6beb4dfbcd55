"""Asks the spam filters of this machine what they think of a message: SpamAssassin, or rspamd."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence

from dispatcher.errors import Fault, Finding, NotFound, Severity

_SECONDS = 60


def spam_findings(message: bytes, path: str) -> list[Finding]:
    """A finding if a filter would take the message for spam. Raises NotFound if there is no filter to ask."""
    if program := shutil.which("spamassassin"):
        score, limit, rules = _of_spamassassin(_output([program, "--local", "--test-mode"], message))
        name = "SpamAssassin"
    elif program := shutil.which("rspamc"):
        score, limit, rules = _of_rspamd(_output([program, "--json"], message))
        name = "rspamd"
    else:
        raise NotFound("neither spamassassin nor rspamc is installed; install one, or leave --spam out")
    if score < limit:
        return []
    fault = Fault(
        path=path,
        message=f"{name} gives the message {score:g} points, and {limit:g} are spam: {', '.join(rules)}",
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


def _of_spamassassin(marked: str) -> tuple[float, float, list[str]]:
    """Score, limit and rules, as the filter writes them into the message's header."""
    unfolded = re.sub(r"\r?\n[ \t]+", " ", marked)
    found = re.search(
        r"^X-Spam-Status: .*?score=(-?[\d.]+) required=([\d.]+) tests=(\S*(?:, ?\S+)*)", unfolded, re.MULTILINE
    )
    if not found:
        raise NotFound("spamassassin gives no score; is it set up? Leave --spam out")
    return float(found[1]), float(found[2]), re.findall(r"[A-Z][A-Z0-9_]+", found[3].partition(" autolearn")[0])


def _of_rspamd(answer: str) -> tuple[float, float, list[str]]:
    try:
        said = json.loads(answer)
        rules = sorted(
            (rule for rule in said["symbols"].values() if rule["score"] > 0), key=lambda rule: -rule["score"]
        )
        return float(said["score"]), float(said["required_score"]), [rule["name"] for rule in rules]
    except (ValueError, KeyError, TypeError) as error:
        raise NotFound("rspamc gives no score; is rspamd running? Leave --spam out") from error
