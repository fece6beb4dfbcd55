"""Finds the personal constructs in a source, checks them, and puts inert marks in their place.

Markdown, MJML and inlining would each damage `{{ subscriber.name }}` in their own way. A mark such as
`zq7xqz` is letters and digits only, so it passes through all of them, and is swapped back per reader at the end.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from jinja2 import TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dispatcher.errors import Fault, InputWrong
from dispatcher.models import Field

MARK = re.compile(r"zq(\d+)([xspw])qz")
"""A mark: the field's number, then how its value is written: x as text, s a statement, p percent-encoded
inside a URL, w a whole URL."""

PERSONAL_NAMES = frozenset({"subscriber", "unsubscribe_url", "view_url"})

# What may run once per reader. Loops are bounded when the edition is compiled (message.evaluate); multiplication,
# calls, macros and includes are absent because they have no bound, or would work on text already encoded.
_ALLOWED_NODES = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign,
    nodes.Name, nodes.Const, nodes.Tuple, nodes.List, nodes.Getattr, nodes.Getitem,
    nodes.Filter, nodes.Keyword, nodes.Test, nodes.Compare, nodes.Operand,
    nodes.And, nodes.Or, nodes.Not, nodes.CondExpr, nodes.Concat, nodes.Add, nodes.Sub, nodes.Neg,
)  # fmt: skip
ALLOWED_FILTERS = frozenset(
    "default d upper lower title capitalize trim replace truncate split join first last length count int round"
    " number values".split()
)
_OWNERS = frozenset({"subscriber", "loop"})  # what has fields, and is nothing to print itself
_DEEPEST = 15
_ALLOWED_TESTS = frozenset("defined undefined none string number even odd in eq ne lt le gt ge equalto".split())


@cache
def grammar() -> ImmutableSandboxedEnvironment:
    """Jinja's grammar as issues and templates use it."""
    return ImmutableSandboxedEnvironment(keep_trailing_newline=True)


def mark(
    source: str, *, into: list[Field], path: str, first_line: int = 1, taken: int = 0, personal_only: bool = False
) -> str:
    """The source with every personal construct replaced by a mark and appended to `into`.

    Marks number into `into`, after as many fields as are `taken` elsewhere.

    With `personal_only`, constructs that name nothing personal stay: a theme's own Jinja, which runs once per
    edition. Line numbers are kept. Raises InputWrong with the line of each fault.
    """
    if not personal_only:
        # Whitespace control would swallow line ends, and with them the lines of faults; Markdown has no use for it.
        source = _WHITESPACE_CONTROL.sub(lambda sign: sign[1] + " " if sign[1] else " " + sign[2], source)
    if collision := MARK.search(source):
        line = first_line + source.count("\n", 0, collision.start())
        raise InputWrong([_fault(path, line, f"the word {collision[0]} is used by Dispatcher itself", "change it")])
    if not personal_only:
        _check(source, path=path, first_line=first_line)
    marked: list[str] = []
    statements: list[bool] = []  # the open if/for blocks, innermost last: is it personal?
    for line, kind, text in _constructs(source, path, first_line):
        if kind == "data":
            marked.append(text)
        elif kind == "comment":
            marked.append(text if personal_only else "\n" * text.count("\n"))
        elif not (_keep_personal(text, statements) if personal_only else True):
            marked.append(text)
        else:
            field = Field(source=" ".join(text.split()), path=path, line=line)
            if personal_only:
                _check(closed(field.source), path=path, first_line=line)
            into.append(field)
            marked.append(f"zq{taken + len(into) - 1}{'s' if field.is_statement else 'x'}qz" + "\n" * text.count("\n"))
    return "".join(marked)


def in_url(url: str) -> str:
    """A link's address with its marks turned to those that percent-encode, or to one that is a whole URL."""
    if (whole := MARK.fullmatch(url)) and whole[2] != "s":
        return f"zq{whole[1]}wqz"
    return MARK.sub(lambda m: m[0] if m[2] == "s" else f"zq{m[1]}pqz", url)


def has_mark(text: str) -> bool:
    return MARK.search(text) is not None


def without_marks(text: str) -> str:
    return MARK.sub("", text)


