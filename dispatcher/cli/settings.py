"""The command that shows the settings: config."""

import json
from typing import Annotated

import typer

from dispatcher.cli.frame import Format, settings_of


def add_to(app: typer.Typer) -> None:
    app.command(epilog="Example: dispatcher config --format json")(config)


def config(context: typer.Context, output: Annotated[Format, typer.Option("--format")] = Format.TEXT) -> None:
    """Show every setting as it is in force here, secrets masked."""
    from dispatcher.config import masked  # noqa: PLC0415

    shown = masked(settings_of(context.obj))
    if output is Format.JSON:
        print(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    width = max(map(len, shown))
    for key, value in shown.items():
        print(f"{key:{width}}  {value}".rstrip())
