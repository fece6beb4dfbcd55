"""Checks the HTML that a theme drew: that it is whole, safe, legible, and made for those who cannot see it as well."""

import re
from collections.abc import Iterator
from itertools import pairwise

from lxml.html import HtmlElement  # type: ignore[import-untyped]

from dispatcher.content.checking.proof import Proof, shortened
from dispatcher.content.checking.styles import Scheme, contrast, hexadecimal, shown_texts
from dispatcher.content.tree import plain_text
from dispatcher.errors import Fault

WIDEST = 640  # pixels, of what cannot shrink
SMALLEST_TEXT = 12  # pixels
NEAR_BYTES = 90_000

_FORBIDDEN = frozenset("script iframe form object embed base audio video link".split())
_LEFT_OVER = re.compile(r"\\u\{[0-9a-f]+\}|\{\{|\{%|%7B%7B", re.IGNORECASE)
_OF_OTHERS = re.compile(r"\*\|[A-Z0-9_:]+\|\*|%%?[A-Z_]{4,}%%?|<%=.*?%>|~[A-Z_]{4,}~")
_OPENED, _CLOSED = re.compile(r"<!--\[if\b[^\]]*\]"), re.compile(r"<!\[endif\]-->")


def incomplete_head(proof: Proof) -> Iterator[Fault]:
    root, missing = proof.page, []
    if not proof.html.lstrip().lower().startswith("<!doctype html>"):
        missing.append("the doctype")
    missing += [f"{name}= on <html>" for name in ("lang", "dir") if not root.get(name)]
    if not (root.findtext(".//title") or "").strip():
        missing.append("a <title>")
    metas = {(meta.get("name") or meta.get("http-equiv") or "").lower() for meta in root.iter("meta")}
    has_charset = "content-type" in metas or any(meta.get("charset") for meta in root.iter("meta"))
    missing += [] if has_charset else ["its character set"]
    missing += [f"<meta name={name}>" for name in ("viewport", "color-scheme") if name not in metas]
    if missing:
        yield proof.fault_of_theme("issue.mjml", f"the HTML lacks {', '.join(missing)}", "see the default theme's head")


def unbalanced_comments(proof: Proof) -> Iterator[Fault]:
    opened, closed = len(_OPENED.findall(proof.html)), len(_CLOSED.findall(proof.html))
    if opened != closed:
        message = f"{opened} of Outlook's conditional comments are opened and {closed} closed"
        yield proof.fault_of_theme("issue.mjml", message, "close each <!--[if mso]> with <![endif]-->")


def left_over_marks(proof: Proof) -> Iterator[Fault]:
    """Of our own templates, seen in what was drawn; and of other programs, which Markdown may have eaten by then."""
    source = "\n".join(proof.lines)
    looked_at = (("HTML", proof.html, _LEFT_OVER), ("text part", proof.text, _LEFT_OVER), ("mail", source, _OF_OTHERS))
    for part, words, pattern in looked_at:
        if found := pattern.search(words):
            message = f"“{found[0]}” is left in the {part}, as a template's mark that nothing has filled"
            remedy = 'write it as {{ subscriber.name | default("reader") }}, or remove it'
            yield proof.fault(message, remedy, line=proof.line_of(found[0]))
            return


def forbidden_tags(proof: Proof) -> Iterator[Fault]:
    for name in sorted({tag for tag in (each.tag for each in proof.page.iter()) if tag in _FORBIDDEN}):
        message = f"the HTML holds <{name}>, which mail programs remove, or refuse the mail for"
        yield proof.fault_of_theme("issue.mjml", message, "remove it")
    if any((image.get("src") or "").startswith("data:") for image in proof.page.iter("img")):
        yield proof.fault_of_theme(
            "blocks.mjml", "a picture is written into the HTML as data:, which Gmail does not show", "link to its file"
        )


def dead_anchors(proof: Proof) -> Iterator[Fault]:
    there = {each.get("id") or each.get("name") for each in proof.page.iter() if isinstance(each.tag, str)}
    for link in proof.page.iter("a"):
        target = link.get("href") or ""
        if target.startswith("#") and target[1:] not in there:
            message = f"“{shortened(link.text_content())}” leads to {target}, which is nowhere in the mail"
            yield proof.fault_of_theme("issue.mjml", message, "give the target that id, or remove the link")


