"""Commands that make and render issues: init, new, card, render, diff, archive."""

from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli.frame import settings_of


def add_to(app: typer.Typer) -> None:
    app.command(epilog="Example: dispatcher init my-letter")(init)
    app.command(epilog="Example: dispatcher new 30")(new)
    app.command(epilog="Example: dispatcher render 29 --out /tmp/29")(render)
    app.command(epilog="Example: dispatcher card https://example.org/article >> issues/30/issue.md")(card)
    app.command(epilog="Example: dispatcher diff 29 --since HEAD~1")(diff)
    app.command(epilog="Example: dispatcher archive --out public")(archive)


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


def card(context: typer.Context, url: Annotated[str, typer.Argument(help="The page's address.")]) -> None:
    """Print a link card of a page, to paste. It is fetched now, and never when the issue is sent."""
    from dispatcher.desk.link_card import as_markdown, fetch_card  # noqa: PLC0415

    print(as_markdown(fetch_card(url, newsletter=settings_of(context.obj).name)))


def render(
    context: typer.Context,
    issue: Annotated[str, typer.Argument(help="The issue: its number, or its folder.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the files go.")],
) -> None:
    """Write each language's HTML, text and message. And a manifest with their hashes."""
    from dispatcher.recipes.render import render as write  # noqa: PLC0415

    for path in write(settings_of(context.obj), issue, out):
        print(path)


def diff(
    context: typer.Context,
    issue: Annotated[str, typer.Argument(help="The issue: its number, or its folder.")],
    since: Annotated[
        str | None, typer.Option(metavar="REVISION", help="A git revision; by default the last staging.")
    ] = None,
) -> None:
    """Show what a reader would see differently. Since the last staging, or since a git revision."""
    from dispatcher.recipes.difference import difference  # noqa: PLC0415

    print("\n".join(difference(settings_of(context.obj), issue, since)) or "a reader would see the same")


def archive(
    context: typer.Context,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the site goes.")],
    with_unsent: Annotated[bool, typer.Option("--with-unsent", help="Also what has not been sent live.")] = False,
) -> None:
    """Write a static site of what has been sent. It has an Atom feed, and names no reader."""
    from dispatcher.recipes.archive import archive as write  # noqa: PLC0415

    for path in write(settings_of(context.obj), out, with_unsent=with_unsent):
        print(path)
