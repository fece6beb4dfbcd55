"""The command that reads returned mail: inbox."""

import json
from typing import Annotated

import typer

from dispatcher.cli.frame import Format, settings_of


def add_to(app: typer.Typer) -> None:
    app.command(epilog="Example: dispatcher inbox ~/Maildir      or in /etc/aliases: |dispatcher -C DIR inbox -")(inbox)


def inbox(
    context: typer.Context,
    source: Annotated[
        str | None,
        typer.Argument(
            help="A Maildir, an mbox, a mail, a folder of mails, imaps://USER@HOST/FOLDER, or - to read one."
        ),
    ] = None,
    explains: Annotated[bool, typer.Option("--explain", help="Tell what each mail is, and change nothing.")] = False,
    watches: Annotated[bool, typer.Option("--watch", help="Stay, and read what arrives over IMAP.")] = False,
    output: Annotated[Format, typer.Option("--format")] = Format.TEXT,
) -> None:
    """Read returned mail. Suspend dead addresses, honour complaints and wishes to leave, leave replies for you."""
    from dispatcher.errors import NotFound  # noqa: PLC0415
    from dispatcher.recipes import inbox as recipe  # noqa: PLC0415

    try:
        settings = settings_of(context.obj)
    except NotFound:
        if not explains or source is None:  # a mail can be explained anywhere
            raise
        readings = recipe.explain(None, source)
    else:
        place = source or recipe.inbox_of(settings)
        readings = recipe.explain(settings, place) if explains else recipe.read_inbox(settings, place, watches=watches)
    tally, is_kept = recipe.Tally(), False
    for reading in readings:
        is_kept |= reading.is_left and source == "-" and not explains
        if output is Format.JSON:
            print(json.dumps(reading.plain(), ensure_ascii=False), flush=True)
        elif explains or watches:
            print(reading.line(), flush=True)
        tally.add(reading)
    if output is Format.TEXT:
        print(tally.sentence())
        if is_kept:
            print(f"kept for you in {recipe.returned_folder(settings_of(context.obj))}")
