"""The register of checks: what finds each of them, and what is to be said about it (checks.toml)."""

import difflib
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from dispatcher.content.checking import inbox, links, mail, notices, page, pictures, support, words
from dispatcher.content.checking.proof import Proof
from dispatcher.errors import Fault, Finding, NotFound, Severity

Find = Callable[[Proof], Iterator[Fault]]

FINDS: Mapping[str, Find] = {
    "NL005": pictures.undescribed,
    "NL006": words.literal_emphasis,
    "NL007": words.literal_html,
    "NL009": words.told_twice,
    "NL010": words.broken_handles,
    "NL011": links.private_addresses,
    "NL012": links.vague_words,
    "NL014": links.shortened_addresses,
    "NL016": pictures.more_pictures_than_words,
    "NL017": pictures.uncredited,
    "NL019": page.incomplete_head,
    "NL020": page.unbalanced_comments,
    "NL021": page.left_over_marks,
    "NL022": support.unsupported_styles,
    "NL023": page.faint_text,
    "NL024": page.unordered_page,
    "NL025": page.forbidden_tags,
    "NL026": page.dead_anchors,
    "NL027": page.small_or_wide,
    "NL029": mail.poor_text,
    "NL030": inbox.impossible_subject,
    "NL031": inbox.preheader_of_use,
    "NL032": mail.missing_rights,
    "NL033": mail.fragile_message,
    "NL034": words.invisible_characters,
    "NL037": links.tracked_addresses,
    "NL038": words.double_spaces,
    "NL039": links.unencrypted_addresses,
    "NL040": links.misleading_words,
    "NL042": links.ran_before,
    "NL043": notices.unlabelled_sponsors,
    "NL044": notices.closed_jobs,
    "NL045": notices.past_events,
    "NL046": inbox.long_subject,
    "NL047": inbox.loud_subject,
    "NL053": pictures.unlicensed,
    "NL054": page.near_the_limit,
    "NL055": links.disguised_hosts,
}
"""The checks that look at a proof. The others are found on the way to it: while a source is read, a theme drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What is to be said about a check."""

    id: str
    severity: Severity
    title: str
    why: str
    instead: str


@cache
def checks() -> Mapping[str, Check]:
    """Every check by its id, in the order of their numbers."""
    text = (resources.files("dispatcher.content.checking") / "checks.toml").read_text(encoding="utf-8")
    return {
        id_: Check(id=id_, severity=Severity(said.pop("severity")), **said) for id_, said in tomllib.loads(text).items()
    }


def named_check(name: str) -> Check:
    """The check of that id, in whatever case. Raises NotFound."""
    if found := checks().get(name.upper()):
        return found
    nearest = difflib.get_close_matches(name.upper(), checks(), 1, 0.5)
    raise NotFound(
        f"there is no check {name}; " + (f"did you mean {nearest[0]}?" if nearest else "see: check --explain")
    )


def find_all(proof: Proof) -> Iterator[Finding]:
    """What every check finds in the proof."""
    for id_, find in FINDS.items():
        for fault in find(proof):
            yield finding(fault, id_)


def finding(fault: Fault, otherwise: str = "NL050") -> Finding:
    """A fault as what its check found; `otherwise` names the check of a fault that says nothing itself."""
    id_ = fault.check or otherwise
    return Finding(check=id_, severity=checks()[id_].severity, fault=fault)
