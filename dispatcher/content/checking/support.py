"""Checks styles against what mail programs do with them, by the data of caniemail.com (support.json, MIT)."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources

from dispatcher.content.checking.proof import Proof
from dispatcher.errors import Fault

_SIDES = re.compile(r"^(margin|padding|border|overflow)-(?:top|right|bottom|left|x|y)$")
_EXCUSE = re.compile(r"^   ([a-z-]+(?:, [a-z-]+)*)  +[A-Z][\w ,]*: \w", re.MULTILINE)


@cache
def support() -> Mapping[str, Mapping[str, str]]:
    """For each feature, such as `css-border-radius`, what each program makes of it: y, a (in part), n or u."""
    text = (resources.files("dispatcher.content.checking") / "support.json").read_text(encoding="utf-8")
    found: Mapping[str, Mapping[str, str]] = json.loads(text)["features"]
    return found


def excused(head: str) -> frozenset[str]:
    """The properties for which a comment in a theme's head says what readers see instead."""
    return frozenset(name for names in _EXCUSE.findall(head) for name in names.split(", "))


def unsupported_styles(proof: Proof) -> Iterator[Fault]:
    used = {name for style in proof.page.xpath("//@style") for name in re.findall(r"(?:^|;)\s*([a-z-]+)\s*:", style)}
    for name in sorted(used):
        base = _SIDES.sub(r"\1", name)
        without = [program for program, value in support().get(f"css-{base}", {}).items() if value == "n"]
        share = sum(proof.programs.get(program, 0) for program in without)
        if share > proof.tolerated and base not in proof.excused:
            message = f"{base} does nothing in {' and '.join(without)}, the programs of {share} % of your readers"
            remedy = "do without it, or say in the theme's head what they see instead"
            yield proof.fault_of_theme("head.mjml", message, remedy)
