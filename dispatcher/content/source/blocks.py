"""The blocks Markdown lacks: Medium's link cards, `:::` containers, lines of personal statements, and comments."""

import re

from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock

_ADDRESS = r"[^\s()<>]*(?:\([^\s()<>]*\)[^\s()<>]*)*"
_GAP = r"\n(?:[ \t]*\n)+"
_CARD = re.compile(
    rf"[ \t]*\[\]\((?P<url>{_ADDRESS})\)[ \t]*\[##[ \t]+(?P<title>[^\n]+){_GAP}"
    rf"###[ \t]+(?P<description>[^\n]+){_GAP}[^\n\[\]]+\]\((?P=url)\)"
)
_CONTAINER = re.compile(r":::[ \t]*(?P<name>[\w-]*)[ \t]*(?P<argument>.*)")
_STATEMENTS = re.compile(r"zq\d+sqz(?:[ \t]*zq\d+sqz)*")
_WHEREVER: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}


def enable_blocks(grammar: MarkdownIt) -> None:
    """Teach the grammar tokens `statement`, `container` and `link_card`; what they hold is judged by its reader."""
    grammar.block.ruler.before("code", "comment", _comment, _WHEREVER)
    grammar.block.ruler.before("code", "statement", _statement, _WHEREVER)
    grammar.block.ruler.before("code", "container", _container, _WHEREVER)
    grammar.block.ruler.before("code", "link_card", _link_cards)


def _comment(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """`<!-- a note among editors -->` of any number of lines; one that is not closed is text, which somebody sees."""
    if state.is_code_block(start) or not _line(state, start).startswith("<!--"):
        return False
    line = start
    while line < end and "-->" not in _line(state, line):
        line += 1
    if line == end or not _line(state, line).endswith("-->"):
        return False
    if not silent:
        state.line = line + 1
    return True


def _statement(state: StateBlock, start: int, _end: int, silent: bool) -> bool:
    if state.is_code_block(start) or not _STATEMENTS.fullmatch(_line(state, start)):
        return False
    if not silent:
        token = state.push("statement", "", 0)
        token.content = _line(state, start)
        token.map = [start, start + 1]
        state.line = start + 1
    return True


def _container(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """From `::: NAME ARGUMENT` to the next `:::`; either may be missing. A snippet is its one line."""
    opening = _CONTAINER.fullmatch(_line(state, start))
    if state.is_code_block(start) or not opening:
        return False
    if silent:
        return True
    line = start + 1
    has_body = opening["name"] not in {"", "snippet"}
    while line < end and has_body and _is_inside(state, line):
        line += 1
    is_closed = has_body and line < end and _line(state, line) == ":::"
    token = state.push("container", "", 0)
    token.info = opening["name"]
    token.content = state.getLines(start + 1, line, state.blkIndent, keepLastLF=False)
    token.meta = {"argument": opening["argument"], "is_closed": is_closed}
    token.map = [start, line]
    state.line = line + is_closed
    return True


def _is_inside(state: StateBlock, line: int) -> bool:
    return state.isEmpty(line) or (state.sCount[line] >= state.blkIndent and not _line(state, line).startswith(":::"))


def _link_cards(state: StateBlock, start: int, _end: int, silent: bool) -> bool:
    """Medium's `[](url) [## title … ### text … host](url)`, of which several may be chained on a line."""
    if silent or state.level or state.is_code_block(start):
        return False
    position, line = state.bMarks[start], start
    while card := _CARD.match(state.src, position):
        token = state.push("link_card", "", 0)
        token.meta = {
            "url": card["url"],
            "title": card["title"].strip(),
            "description": card["description"].strip(),
            "description_line": line + state.src.count("\n", position, card.start("description")),
        }
        token.map = [line, line + card[0].count("\n")]
        line = token.map[1]
        position = card.end()
    if line == start:
        return False
    state.tokens[-1].content = state.src[position : state.eMarks[line]].strip()  # what follows and is no card
    state.line = line + 1
    return True


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]].rstrip()
