"""Reads an issue's Markdown into the blocks of the document tree, in the order they were written."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby

from markdown_it.token import Token

from dispatcher.content.personal import mark
from dispatcher.content.source.blocks import enable_blocks
from dispatcher.content.source.cards import read_card, read_medium_card
from dispatcher.content.source.containers import is_sound, read_events, read_jobs, read_poll, read_sponsor
from dispatcher.content.source.credit import captioned
from dispatcher.content.source.headings import read_heading
from dispatcher.content.source.inline_grammar import AsWritten
from dispatcher.content.source.only import around, split_only
from dispatcher.content.source.prose import DEEPEST, Sheet, read_figure, read_prose, report
from dispatcher.content.source.snippets import FOLDER, MOST, Snippet, read_snippet
from dispatcher.content.source.tables import read_table
from dispatcher.content.tree import (
    Block,
    Blocks,
    CodeBlock,
    Divider,
    Emphasis,
    Figure,
    Heading,
    Items,
    Paragraph,
    Quotation,
    Statement,
    plain_text,
)
from dispatcher.errors import Fault, InputWrong
from dispatcher.models import Field

LONGEST_CAPTION = 300  # characters; a longer paragraph after a picture is the text itself

_LOOSE_ROW = re.compile(r"\|.*\|[ \t]*(?:\n|\Z)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A block and the line it begins on."""

    line: int
    block: Block


def read_blocks(
    source: str,
    *,
    fields: list[Field],
    faults: list[Fault],
    path: str,
    first_line: int = 1,
    snippets: Mapping[str, Snippet] | None = None,
) -> tuple[Placed, ...]:
    """The blocks of a Markdown text, its personal constructs appended to `fields` and what is wrong to `faults`.

    A standing text's blocks stand in the place of its `::: snippet NAME`, on that line; with None there are none.
    """
    sheet = Sheet(path=path, faults=faults, fields=fields)
    marked = mark_fields(source, fields=fields, faults=faults, path=path, first_line=first_line)
    tokens = _tokens(marked, sheet, first_line=first_line)
    standing = [token for token in tokens if _is_snippet(token)]
    if len(standing) > MOST:
        report(sheet, _line(standing[MOST]), f"more than {MOST} standing texts are used", "write some of them out")
        return ()
    blocks: list[Placed] = []
    for is_snippet, group in groupby(tokens, key=_is_snippet):
        run = iter(tuple(group))
        blocks += _standing(run, snippets, sheet) if is_snippet else _blocks(run, sheet, within="")
    return _captioned(blocks)


def _tokens(marked: str, sheet: Sheet, *, first_line: int) -> Sequence[Token]:
    """The text's blocks as markdown-it sees them, with the file's lines; none, and a fault, if they stand too deep."""
    tokens = _grammar().parse(marked, sheet.references)
    for token in tokens:
        token.map = [line + first_line for line in token.map or (0, 0)]
    if deep := _first_too_deep(tokens):
        report(
            sheet, _line(deep), f"lists or quotations are nested more than {DEEPEST} levels deep", "use fewer levels"
        )
        return ()
    return tokens


def _is_snippet(token: Token) -> bool:
    return token.type == "container" and token.info == "snippet" and token.level == 0


def _standing(tokens: Iterator[Token], snippets: Mapping[str, Snippet] | None, sheet: Sheet) -> Iterator[Placed]:
    """The blocks of standing texts, whose faults are told in their own files."""
    for token in tokens:
        line = _line(token)
        argument, condition = split_only(token.meta["argument"], line, sheet)
        name = argument.strip()
        if snippets is None:
            report(sheet, line, "a standing text cannot hold another", "write it out")
            continue
        if not (snippet := snippets.get(name)):
            nearest = difflib.get_close_matches(name, snippets, 1, 0.5)
            remedy = f"did you mean {nearest[0]}?" if nearest else f"write it as {FOLDER}/{name or 'NAME'}.md"
            report(sheet, line, f"there is no standing text {name!r} in this language", remedy, "NL049")
            continue
        text, fault = read_snippet(snippet)
        sheet.faults.extend([fault] if fault else [])
        read = read_blocks(text, fields=sheet.fields, faults=sheet.faults, path=snippet.shown)
        yield from _for_some([replace(placed, line=line) for placed in read], condition, sheet)


def mark_fields(source: str, *, fields: list[Field], faults: list[Fault], path: str, first_line: int) -> str:
    """The text with marks for its personal constructs; empty, and a fault, if they are wrong."""
    try:
        return mark(source, into=fields, path=path, first_line=first_line)
    except InputWrong as wrong:
        faults.extend(wrong.faults)
    return ""


@cache
def _grammar() -> AsWritten:
    """CommonMark's blocks with ours; their text is read by `prose`.

    Without underlined headings: a divider written close under a paragraph would make it one.
    """
    grammar = AsWritten("commonmark", {"html": False, "maxNesting": 2 * DEEPEST + 10})  # a list takes two levels
    grammar.core.ruler.enableOnly(["normalize", "block"])
    grammar.disable("lheading")
    grammar.enable("table")
    enable_blocks(grammar)
    return grammar


def _first_too_deep(tokens: Sequence[Token]) -> Token | None:
    depth = 0
    for token in tokens:
        if token.type in {"blockquote_open", "bullet_list_open", "ordered_list_open"}:
            depth += 1
            if depth > DEEPEST:
                return token
        elif token.type in {"blockquote_close", "bullet_list_close", "ordered_list_close"}:
            depth -= 1
    return None


