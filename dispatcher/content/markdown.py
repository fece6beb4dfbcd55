"""Reads an issue's Markdown into the blocks of the document tree, in the order they were written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from urllib.parse import urlsplit

from markdown_it.token import Token

from dispatcher.content.blocks import enable_blocks
from dispatcher.content.personal import mark
from dispatcher.content.prose import DEEPEST, AsWritten, Sheet, address, read_figure, read_prose, report
from dispatcher.content.tree import (
    Block,
    Blocks,
    CodeBlock,
    Divider,
    Emphasis,
    Figure,
    Heading,
    Items,
    LinkCard,
    Paragraph,
    Quotation,
    Statement,
    plain_text,
)
from dispatcher.errors import Fault, InputWrong
from dispatcher.models import Field

LONGEST_CAPTION = 300  # characters; a longer paragraph after a picture is the text itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A block and the line it begins on."""

    line: int
    block: Block


def read_blocks(
    source: str, *, fields: list[Field], faults: list[Fault], path: str, first_line: int = 1
) -> tuple[Placed, ...]:
    """The blocks of a Markdown text, its personal constructs appended to `fields` and what is wrong to `faults`."""
    sheet = Sheet(path=path, faults=faults)
    marked = mark_fields(source, fields=fields, faults=faults, path=path, first_line=first_line)
    tokens = _grammar().parse(marked, sheet.references)
    for token in tokens:
        token.map = [line + first_line for line in token.map or (0, 0)]
    if deep := _first_too_deep(tokens):
        report(
            sheet, _line(deep), f"lists or quotations are nested more than {DEEPEST} levels deep", "use fewer levels"
        )
        return ()
    return _captioned(_blocks(iter(tokens), sheet, within=""))


def mark_fields(source: str, *, fields: list[Field], faults: list[Fault], path: str, first_line: int) -> str:
    """The text with marks for its personal constructs; empty, and a fault, if they are wrong."""
    try:
        return mark(source, into=fields, path=path, first_line=first_line)
    except InputWrong as wrong:
        faults.extend(wrong.faults)
    return ""


@cache
def _grammar() -> AsWritten:
    """CommonMark's blocks with ours; their text is read by `content.prose`.

    Without underlined headings: a divider written close under a paragraph would make it one.
    """
    grammar = AsWritten("commonmark", {"html": False, "maxNesting": 2 * DEEPEST + 10})  # a list takes two levels
    grammar.core.ruler.enableOnly(["normalize", "block"])
    grammar.disable("lheading")
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
        if block := _block(token, tokens, sheet, is_nested=bool(within)):
            yield Placed(line=_line(token), block=block)


def _block(token: Token, tokens: Iterator[Token], sheet: Sheet, *, is_nested: bool) -> Block | None:
    match token.type:
        case "paragraph_open":
            return _paragraph(_content(tokens), sheet)
        case "heading_open":
            level = int(token.tag[1])
            return _heading(_content(tokens), max(level, 3) if is_nested else level, sheet)
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
        case "link_card":
            return _medium_card(token, sheet)
        case _:
            return _container(token, sheet)


def _content(tokens: Iterator[Token]) -> Token:
    """The text of a paragraph or heading; its closing token is passed over."""
    content = next(tokens)
    next(tokens)
    return content


def _nested(tokens: Iterator[Token], sheet: Sheet, *, within: str) -> Blocks:
    return tuple(placed.block for placed in _captioned(_blocks(tokens, sheet, within=within)))


def _paragraph(content: Token, sheet: Sheet) -> Block | None:
    line = _line(content)
    if figure := read_figure(content.content, line=line, sheet=sheet):
        return figure
    children = read_prose(content.content, line=line, sheet=sheet)
    return Paragraph(children=children) if children else None


def _heading(content: Token, level: int, sheet: Sheet) -> Heading:
    children = read_prose(content.content, line=_line(content), sheet=sheet)
    if not plain_text(children).strip():
        report(sheet, _line(content), "the heading has no text", "write it, or remove the #")
    return Heading(level=level, children=children)


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


def _medium_card(token: Token, sheet: Sheet) -> LinkCard:
    line = _line(token)
    if token.content:
        report(
            sheet,
            _last_line(token),
            "this looks like a broken link card",
            "write it as `::: card URL`, title, text, `:::`",
        )
    return LinkCard(
        url=address(token.meta["url"], line=line, sheet=sheet),
        title=read_prose(token.meta["title"], line=line, sheet=sheet),
        description=read_prose(token.meta["description"], line=line, sheet=sheet),
        site=_site(token.meta["url"]),
    )


def _container(token: Token, sheet: Sheet) -> LinkCard | None:
    """A `:::` block; there is one kind of it."""
    line = _line(token)
    if not token.info:
        report(sheet, line, "this ::: closes nothing", "remove it, or open a card with `::: card URL`")
    elif token.info != "card":
        report(sheet, line, f"there is no ::: {token.info}", "the one that exists is `::: card URL`")
    elif not token.meta["is_closed"]:
        report(sheet, line, "this card is not closed", "put ::: on a line of its own after its text")
    else:
        return _card(token, sheet)
    return None


def _card(token: Token, sheet: Sheet) -> LinkCard:
    line = _line(token)
    before, title, description = _first_line(token.content)
    if not title:
        report(sheet, line, "this card has no title", "write it on the line after ::: card")
    url = token.meta["argument"]
    return LinkCard(
        url=address(url, line=line, sheet=sheet),
        title=read_prose(title, line=line + 1 + before, sheet=sheet),
        description=read_prose(description, line=line + 2 + before, sheet=sheet),
        site=_site(url),
    )


def _first_line(text: str) -> tuple[int, str, str]:
    """How many empty lines precede the first line, that line, and the rest."""
    written = text.lstrip()
    first, _, rest = written.partition("\n")
    return text.count("\n", 0, len(text) - len(written)), first.strip(), rest.rstrip()


def _site(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def _captioned(blocks: Iterator[Placed]) -> tuple[Placed, ...]:
    """The short paragraph right after a picture is its caption, unless it is the last thing under its heading."""
    run = list(blocks)
    captioned: list[Placed] = []
    taken = False
    for index, placed in enumerate(run):
        if taken:
            taken = False
            continue
        match placed.block, [after.block for after in run[index + 1 : index + 3]]:
            case Figure() as figure, [Paragraph() as caption, following] if _is_caption(caption, following):
                captioned.append(replace(placed, block=replace(figure, caption=caption.children)))
                taken = True
            case _:
                captioned.append(placed)
    return tuple(captioned)


def _is_caption(paragraph: Paragraph, following: Block) -> bool:
    is_short = len(plain_text(paragraph.children)) <= LONGEST_CAPTION
    return is_short and not isinstance(following, Heading | Divider)


def _line(token: Token) -> int:
    return token.map[0] if token.map else 0


def _last_line(token: Token) -> int:
    return token.map[1] if token.map else 0