def as_written(text: str, fields: Sequence[Field]) -> str:
    """The text with each mark turned back into what its author wrote."""
    return MARK.sub(lambda mark: fields[int(mark[1])].source, text)


def _constructs(source: str, path: str, first_line: int) -> Iterator[tuple[int, str, str]]:
    """The source in pieces: (line, "data" | "expression" | "statement" | "comment", text)."""
    pending: list[str] = []
    began = first_line
    try:
        for number, token, text in grammar().lex(source):
            line = number + first_line - 1
            if token in {"variable_begin", "block_begin", "comment_begin"}:
                pending, began = [text], line
            elif token in {"variable_end", "block_end", "comment_end"}:
                whole = "".join([*pending, text])
                pending = []
                yield began, {"variable_end": "expression", "block_end": "statement"}.get(token, "comment"), whole
            elif token in {"raw_begin", "raw_end"}:
                continue
            elif pending:
                pending.append(text)
            else:
                yield line, "data", text
    except TemplateSyntaxError as error:
        raise InputWrong([_syntax(error, path, first_line)]) from error
    if pending:
        message = f"this {pending[0].strip()} is not closed"
        raise InputWrong([_syntax(TemplateSyntaxError(message, began - first_line + 1), path, first_line)])


_WHITESPACE_CONTROL = re.compile(r"(\{[%{])[-+]|[-+]([%}]\})")
_OPENING = re.compile(r"\{%[-+]?\s*(if|for|set)\b")
_MIDDLE = re.compile(r"\{%[-+]?\s*(elif|else)\b")
_CLOSING = re.compile(r"\{%[-+]?\s*end(if|for)\b")


def _unbalanced(constructs: Iterable[tuple[int, str, str]], path: str) -> Fault | None:
    """The first statement that is not closed, or that closes nothing; Jinja would name the last line of the file."""
    opened: list[tuple[int, str, str]] = []
    for line, kind, text in constructs:
        if kind != "statement":
            continue
        written = " ".join(text.split())
        if (opening := _OPENING.match(text)) and opening[1] != "set":
            opened.append((line, opening[1], written))
        elif _MIDDLE.match(text) and not opened:
            return _fault(path, line, f"{written} stands outside of an if", "remove it, or add {% if … %} before it")
        elif closing := _CLOSING.match(text):
            if not opened or opened[-1][1] != closing[1]:
                remedy = f"remove it, or add {{% {closing[1]} … %}} before it"
                return _fault(path, line, f"{written} closes nothing that is open", remedy)
            opened.pop()
    if opened:
        line, word, written = opened[-1]
        return _fault(path, line, f"{written} is not closed", f"add {{% end{word} %}} after what it is about")
    return None


def _keep_personal(construct: str, open_blocks: list[bool]) -> bool:
    """Whether a theme's construct runs per reader; an `else` or `endif` goes with the `if` that opened it."""
    personal = any(re.search(rf"\b{name}\b", construct) for name in PERSONAL_NAMES)
    if opening := _OPENING.match(construct):
        if opening[1] != "set":
            open_blocks.append(personal)
        return personal
    if _MIDDLE.match(construct):
        return bool(open_blocks) and open_blocks[-1]
    if _CLOSING.match(construct):
        return bool(open_blocks) and open_blocks.pop()
    return personal


def closed(construct: str) -> str:
    """A single construct made into a template that parses on its own."""
    if _OPENING.match(construct):
        name = _OPENING.match(construct)[1]  # type: ignore[index]
        return construct + ("" if name == "set" else f"{{% end{name} %}}")
    if _MIDDLE.match(construct):
        return "{% if 1 %}" + construct + "{% endif %}"
    return "" if _CLOSING.match(construct) else construct