def _blocks(tokens: Iterator[Token], sheet: Sheet, *, within: str) -> Iterator[Placed]:
    """The blocks up to the end of what encloses them, named by the type of its opening token."""
    closing = within.replace("_open", "_close")
    for token in tokens:
        if token.type == closing:
            return
        condition = ""
        if token.type == "container":
            token.meta["argument"], condition = split_only(token.meta["argument"], _line(token), sheet)
        if block := _block(token, tokens, sheet, is_nested=bool(within)):
            yield from _for_some([Placed(line=_line(token), block=block)], condition, sheet)


def _for_some(blocks: Sequence[Placed], condition: str, sheet: Sheet) -> Iterator[Placed]:
    """The blocks, between statements if only some readers get them."""
    if not (condition and blocks):
        yield from blocks
        return
    line = blocks[0].line
    before, behind = around(condition, line, sheet)
    yield Placed(line=line, block=before)
    yield from blocks
    yield Placed(line=line, block=behind)


def _block(token: Token, tokens: Iterator[Token], sheet: Sheet, *, is_nested: bool) -> Block | None:
    match token.type:
        case "paragraph_open":
            return _paragraph(_content(tokens), sheet)
        case "heading_open":
            level = int(token.tag[1])
            return read_heading(_content(tokens), max(level, 3) if is_nested else level, sheet)
        case "blockquote_open":
            return _quotation(_nested(tokens, sheet, within=token.type))
        case "bullet_list_open" | "ordered_list_open":
            return _items(token, tokens, sheet)
        case "code_block" | "fence":
            return CodeBlock(text=token.content.rstrip("\n"), language=token.info.strip().partition(" ")[0])
        case "hr":
            return Divider()
        case "statement":
            return Statement(marks=token.content)
        case "table_open":
            return read_table(tokens, sheet)
        case "link_card":
            return read_medium_card(token, sheet)
        case _:
            return _container(token, sheet, is_nested=is_nested)


def _content(tokens: Iterator[Token]) -> Token:
    """The text of a paragraph or heading; its closing token is passed over."""
    content = next(tokens)
    next(tokens)
    return content


def _nested(tokens: Iterator[Token], sheet: Sheet, *, within: str) -> Blocks:
    return tuple(placed.block for placed in _captioned(_blocks(tokens, sheet, within=within)))


def _paragraph(content: Token, sheet: Sheet) -> Block | None:
    line = _line(content)
    if _LOOSE_ROW.match(content.content):
        remedy = "begin with a header and a line of dashes; a condition goes around the whole table"
        report(sheet, line, "this looks like a broken table", remedy)
    if figure := read_figure(content.content, line=line, sheet=sheet):
        return figure
    children = read_prose(content.content, line=line, sheet=sheet)
    return Paragraph(children=children) if children else None


def _quotation(children: Blocks) -> Quotation | None:
    return Quotation(children=tuple(map(_upright, children))) if children else None


def _upright(block: Block) -> Block:
    """Medium's export emphasises every quoted paragraph as a whole; a quotation is set apart anyway."""
    match block:
        case Paragraph(children=(Emphasis(children=children),)):
            return Paragraph(children=children)
        case _:
            return block


def _items(opening: Token, tokens: Iterator[Token], sheet: Sheet) -> Items:
    items: list[Blocks] = []
    for token in tokens:
        if token.type != "list_item_open":
            break
        items.append(_nested(tokens, sheet, within=token.type))
    start = int(opening.attrs.get("start", 1)) if opening.type == "ordered_list_open" else None
    return Items(items=tuple(items), start=start)


def _container(token: Token, sheet: Sheet, *, is_nested: bool) -> Block | None:
    if not is_sound(token, sheet, is_nested=is_nested):
        return None
    if token.info == "card":
        return read_card(token, sheet)
    inside = _tokens(token.content, sheet, first_line=_line(token) + 1)
    if inner := next((each for each in inside if each.type == "container"), None):
        report(
            sheet,
            _line(inner),
            f"a ::: stands inside the {token.info}",
            "close the one before the other begins",
            "NL049",
        )
        return None
    match token.info:
        case "sponsor":
            blocks = _blocks(iter(inside), sheet, within=token.type)  # what follows its logo is no caption
            return read_sponsor(token, tuple(placed.block for placed in blocks), sheet)
        case "jobs":
            return read_jobs(token, inside, sheet)
        case "events":
            return read_events(token, inside, sheet)
        case _:
            return read_poll(token, inside, sheet)


def _captioned(blocks: Iterable[Placed]) -> tuple[Placed, ...]:
    """The short paragraph right after a picture is its caption, unless it is the last thing under its heading."""
    run = list(blocks)
    joined: list[Placed] = []
    taken = False
    for index, placed in enumerate(run):
        if taken:
            taken = False
            continue
        match placed.block, [after.block for after in run[index + 1 : index + 3]]:
            case Figure() as figure, [Paragraph() as caption, following] if _is_caption(caption, following):
                joined.append(replace(placed, block=captioned(figure, caption.children)))
                taken = True
            case _:
                joined.append(placed)
    return tuple(joined)


def _is_caption(paragraph: Paragraph, following: Block) -> bool:
    is_short = len(plain_text(paragraph.children)) <= LONGEST_CAPTION
    return is_short and not isinstance(following, Heading | Divider)


def _line(token: Token) -> int:
    return token.map[0] if token.map else 0
