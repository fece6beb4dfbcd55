"""Reads one run of Markdown text, such as a paragraph's or a heading's, into the tree's inlines."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from markdown_it.common.normalize_url import normalizeLink
from markdown_it.token import Token

from dispatcher.content.personal import MARK, has_mark, in_url
from dispatcher.content.source.credit import attributes, credit_line
from dispatcher.content.source.inline_grammar import inline_grammar, is_spaceless
from dispatcher.content.tree import (
    CodeSpan,
    Emphasis,
    Figure,
    Inline,
    Inlines,
    LineBreak,
    Link,
    Strong,
    Struck,
    Text,
    plain_text,
)
from dispatcher.errors import Fault
from dispatcher.models import Field

DEEPEST = 50  # levels of emphasis, lists or quotations in each other


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The file being read: where its faults and personal fields go, and the reference links it defines."""

    path: str
    faults: list[Fault]
    fields: list[Field]
    references: dict[str, Any] = field(default_factory=dict)  # markdown-it's `env`


def report(sheet: Sheet, line: int, message: str, remedy: str, check: str = "") -> None:
    sheet.faults.append(Fault(path=sheet.path, line=line, message=message, remedy=remedy, check=check))


def read_prose(content: str, *, line: int, sheet: Sheet) -> Inlines:
    """The inlines of a text that begins on `line`; what cannot be sent is reported to the sheet."""
    tokens = _tokens(content, sheet)
    if _is_too_deep(tokens):
        report(sheet, line, f"emphasis is nested more than {DEEPEST} levels deep", "use less of it")
        return ()
    if _has_deep_brackets(tokens):
        report(sheet, line, f"brackets are nested more than {DEEPEST} levels deep", "use fewer, or put them in `code`")
        return ()
    is_card = _is_broken_card(tokens)
    if is_card:
        report(
            sheet, line, "this looks like a broken link card", "write it as `::: card URL`, title, text, `:::`", "NL002"
        )
    unclosed: list[tuple[Token, list[Inline]]] = []
    inlines: list[Inline] = []
    for index, token in enumerate(tokens):
        if token.nesting > 0:
            unclosed.append((token, inlines))
            inlines = []
        elif token.nesting < 0:
            opening, outer = unclosed.pop()
            outer.append(_wrapped(opening, _merged(inlines), line, sheet, is_card=is_card))
            inlines = outer
        elif token.type == "image":
            remedy = "put it in a paragraph of its own"
            report(sheet, line + _offset(token), f"picture {_source(token)} stands inside a text", remedy)
            inlines.append(Text(text=token.content))
        else:
            inlines.append(_leaf(tokens, index))
    return _merged(inlines)


def read_figure(content: str, *, line: int, sheet: Sheet) -> Figure | None:
    """The picture a paragraph consists of; None when there is text as well."""
    tokens = _tokens(content, sheet) if content.startswith("![") else []
    if [token.type for token in tokens] != ["image"]:
        return None
    source = _source(tokens[0])
    if not source or has_mark(source):
        report(sheet, line, "the picture names no file", "write it as ![what it shows](img/name.png)", "NL004")
    alt = "".join(_leaf_text(tokens[0].children or [], index) for index in range(len(tokens[0].children or [])))
    given, objection = attributes(str(tokens[0].attrs.get("title", "")))
    if objection:
        report(sheet, line, *objection)
    dark, licence = given.get("dark"), given.get("licence", "")
    if dark and has_mark(dark):
        report(sheet, line, "the picture for dark screens is no file", 'write it as "dark=img/name.png"')
    credit = read_prose(given.get("credit", ""), line=line, sheet=sheet)
    url = address(given["source"], line=line, sheet=sheet) if "source" in given else None
    return Figure(
        source=source,
        alt=alt,
        caption=(),
        picture=None,
        path=sheet.path,
        line=line,
        credit=credit_line(credit, licence, url),
        licence=licence,
        source_url=url,
        dark_source=dark,
    )


def address(url: str, *, line: int, sheet: Sheet) -> str:
    """The address as it stands in a link, its marks percent-encoding; a fault if no mail program could follow it."""
    if (whole := MARK.fullmatch(url)) and whole[2] == "x":
        return in_url(url)
    normal = normalizeLink(url)
    try:
        parts, host = urlsplit(normal), urlsplit(url).hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if has_mark(parts.netloc):
        report(
            sheet,
            line,
            f"link {_short(url)} has a field in its host",
            "write the host out, or use a field alone",
            "NL011",
        )
    elif (parts.scheme in {"http", "https"} and host) or (parts.scheme == "mailto" and parts.path):
        return in_url(normal)
    elif url.startswith("#"):
        remedy = "remove it: the contents list is made for you"
        report(sheet, line, f"link {_short(url)} leads to a place inside the mail", remedy, "NL011")
    else:
        remedy = "write the whole address, such as https://example.org/page"
        report(
            sheet, line, f"link {_short(url) or '()'} is not http, https or mailto", remedy, "NL011" if url else "NL003"
        )
    return ""


