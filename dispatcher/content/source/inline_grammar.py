"""The grammar of Markdown's text: CommonMark, with emphasis that works beside Chinese punctuation."""

import re
from bisect import bisect
from functools import cache
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.common.utils import isMdAsciiPunct, isPunctChar, isWhiteSpace
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Scanned
from markdown_it.token import Token
from markdown_it.utils import EnvType


@cache
def inline_grammar() -> MarkdownIt:
    """CommonMark's text with ~~strikethrough~~; nesting keeps markdown-it's own low limit, for links recurse."""
    grammar = AsWritten()
    grammar.inline = _CjkFriendlyParser()
    grammar.inline.ruler.before("autolink", "comment", _comment)
    return grammar.configure("commonmark", {"html": False}).enable(["strikethrough", "comment"])


def _comment(state: StateInline, silent: bool) -> bool:  # noqa: ARG001  nothing is made of it
    """`<!-- a note among editors -->` is nothing to readers."""
    end = state.src.find("-->", state.pos + 4) if state.src.startswith("<!--", state.pos) else -1
    if end < 0:
        return False
    state.pos = end + 3
    return True


class AsWritten(MarkdownIt):
    """Markdown that leaves addresses as their author wrote them: we judge them ourselves, and say so."""

    def validateLink(self, url: str) -> bool:  # noqa: ARG002, N802  # markdown-it's name
        return True

    def normalizeLink(self, url: str) -> str:  # noqa: N802
        return url

    def normalizeLinkText(self, link: str) -> str:  # noqa: N802
        return link


class _CjkFriendlyParser(ParserInline):
    def parse(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        state = _CjkFriendlyState(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens


class _CjkFriendlyState(StateInline):
    """Emphasis beside Chinese punctuation, which CommonMark leaves literal, and tokens that know their line."""

    def __init__(self, src: str, md: MarkdownIt, env: EnvType, outTokens: list[Token]) -> None:  # noqa: N803
        super().__init__(src, md, env, outTokens)
        self.line_ends = [match.start() for match in re.finditer("\n", src)]

    def push(self, ttype: str, tag: str, nesting: Literal[-1, 0, 1]) -> Token:
        token = super().push(ttype, tag, nesting)
        line = bisect(self.line_ends, self.pos)
        token.map = [line, line]
        return token

    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:  # noqa: N802, N803
        """CommonMark's rule of flanking, in which punctuation counts less when a CJK character is next to it."""
        run = super().scanDelims(start, canSplitWord)
        before = self.src[start - 1] if start else " "
        after = self.src[start + run.length] if start + run.length < self.posMax else " "
        if not (_is_cjk(before) or _is_cjk(after)):
            return run
        space_before, space_after = isWhiteSpace(ord(before)), isWhiteSpace(ord(after))
        stop_before, stop_after = _is_punctuation(before), _is_punctuation(after)
        left = not (
            space_after or (stop_after and not _is_cjk(after) and not (space_before or stop_before or _is_cjk(before)))
        )
        right = not (
            space_before or (stop_before and not _is_cjk(before) and not (space_after or stop_after or _is_cjk(after)))
        )
        return Scanned(
            left and (canSplitWord or not right or stop_before),
            right and (canSplitWord or not left or stop_after),
            run.length,
        )


def _is_punctuation(character: str) -> bool:
    return isMdAsciiPunct(ord(character)) or isPunctChar(character)


_HANGUL = "\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff"
_CJK = (
    "\u2e80-\u312f\u3190-\ua4cf\uf900-\ufaff\ufe10-\ufe1f\ufe30-\ufe6f\uff00-\uffef"
    "\U0001aff0-\U0001b2ff\U0001f200-\U0001f2ff\U00020000-\U0003fffd"
)


def _is_cjk(character: str) -> bool:
    return re.match(f"[{_CJK}{_HANGUL}]", character) is not None


def is_spaceless(character: str) -> bool:
    """Whether lines that end in it are joined without a space; Korean is written with spaces."""
    return re.match(f"[{_CJK}]", character) is not None