def _check(source: str, *, path: str, first_line: int) -> None:
    try:
        tree = grammar().parse(source)
    except TemplateSyntaxError as error:
        fault = _unbalanced(_constructs(source, path, first_line), path) or _syntax(error, path, first_line)
        raise InputWrong([fault]) from error
    except RecursionError as error:  # Jinja's parser recurses at every bracket
        remedy = "use fewer brackets, or {% raw %}…{% endraw %}"
        raise InputWrong([_fault(path, first_line, "personal content is nested too deep", remedy)]) from error
    faults = [_fault(path, line + first_line - 1, what, how) for line, what, how in _offences(tree)]
    if _depth(tree) > _DEEPEST:
        faults.append(_fault(path, first_line, "statements stand too deep in each other", f"keep to {_DEEPEST} levels"))
    if faults:
        raise InputWrong(faults)


def _offences(tree: nodes.Template) -> Iterator[tuple[int, str, str]]:
    own = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "store"}
    known = PERSONAL_NAMES | own | {"loop"}
    owners = {id(each.node) for each in tree.find_all(nodes.Node) if isinstance(each, nodes.Getattr | nodes.Getitem)}
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, _ALLOWED_NODES):
            line = node.lineno or 1  # some of Jinja's nodes have none
            yield line, f"{_spoken(node)} is not allowed in personal content", "use fields, if, for, set, filters"
        elif isinstance(node, nodes.Filter) and node.name not in ALLOWED_FILTERS:
            remedy = f"the filters are {', '.join(sorted(ALLOWED_FILTERS))}"
            yield node.lineno, f"there is no filter {node.name!r}", remedy
        elif isinstance(node, nodes.Test) and node.name not in _ALLOWED_TESTS:
            yield node.lineno, f"there is no test {node.name!r}", f"the tests are {', '.join(sorted(_ALLOWED_TESTS))}"
        elif isinstance(node, nodes.Name) and node.ctx == "store" and node.name in PERSONAL_NAMES:
            yield node.lineno, f"{node.name} cannot be set", "choose another name"
        elif isinstance(node, nodes.Name) and node.ctx == "load" and node.name not in known:
            yield node.lineno, f"unknown template variable {node.name!r}", _advice(node.name)
        elif isinstance(node, nodes.Name) and node.name in _OWNERS and id(node) not in owners:
            yield node.lineno, f"{node.name} is no value", f"write {node.name}.NAME"
        elif isinstance(node, nodes.Getattr | nodes.Getitem) and not _is_field(node):
            yield node.lineno, "a field of something that has none", "use subscriber.NAME and filters"
        elif isinstance(node, nodes.For) and not _is_own_list(node.iter):
            yield node.lineno, "a for goes over something that is not a reader's own list", "use subscriber.NAME"


def _depth(node: nodes.Node) -> int:
    """How deep statements stand in each other; Python allows 20 loops and 100 conditions."""
    inside = max(map(_depth, node.iter_child_nodes()), default=0)
    return inside + isinstance(node, nodes.If | nodes.For)


def _is_field(node: nodes.Getattr | nodes.Getitem) -> bool:
    return isinstance(node.node, nodes.Name) and node.node.name in _OWNERS


def _is_own_list(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Filter) and node.node is not None:
        return _is_own_list(node.node)
    if isinstance(node, nodes.Getattr | nodes.Getitem):
        return isinstance(node.node, nodes.Name) and node.node.name == "subscriber"
    return False


def _advice(name: str) -> str:
    return (
        "write it as subscriber.name" if name in {"name", "email", "language"} else f"did you mean subscriber.{name}?"
    )


def _spoken(node: nodes.Node) -> str:
    spoken = {nodes.Call: "a call", nodes.Mul: "multiplication", nodes.Pow: "a power", nodes.Include: "include"}
    return spoken.get(type(node), f"{type(node).__name__.lower()!r}")


def _syntax(error: TemplateSyntaxError, path: str, first_line: int) -> Fault:
    message = (error.message or "template syntax is wrong").rstrip(".")
    if unknown := re.match(r"Encountered unknown tag '(?!end)(\w+)'", message):
        return _fault(path, error.lineno + first_line - 1, f"unknown tag {unknown[1]!r}", "allowed are if, for, set")
    return _fault(path, error.lineno + first_line - 1, message, "close it, or write it as {% raw %}…{% endraw %}")


def _fault(path: str, line: int, message: str, remedy: str) -> Fault:
    return Fault(path=path, line=line, message=message, remedy=remedy, check="NL048")
