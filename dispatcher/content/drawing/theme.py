"""Finds a theme's files, reads its strings in a language, and renders its templates in a sandbox."""

import re
import tomllib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any

from jinja2 import (
    BytecodeCache,
    Environment,
    FunctionLoader,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
    UndefinedError,
)
from jinja2.bccache import Bucket
from jinja2.loaders import split_template_path

from dispatcher.content.drawing import sandbox
from dispatcher.content.drawing.sandbox import LARGEST, BoundedSandbox
from dispatcher.content.personal import mark
from dispatcher.content.wording import Strings, lookup_chain
from dispatcher.errors import Fault, InputWrong
from dispatcher.models import Field

_KEPT_TEMPLATES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """The folders in which a theme's files are looked for, the newsletter's own before the packaged ones."""

    name: str
    newsletter: Path
    folders: tuple[Path, ...]


def find_theme(name: str, newsletter_folder: Path) -> Theme:
    """The theme of that name; a file the newsletter keeps in `templates/` wins over the packaged one."""
    newsletter = newsletter_folder.resolve()
    own, packaged = newsletter / "templates", _packaged_themes().resolve()
    known = {path.parent.name for root in (own, packaged) for path in root.glob("*/issue.mjml")}
    if name not in known:
        remedy = f"the themes are {', '.join(sorted(known))}"
        raise InputWrong([Fault(path=f"templates/{name}", message=f"there is no theme {name!r}", remedy=remedy)])
    folders = dict.fromkeys((own / name, own, packaged / name))
    return Theme(name=name, newsletter=newsletter, folders=tuple(folder for folder in folders if folder.is_dir()))


def _packaged_themes() -> Path:
    installed = Path(str(resources.files("dispatcher"))) / "templates"
    return installed if installed.is_dir() else installed.parents[1] / "templates"


def read_strings(theme: Theme, language: str) -> Strings:
    """What the theme says in a language; what `zh-Hant-TW` lacks comes from `zh-Hant`, `zh` and `en`.

    In each of them, what the theme lacks comes from the packaged default theme: a theme is a look, not a vocabulary.
    """
    chain = ["en", *reversed(lookup_chain(language))]
    folders = dict.fromkeys((_packaged_themes().resolve() / "default", *reversed(theme.folders)))
    strings: dict[str, str] = {}
    for tag in dict.fromkeys(chain):
        for folder in folders:
            if (path := folder / "strings" / f"{tag}.toml").is_file():
                strings |= _strings_in(path, theme)
    return strings


def _strings_in(path: Path, theme: Theme) -> Strings:
    shown = shown_path(path, theme)
    try:
        strings = tomllib.loads(_read(path, theme))
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        remedy = 'write lines like unsubscribe = "Unsubscribe"'
        fault = Fault(path=shown, line=int(line[1]) if line else None, message=f"not TOML: {error}", remedy=remedy)
        raise InputWrong([fault]) from error
    faults = [
        Fault(path=shown, message=f"{name} is not a text", remedy="put it in quotes")
        for name, value in strings.items()
        if not isinstance(value, str)
    ]
    if faults:
        raise InputWrong(faults)
    return strings


def open_environment(theme: Theme, *, into: list[Field], **values: Any) -> BoundedSandbox:
    """Jinja over the theme's files; `values` are seen everywhere, and personal fields are appended to `into`."""

    def load(name: str) -> tuple[str, str, None] | None:
        path = _file(theme, name)
        if path is None:
            return None
        marked, fields = _marked(_read(path, theme), shown_path(path, theme), len(into))
        into.extend(fields)
        return marked, str(path), None

    environment = BoundedSandbox(
        loader=FunctionLoader(load),
        bytecode_cache=_compiled(),
        autoescape=lambda name: name is not None and name.endswith(".mjml"),
    )
    environment.globals.update(values)
    return environment


@lru_cache(maxsize=64)
def _marked(source: str, path: str, taken: int) -> tuple[str, tuple[Field, ...]]:
    """A template with marks for its personal fields, numbered from `taken` on, and the fields."""
    fields: list[Field] = []
    marked = mark(source, into=fields, path=path, taken=taken, personal_only=True)
    return marked, tuple(fields)


class _CompiledOnce(BytecodeCache):
    """Keeps templates compiled: a preview draws the same ones after every save."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], CodeType] = OrderedDict()

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._kept.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._kept[bucket.key, bucket.checksum] = bucket.code
        while len(self._kept) > _KEPT_TEMPLATES:
            self._kept.popitem(last=False)


@cache
def _compiled() -> _CompiledOnce:
    return _CompiledOnce()


def _file(theme: Theme, name: str) -> Path | None:
    places = (folder.joinpath(*split_template_path(name)) for folder in theme.folders)
    return next((place for place in places if place.is_file()), None)


def _read(path: Path, theme: Theme) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        fault = Fault(path=shown_path(path, theme), message="this is not UTF-8", remedy="save it as UTF-8")
        raise InputWrong([fault]) from error


def shown_path(path: Path, theme: Theme) -> str:
    """The path as an editor in the newsletter's folder would type it."""
    return str(path.relative_to(theme.newsletter) if path.is_relative_to(theme.newsletter) else path)


def render(environment: Environment, template: str, theme: Theme) -> str:
    """The template filled in; InputWrong with file and line for whatever its author can put right."""
    try:
        return _gathered(environment.get_template(template).generate())
    except TemplateNotFound as error:
        path = shown_path(theme.folders[0] / (error.name or template), theme)
        fault = Fault(path=path, message=f"theme {theme.name!r} lacks this file", remedy="add it")
        raise InputWrong([fault]) from error
    except TemplateSyntaxError as error:
        path = shown_path(Path(error.filename or template), theme)
        message = (error.message or "the syntax is wrong").rstrip(".")
        raise InputWrong([Fault(path=path, line=error.lineno, message=message, remedy="put it right")]) from error
    except (RecursionError, MemoryError) as error:
        message = "the theme's templates call each other without an end, or grow without a bound"
        path = shown_path(theme.folders[0] / template, theme)
        raise InputWrong([Fault(path=path, message=message, remedy="put them right")]) from error
    except (TemplateError, LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        place = _innermost(error.__traceback__, theme)
        if place is None:
            raise
        path, line = place
        what = "unknown template variable: " if isinstance(error, UndefinedError) else ""
        is_boundless = isinstance(error, OverflowError)
        remedy = "bound it, or shorten the issue" if is_boundless else "see the default theme for what there is"
        raise InputWrong([Fault(path=path, line=line, message=f"{what}{error}", remedy=remedy)]) from error


def _gathered(pieces: Iterator[str]) -> str:
    kept: list[str] = []
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > LARGEST:
            raise MemoryError
        kept.append(piece)
    return "".join(kept)


def _innermost(trace: TracebackType | None, theme: Theme) -> tuple[str, int] | None:
    """File and line of the innermost template frame; None when our own code failed further in."""
    place = None
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if any(path.is_relative_to(folder) for folder in theme.folders):
            place = shown_path(path, theme), trace.tb_lineno
        elif (module := str(trace.tb_frame.f_globals.get("__name__", ""))) != sandbox.__name__:
            place = None if module.startswith("dispatcher.") else place
        trace = trace.tb_next
    return place
