"""Input made to break the machine ends with one clear line, soon, in bounded memory, and with no mail."""

import resource
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.newsletter import Newsletter

DEEP = 10_000
_SECONDS, _BYTES = 10, 1_500_000_000
_ISSUE, _THEME = "issues/29/issue.md", "templates/default/issue.mjml"
_RANGE = "{% set r = range(9999) %}"
_HEAD = "---\ntitle: Deep\n---\n\n"


@dataclass(frozen=True, slots=True)
class Hostile:
    """A file of the newsletter, what it holds, and what must be said of it."""

    path: str
    content: Callable[[], str]
    says: str


def _bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    return "---\ntitle: Bomb\n" + "\n".join(lines) + "\n---\n\nText\n"


def _tags(body: str) -> str:
    return f"<mjml><mj-body><mj-section><mj-column><mj-text>{body}</mj-text></mj-column></mj-section></mj-body></mjml>"


CASES = {
    "nested quotes": Hostile(_ISSUE, lambda: f"{_HEAD}{'> ' * DEEP}a\n", "nested more than"),
    "nested lists": Hostile(_ISSUE, lambda: f"{_HEAD}{'- ' * DEEP}a\n", "nested more than"),
    "a file of 20 MB": Hostile(_ISSUE, lambda: _HEAD + "word " * 4_000_000, "larger than 2 MB"),
    "a YAML bomb": Hostile(_ISSUE, _bomb, "anchors, aliases and tags are not allowed"),
    "nested brackets": Hostile(
        _ISSUE, lambda: f"{_HEAD}{'[' * DEEP}a{']' * DEEP}(https://example.net/)\n", "brackets are nested more than"
    ),
    "a theme's endless loop": Hostile(_THEME, lambda: "{% for i in range(10**10) %}a{% endfor %}", ":1: Range too big"),
    "a theme's loops in loops": Hostile(
        _THEME, lambda: _RANGE + "{% for i in r %}" * 3 + "{% endfor %}" * 3, ":1: the templates take more than 50,000"
    ),
    "a theme's macros that double": Hostile(
        _THEME,
        lambda: "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}\n{{ m(60) }}",
        ":1: the templates take more than 50,000 steps",
    ),
    "a theme's endless word": Hostile(_THEME, lambda: "{{ 'a' * 10**10 }}", ":1: * makes more than 1,000,000"),
    "a theme's endless number": Hostile(_THEME, lambda: "{{ 10 ** (10**6) }}", ":1: ** makes more than 1,000,000"),
    "a theme's endless page": Hostile(
        _THEME, lambda: "{% for i in range(999) %}{{ 'a' * 99999 }}{% endfor %}", "issue.mjml: the theme's templates"
    ),
    "a theme's nested tags": Hostile(_THEME, lambda: _tags("<div>" * DEEP + "</div>" * DEEP), "nested more than 150"),
}
COMMANDS = {"rendered": ("dispatcher", "render", "29", "--out", "out"), "sent": ("send-issue", "29", "--yes")}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("hostile", CASES.values(), ids=CASES)
def test_hostile_input_ends_with_one_line_and_no_mail(
    newsletter: Newsletter, command: tuple[str, ...], hostile: Hostile
) -> None:
    newsletter.write(hostile.path, hostile.content())
    (newsletter.folder / "issues/29/issue.zh.md").unlink()
    done = newsletter.run(*command, limits={resource.RLIMIT_AS: _BYTES, resource.RLIMIT_CPU: _SECONDS})
    assert done.returncode == 65, done.stderr
    assert hostile.says in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert newsletter.outbox() == []
