"""The floor plan in dispatcher/__init__.py is the only architecture document; here it is held against the code."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import dispatcher.content

PACKAGE = Path(dispatcher.__file__).parent
ROOMS = {"audience", "content", "delivery", "desk", "doctor", "returns", "web"}
ANYBODY_MAY_IMPORT = {"models", "errors", "tokens", "expressions", "storage"}
FEW = {
    "storage": {"models", "errors", "tokens", "expressions", "storage"},
    "tokens": {"errors"},
    "models": set(),
    "errors": set(),
    "expressions": set(),
}
WITHIN_CONTENT = {"source", "drawing", "message", "checking"}
JOIN_THEM = {"compose.py", "letter.py"}
ONE_DOOR = {
    "premailer": "content/drawing/inline.py",
    "mjml": "content/drawing/mjml.py",
    "aiosmtplib": "delivery/connect.py",
    "dns": "doctor/dns.py",
    "imapclient": "returns/imap.py",
    "uvicorn": "recipes/serve.py recipes/preview.py",  # two servers, for readers and for the editor
    "watchfiles": "recipes/preview.py",
    "tinycss2": "content/checking/styles.py",
    "pygal": "desk/plots.py",
    "httpcore": "desk/fetch.py",
    "procrastinate": "storage/jobs.py",
    "psycopg": "storage/postgres.py storage/postgres_pen.py",  # to open it, and for the hot statements
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@cache
def imports(module: Path) -> list[str]:
    found: list[str] = []
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
        elif isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
    return found


def place(module: Path) -> str:
    """The room a module stands in, or its own name at the top."""
    relative = module.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def test_the_plan_names_every_room_and_every_module_at_the_top() -> None:
    plan = dispatcher.__doc__ or ""
    named = set(re.findall(r"^    (\w+)(?:/|\.py) ", plan, re.MULTILINE))
    there = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert named == there - {"__init__"}


@pytest.mark.parametrize("module", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_point_down_only(module: Path) -> None:
    here = place(module)
    used = {name.split(".")[1] for name in imports(module) if name.startswith("dispatcher.")}
    if here in ROOMS:
        assert used <= ANYBODY_MAY_IMPORT | {here}
    if here in FEW:
        assert used <= FEW[here]
    if here == "content":
        assert "storage" not in used


@pytest.mark.parametrize("module", sorted((PACKAGE / "content").rglob("*.py")), ids=lambda path: path.stem)
def test_the_rooms_within_content_are_joined_by_what_makes_mail_alone(module: Path) -> None:
    used = {name.split(".")[2] for name in imports(module) if re.match(r"dispatcher\.content\.\w", name)}
    here = module.relative_to(PACKAGE / "content").parts[0]
    if here not in JOIN_THEM:
        assert used & WITHIN_CONTENT <= {here}


def test_the_plan_of_content_names_all_that_is_in_it() -> None:
    named = set(re.findall(r"^    (\w+)(?:/|\.py) ", dispatcher.content.__doc__ or "", re.MULTILINE))
    inside = {path.stem for path in (PACKAGE / "content").iterdir() if path.is_dir() or path.suffix == ".py"}
    assert named == inside - {"__init__", "__pycache__"}


@pytest.mark.parametrize(("library", "door"), ONE_DOOR.items())
def test_a_library_has_one_door(library: str, door: str) -> None:
    users = {
        str(module.relative_to(PACKAGE))
        for module in modules()
        if any(name.split(".")[0] == library for name in imports(module))
    }
    assert users == set(door.split())


def test_only_storage_knows_sql() -> None:
    users = {
        place(module) for module in modules() if any(name.split(".")[0] == "sqlalchemy" for name in imports(module))
    }
    assert users == {"storage"}


@pytest.mark.parametrize("module", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_says_in_one_sentence_what_it_does_and_is_short(module: Path) -> None:
    source = module.read_text(encoding="utf-8")
    if not source.strip():
        return
    opening = (ast.get_docstring(ast.parse(source)) or "").split("\n\n")[0]
    assert opening.endswith((".", ":"))
    assert len(source.splitlines()) <= 350