def _tokens(content: str, sheet: Sheet) -> Sequence[Token]:
    if not sheet.references.get("references"):
        return _own_tokens(content)
    grammar = inline_grammar()
    return grammar.inline.parse(content, grammar, sheet.references, [])


@lru_cache(maxsize=1024)  # after a save most of an issue's paragraphs are what they were
def _own_tokens(content: str) -> Sequence[Token]:
    grammar = inline_grammar()
    return tuple(grammar.inline.parse(content, grammar, {}, []))


def _has_deep_brackets(tokens: Sequence[Token]) -> bool:
    """Markdown gives up on a link in so many brackets, and would leave it literal."""
    depth = 0
    for bracket in re.findall(r"[\[\]]", "".join(token.content for token in tokens if token.type == "text")):
        depth = depth + 1 if bracket == "[" else max(depth - 1, 0)
        if depth > DEEPEST:
            return True
    return False


def _is_too_deep(tokens: Sequence[Token]) -> bool:
    depth = 0
    for token in tokens:
        depth += token.nesting
        if depth > DEEPEST:
            return True
    return False


def _is_broken_card(tokens: Sequence[Token]) -> bool:
    """Whether the remains of Medium's `[](url) [## title` are left in the text."""
    texts = [token.content if token.type == "text" else "[" if token.type == "link_open" else "\n" for token in tokens]
    return re.search(r"\[#{2,6}[ \t]", "".join(texts)) is not None


def _wrapped(opening: Token, children: Inlines, line: int, sheet: Sheet, *, is_card: bool) -> Inline:
    match opening.type:
        case "em_open":
            return Emphasis(children=children)
        case "strong_open":
            return Strong(children=children)
        case "s_open":
            return Struck(children=children)
    here = line + _offset(opening)
    url = str(opening.attrs["href"])
    if not is_card and not plain_text(children).strip():
        report(
            sheet,
            here,
            f"link to {_short(url) or 'nowhere'} has no text",
            "write what it leads to, or remove it",
            "NL003",
        )
    return _link(address(url, line=here, sheet=sheet), children)


def _link(url: str, children: Inlines) -> Inline:
    """A link that is emphasised as a whole becomes an emphasised link, so that it can merge with its neighbours."""
    match children:
        case (Emphasis() | Strong() as emphasis,):
            return replace(emphasis, children=(_link(url, emphasis.children),))
        case _:
            return Link(url=url, children=children)


def _leaf(tokens: Sequence[Token], index: int) -> Inline:
    match tokens[index].type:
        case "code_inline":
            return CodeSpan(text=tokens[index].content)
        case "hardbreak":
            return LineBreak()
        case _:
            return Text(text=_leaf_text(tokens, index))


def _leaf_text(tokens: Sequence[Token], index: int) -> str:
    token = tokens[index]
    if token.type in {"softbreak", "hardbreak"}:
        return _joint(tokens, index)
    return re.sub(r"[\n\f\r]", " ", token.content)  # a character reference such as &#12; can spell them


def _joint(tokens: Sequence[Token], index: int) -> str:
    """A line end is a space, but Chinese and Japanese are written without."""
    before = next((tokens[at].content[-1] for at in range(index - 1, -1, -1) if tokens[at].content), "")
    after = next((tokens[at].content[0] for at in range(index + 1, len(tokens)) if tokens[at].content), "")
    return "" if is_spaceless(before) and is_spaceless(after) else " "


def _merged(inlines: Sequence[Inline]) -> Inlines:
    """Neighbours of a kind made one: texts, and the emphasis that Medium's export splits at every link."""
    return tuple(_united([inline for inline in inlines if inline != Text(text="")]))


def _united(inlines: Sequence[Inline]) -> Iterator[Inline]:
    for kind, group in groupby(inlines, key=type):
        if kind is Text:
            yield Text(text="".join(inline.text for inline in group if isinstance(inline, Text)))
        elif kind in {Emphasis, Strong}:
            first, *others = (inline for inline in group if isinstance(inline, Emphasis | Strong))
            children = [*first.children, *(child for other in others for child in other.children)]
            yield replace(first, children=_merged(children)) if others else first
        else:
            yield from group


def _source(image: Token) -> str:
    return str(image.attrs["src"])


def _offset(token: Token) -> int:
    return token.map[0] if token.map else 0


def _short(url: str) -> str:
    return url if len(url) <= 80 else f"{url[:79]}…"
