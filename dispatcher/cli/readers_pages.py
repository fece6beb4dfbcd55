"""The command that serves the readers' pages: serve."""

from typing import Annotated

import typer

from dispatcher.cli.frame import settings_of


def add_to(app: typer.Typer) -> None:
    app.command(epilog="Example: dispatcher serve --port 8029")(serve)


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8029,
) -> None:
    """Serve the readers' pages: unsubscribe, pictures, issues."""
    from dispatcher.recipes.serve import serve as run_pages  # noqa: PLC0415

    run_pages(settings_of(context.obj), host, port)
