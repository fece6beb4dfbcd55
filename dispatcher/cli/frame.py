"""What all commands share: the newsletter they work on, and how errors become exit codes."""

import gc
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli.logs import keep_log
from dispatcher.config import Settings, find_folder, load_settings, parse_duration
from dispatcher.desk.screen import complain, note
from dispatcher.errors import DispatcherError
from dispatcher.expressions import Expression, NotUnderstoodError, parse

INTERRUPTED = 75
NOT_FOUND = 66
OUTPUT_LOST = 74
_OUTPUT = "standard output"
_NEW_OBJECTS = 200_000  # before the collector looks for cycles: what a start makes stays, and looking cost 60 ms
_CTRL_C, _BROKEN_PIPE = 130, 1  # Typer's own codes; a bug of ours comes as its exception


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"


def command_group(**options: object) -> typer.Typer:
    """A Typer app with the house's settings."""
    settings = {"add_completion": False, "pretty_exceptions_enable": False, "rich_markup_mode": None}
    return typer.Typer(**{**settings, **options})  # type: ignore[arg-type]


def run(app: typer.Typer, name: str) -> None:
    """Runs a command line to its exit code; an error the operator can put right is one line for each fault."""
    gc.set_threshold(_NEW_OBJECTS)
    if sys.stdout is None:  # closed by who started us
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  open to the end
    if isinstance(sys.stdout, io.TextIOWrapper):  # what scripts read is UTF-8 everywhere
        if sys.stdout is sys.__stdout__:
            by_line, at_once = sys.stdout.line_buffering, sys.stdout.write_through
            sys.stdout = _Output(
                sys.stdout.detach(), "utf-8", "backslashreplace", line_buffering=by_line, write_through=at_once
            )
        else:  # of whoever called us in his own process
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="backslashreplace")
    code = _exit_code(app, name)
    try:
        sys.stdout.flush()
    except OSError as error:  # who read our output left, as `head` does: that changes nothing about what was done
        code = code if isinstance(error, BrokenPipeError) else _output_lost(error)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    gc.freeze()  # or Python would look for cycles once more in all that ends with the process
    sys.exit(code)


def _exit_code(app: typer.Typer, name: str) -> int:
    try:
        keep_log(os.environ)
        app(prog_name=name)
    except SystemExit as end:
        if end.code == _CTRL_C:
            note("interrupted")
            return INTERRUPTED
        if end.code == _BROKEN_PIPE:
            return 0
        return end.code if isinstance(end.code, int) else 0
    except DispatcherError as error:
        complain(str(error), exit_code=error.exit_code)
        return error.exit_code
    except OSError as error:
        if error.filename == _OUTPUT:
            return _output_lost(error)
        complain(f"{error.filename or 'file'}: {error.strerror or error}; check the path and its rights")
        return NOT_FOUND
    return 0


class _Output(io.TextIOWrapper):
    """Standard output whose failures can be told from a file's: they name it."""

    def write(self, text: str, /) -> int:
        with _named_output():
            return super().write(text)

    def flush(self) -> None:
        with _named_output():
            super().flush()


@contextmanager
def _named_output() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        error.filename = _OUTPUT
        raise


def _output_lost(error: OSError) -> int:
    complain(f"{_OUTPUT}: {error.strerror}; what was to be read there is lost")
    return OUTPUT_LOST


def version(is_asked: bool) -> None:
    """Prints the version and ends, when asked."""
    if is_asked:
        from importlib.metadata import version as installed  # noqa: PLC0415  slow, and rarely needed

        print(f"Dispatcher {installed('newsletter-dispatcher')}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=version, is_eager=True, help="Show the version.")]


def settings_of(folder: Path | None) -> Settings:
    """The settings of the newsletter in or above `folder`, by default the working directory."""
    return load_settings(find_folder(folder or Path.cwd()))


def moment(text: str | None) -> datetime | None:
    """An hour given on the command line, with its zone, in the future."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no time; write it as 2026-11-25T09:00+08:00") from error
    if at.tzinfo is None:
        raise typer.BadParameter(f"{text!r} names no zone; write it as {text}+00:00, or with yours")
    if at <= datetime.now(UTC):
        raise typer.BadParameter(f"{text!r} is over")
    return at.astimezone(UTC)


def duration(text: str) -> timedelta:
    """A duration given on the command line."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def expression(text: str | None) -> Expression | None:
    """An expression given on the command line."""
    try:
        return None if text is None else parse(text)
    except NotUnderstoodError as error:
        raise typer.BadParameter(f"--where, column {error.column}: {error}") from error


def exit_with(code: int) -> None:
    if code:
        raise typer.Exit(code)
