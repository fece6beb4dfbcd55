"""The commands about the database as a whole: database copy."""

from typing import Annotated

import typer

from dispatcher.cli.frame import command_group, settings_of

app = command_group(
    no_args_is_help=True,
    help="The newsletter's database. Copy it from SQLite to PostgreSQL, or back.",
    epilog="Example: dispatcher database copy sqlite:///dispatcher.db postgresql://letter@db.example.org/letter",
)


@app.callback()
def database() -> None:
    """Keep `copy` a command of its own."""


@app.command(
    epilog="Example: dispatcher database copy sqlite:///dispatcher.db postgresql://letter@db.example.org/letter"
)
def copy(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="FROM", help="The database's URL; it cannot be used afterwards.")],
    target: Annotated[
        str, typer.Argument(metavar="TO", help="An empty database's URL; PGPASSWORD holds its password.")
    ],
) -> None:
    """Move the newsletter into another database. Every row compared; nobody may be sending meanwhile."""
    from dispatcher.recipes.moving import copy as move  # noqa: PLC0415

    place, counts = move(settings_of(context.obj), source, target)
    for name, rows in counts.items():
        if rows:
            print(f"{name:14} {rows:>12,}")
    print(f"{place}: {sum(counts.values()):,} rows are there, each as it was")
    print("now set database, or DISPATCHER_DATABASE, to it; the old one is closed for good")
