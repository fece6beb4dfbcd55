"""Commands that make and render issues: init, new, render."""

from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli.frame import settings_of


def add_to(app: typer.Typer) -> None:
    app.command(epilog="Example: dispatcher init my-letter")(init)
    app.command(epilog="Example: dispatcher new 30")(new)
    app.command(epilog="Example: dispatcher render 29 --out /tmp/29")(render)


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the newsletter goes; made if it is not there.")],
) -> None:
    """Make a new newsletter's folder."""
    from dispatcher.desk.skeletons import write_newsletter  # noqa: PLC0415

    for path in write_newsletter(folder):
        print(path)
    print(f"next: cd {folder}, edit pyproject.toml, then: dispatcher new")


def new(
    context: typer.Context,
    number: Annotated[int | None, typer.Argument(min=1, max=999_999_999, help="By default the next one.")] = None,
) -> None:
    """Write a new issue from its skeleton."""
    from dispatcher.desk.skeletons import write_issue  # noqa: PLC0415

    settings = settings_of(context.obj)
    print(write_issue(settings.folder, number, newsletter=settings.name))


def render(
    context: typer.Context,
    issue: Annotated[str, typer.Argument(help="The issue: its number, or its folder.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the files go.")],
) -> None:
    """Write each language's HTML, text and message, and a manifest with hashes."""
    from dispatcher.recipes.render import render as write  # noqa: PLC0415

    for path in write(settings_of(context.obj), issue, out):
        print(path)
