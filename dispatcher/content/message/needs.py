"""Tells what an edition needs to know of its readers, and which field it is that a reader cannot fill."""

from collections.abc import Iterator, Mapping, Sequence

from jinja2 import nodes

from dispatcher.content.message.evaluate import Context, compile_fields
from dispatcher.content.personal import MARK, closed, grammar
from dispatcher.models import Edition, Field


def attributes_used(edition: Edition) -> dict[str, bool]:
    """Which of a reader's attributes an edition uses, and whether the value matters to whether it can be filled.

    A field that is only printed needs to be there; one that a condition looks at may lead to another branch, and one
    that is a link's whole address must be a good one.
    """
    used = dict.fromkeys(whole_url_attributes(edition), True)
    tree = grammar().parse("".join(field.source for field in edition.fields))
    printed = {id(node) for output in tree.find_all(nodes.Output) for node in _only_printed(output)}
    for node in tree.find_all((nodes.Getattr, nodes.Getitem)):
        name = _attribute(node)
        if name is not None and name != "email":
            used[name] = used.get(name, False) or id(node) not in printed
    return used


def whole_url_attributes(edition: Edition) -> set[str]:
    """The attributes that stand for a link's whole address."""
    numbers = {int(found[1]) for found in MARK.finditer(edition.html + edition.text) if found[2] == "w"}
    trees = (grammar().parse(edition.fields[number].source) for number in numbers)
    named = (_attribute(node) for tree in trees for node in tree.find_all((nodes.Getattr, nodes.Getitem)))
    return {name for name in named if name is not None and name != "email"}


def culprit(fields: Sequence[Field], values: Mapping[str, object]) -> Field | None:
    """The first field that these values cannot fill."""
    for field in fields:
        try:
            compile_fields(closed(field.source), Context.TEXT).render(values)
        except Exception:  # noqa: BLE001  whatever it is, this is the field
            return field
    return None


def _only_printed(output: nodes.Output) -> Iterator[nodes.Expr]:
    for node in output.nodes:
        while isinstance(node, nodes.Filter) and node.node is not None:
            node = node.node  # noqa: PLW2901  down to what the filters are applied to
        if isinstance(node, nodes.Getattr | nodes.Getitem):
            yield node


def _attribute(node: nodes.Node) -> str | None:
    if not isinstance(node, nodes.Getattr | nodes.Getitem):
        return None
    if not (isinstance(node.node, nodes.Name) and node.node.name == "subscriber"):
        return None
    if isinstance(node, nodes.Getattr):
        return node.attr
    return node.arg.value if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str) else None
