"""Every style that a theme relies on is supported where most readers are, or the theme says what they see instead."""

import re

import pytest
from lxml import html as lxml_html  # type: ignore[import-untyped]  # premailer's parser

from dispatcher.content.checking.support import support
from tests.content.golden import GOLDEN, THEMES
from tests.content.trees import ROOT


def unsupported(theme: str) -> dict[str, set[str]]:
    """The properties in `style=` of what the theme draws, and the programs that do nothing with them."""
    found: dict[str, set[str]] = {}
    for path in sorted((GOLDEN / theme).glob("*.html")):
        page = lxml_html.document_fromstring(path.read_text(encoding="utf-8"))
        for style in page.xpath("//@style"):
            for name in re.findall(r"(?:^|;)\s*([a-z-]+)\s*:", style):
                base = re.sub(r"^(margin|padding|border|overflow)-(top|right|bottom|left|x|y)$", r"\1", name)
                programs = {program for program, value in support().get(f"css-{base}", {}).items() if value == "n"}
                if programs:
                    found.setdefault(base, set()).update(programs)
    return found


def fallbacks(theme: str) -> dict[str, set[str]]:
    """What the comment in the theme's head says: property, programs, what is seen instead."""
    source = (ROOT / "templates" / theme / "head.mjml").read_text(encoding="utf-8")
    lines = re.findall(r"^   ([a-z-]+(?:, [a-z-]+)*)  +([A-Z][\w ,]*): \w", source, re.MULTILINE)
    return {name: set(programs.split(", ")) for names, programs in lines for name in names.split(", ")}


@pytest.mark.parametrize("theme", THEMES)
def test_each_unsupported_property_has_a_fallback_named_in_the_theme(theme: str) -> None:
    assert unsupported(theme)
    assert unsupported(theme) == fallbacks(theme)


@pytest.mark.parametrize("theme", THEMES)
def test_no_style_is_used_that_no_mail_program_is_known_for(theme: str) -> None:
    """Colours, fonts and borders are as old as mail in HTML; what is newer must be in the data."""
    old = r"(color|font|border|background|margin|padding|mso-|text-|overflow)[\w-]*"
    for path in sorted((GOLDEN / theme).glob("*.html")):
        page = lxml_html.document_fromstring(path.read_text(encoding="utf-8"))
        used = {name for style in page.xpath("//@style") for name in re.findall(r"(?:^|;)\s*([a-z-]+)\s*:", style)}
        assert [name for name in used if f"css-{name}" not in support() and not re.fullmatch(old, name)] == []
