"""The sandbox in which a theme's templates run: bounded in steps and in size, so that each comes to an end."""

from collections.abc import Iterable, Iterator, Sized
from typing import Any

from jinja2 import StrictUndefined, nodes
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

MOST_STEPS = 50_000  # rounds of loops, and calls; an edition of 100 KB takes some thousands
LARGEST = 10_000_000  # characters of a whole edition; what is larger fits no mail
LARGEST_VALUE = 1_000_000  # characters, items or binary digits that an operator may make


class BoundedSandbox(ImmutableSandboxedEnvironment):
    """Jinja that counts: OverflowError where a template goes too far. Each rendering takes a sandbox of its own.

    Not counted: what filters, `+` and `~` make of large values; memory alone bounds it.
    """

    intercepted_binops = frozenset({"*", "**"})

    def __init__(self, **options: Any) -> None:
        super().__init__(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, **options)
        self.steps = 0

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """Jinja's own hook: every loop goes over what `counted` lets through."""
        tree = super()._parse(source, name, filename)
        for loop in list(tree.find_all(nodes.For)):
            counted = nodes.EnvironmentAttribute("counted", lineno=loop.lineno)
            loop.iter = nodes.Call(counted, [loop.iter], [], None, None, lineno=loop.lineno)
        tree.set_environment(self)
        return tree

    def counted(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self._step()
            yield item

    def call(self, context: Context, called: Any, /, *args: Any, **options: Any) -> Any:
        self._step()
        return super().call(context, called, *args, **options)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if _growth(operator, left, right) > LARGEST_VALUE:
            raise OverflowError(f"{operator} makes more than {LARGEST_VALUE:,} characters, items or digits")
        return super().call_binop(context, operator, left, right)

    def _step(self) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise OverflowError(f"the templates take more than {MOST_STEPS:,} steps")


def _growth(operator: str, left: Any, right: Any) -> int:
    """The size of what a multiplication or power would make; 0 for what does not grow, such as floats."""
    for many, times in ((left, right), (right, left)):
        if isinstance(many, Sized) and isinstance(times, int):
            return len(many) * times
    if isinstance(left, int) and isinstance(right, int):
        bits, more = left.bit_length(), right.bit_length()
        return bits * right if operator == "**" else bits + more
    return 0
