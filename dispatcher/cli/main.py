"""The command `dispatcher`: everything besides sending."""

from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli import (
    check,
    control,
    database,
    doctor,
    issues,
    readers_pages,
    reports,
    returned_mail,
    settings,
    subscribers,
)
from dispatcher.cli.frame import Version, command_group, run

app = command_group(no_args_is_help=True, add_completion=True, epilog="Example: dispatcher -C my-letter status")
for group in (issues, check, reports, control, returned_mail, doctor, settings, readers_pages):
    group.add_to(app)
app.add_typer(subscribers.app, name="subscribers")
app.add_typer(database.app, name="database")


@app.callback()
def dispatcher(
    context: typer.Context,
    folder: Annotated[Path | None, typer.Option("-C", metavar="DIR", help="The newsletter's folder.")] = None,
    _version: Version = False,
) -> None:
    """A newsletter kept in git. `send-issue` sends it; these commands do the rest."""
    context.obj = folder


def main() -> None:
    run(app, "dispatcher")