def unordered_page(proof: Proof) -> Iterator[Fault]:
    """What a screen reader stumbles over."""
    page = proof.page
    levels = [int(each.tag[1]) for each in page.iter("h1", "h2", "h3", "h4", "h5", "h6")]
    if levels.count(1) != 1:
        yield proof.fault_of_theme("issue.mjml", f"the page has {levels.count(1)} h1 headings", "give it one")
    if leap := next(((one, two) for one, two in pairwise(levels) if two > one + 1), None):
        message = f"a heading of level {leap[1]} follows one of level {leap[0]}"
        yield proof.fault(message, "leave no level out", line=proof.line_of("#" * leap[1] + " "))
    layouts = [
        t for t in page.iter("table") if t.get("role") not in {"presentation", "none"} and t.find(".//th") is None
    ]
    if layouts:
        message = f"{len(layouts)} layout tables have no role=presentation, and are read out as tables"
        yield proof.fault_of_theme("blocks.mjml", message, "add the role")
    if any(image.get("alt") is None for image in page.iter("img")):
        yield proof.fault_of_theme("blocks.mjml", "a picture has no alt=", 'add it, empty (alt="") for decoration')


def small_or_wide(proof: Proof) -> Iterator[Fault]:
    small = {shown.pixels: shown.text for shown in shown_texts(proof.page, Scheme.LIGHT)
             if 0 < shown.pixels < SMALLEST_TEXT and re.search(r"\w", shown.text)}  # fmt: skip
    for pixels, words in small.items():
        message = f"“{shortened(words)}” is {pixels:g} pixels high, too small to read on a phone"
        yield proof.fault_of_theme("head.mjml", message, f"make it {SMALLEST_TEXT} or more")
    widths = [width for each in proof.page.iter("table", "td", "div", "img") for width in _fixed_widths(each)]
    if wide := [width for width in widths if width > WIDEST]:
        message = f"something is {max(wide)} pixels wide, wider than any phone and most mail programs' panes"
        yield proof.fault_of_theme("issue.mjml", message, f"keep to {WIDEST}, or use max-width")


def faint_text(proof: Proof) -> Iterator[Fault]:
    for scheme in Scheme:
        told: set[tuple[str, str]] = set()
        for shown in shown_texts(proof.page, scheme):
            if shown.background is None or not re.search(r"\w", shown.text):
                continue
            wanted = 3.0 if shown.is_large else 4.5
            ratio = contrast(shown.colour, shown.background)
            pair = hexadecimal(shown.colour), hexadecimal(shown.background)
            if ratio < wanted and pair not in told:
                told.add(pair)
                where = "in dark mode " if scheme is Scheme.DARK else ""
                message = f"{where}“{shortened(shown.text, 30)}” is {pair[0]} on {pair[1]}, a contrast of {ratio:.1f}"
                yield proof.fault_of_theme("head.mjml", message, f"make it {wanted:g} or more")


def near_the_limit(proof: Proof) -> Iterator[Fault]:
    size = len(proof.html.encode())
    if size > NEAR_BYTES:
        message = f"the HTML has {size:,} bytes; from 100,000 on it is not sent, for Gmail would cut it off"
        heaviest = ", ".join(f"“{title}” {bytes_:,}" for title, bytes_ in _heaviest(proof))
        yield proof.fault(message, f"shorten the largest stories: {heaviest}")


def _heaviest(proof: Proof) -> list[tuple[str, int]]:
    """The three largest stories, by the bytes between their anchors."""
    stories = [story for section in proof.document.sections for story in section.stories]
    starts = [(proof.html.find(f'id="{story.anchor}"'), plain_text(story.title)) for story in stories]
    ends = [start for start, _ in starts[1:]] + [len(proof.html)]
    sizes = [(title, len(proof.html[start:end].encode())) for (start, title), end in zip(starts, ends, strict=True)]
    return sorted(sizes, key=lambda size: -size[1])[:3]


def _fixed_widths(element: HtmlElement) -> Iterator[int]:
    if (width := str(element.get("width", ""))).isdigit():
        yield int(width)
    if found := re.search(r"(?<![\w-])(?:min-)?width\s*:\s*(\d+)px", str(element.get("style", ""))):
        yield int(found[1])
