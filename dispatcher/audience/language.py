"""Chooses the edition for a reader's language (RFC 4647 lookup, with the script that Chinese regions imply)."""

import re
from collections.abc import Sequence

_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_SCRIPT_OF_REGION = {"CN": "Hans", "SG": "Hans", "TW": "Hant", "HK": "Hant", "MO": "Hant"}


def is_tag(text: str) -> bool:
    """Whether the text has the form of a BCP 47 language tag."""
    return len(text) <= 35 and _TAG.fullmatch(text) is not None


def best_match(wanted: str | None, available: Sequence[str], default: str) -> str:
    """The one of `available` that suits a reader who wants `wanted`, else `default`.

    zh-TW finds zh-Hant before zh; zh-Hant finds zh when there is nothing nearer.
    """
    if wanted is None:
        return default
    by_tag = {tag.lower(): tag for tag in available}
    for candidate in _fallbacks(wanted):
        if found := by_tag.get(candidate.lower()):
            return found
    return default


def _fallbacks(tag: str) -> list[str]:
    subtags = tag.split("-")
    chain = ["-".join(subtags[:length]) for length in range(len(subtags), 0, -1)]
    script = _SCRIPT_OF_REGION.get(subtags[-1].upper()) if subtags[0].lower() == "zh" else None
    if script and len(subtags) == 2:
        chain.insert(1, f"zh-{script}")
    return [part for part in chain if not re.search(r"-[A-Za-z0-9]$", part)]
