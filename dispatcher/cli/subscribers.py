"""The commands on readers: dispatcher subscribers import, export, add, list, show, unsubscribe."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli.frame import Format, command_group, exit_with, settings_of

app = command_group(
    no_args_is_help=True, help="Readers and their lists.", epilog="Example: dispatcher subscribers list"
)

ListName = Annotated[str, typer.Option("--list", metavar="NAME", help="The list.")]


@app.command(name="import", epilog="Example: dispatcher subscribers import readers.csv --list weekly")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A CSV file with a column email.")],
    list_name: ListName,
) -> None:
    """Add and correct readers from a file; who left stays away. Bad rows are listed, the others stored."""
    from dispatcher.audience.lists import import_file  # noqa: PLC0415
    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415

    settings = settings_of(context.obj)
    with open_newsletter(settings) as newsletter:
        imported = import_file(newsletter.database, settings.folder, file, list_name)
    changes = imported.changes
    for fault in (*(changes.duplicates if changes else ()), *imported.faults):
        print(fault, file=sys.stderr)
    if changes:
        print(
            f"{list_name}: {changes.read:,} rows read, {changes.joined:,} joined, {changes.changed:,} changed, "
            f"{changes.vanished:,} no longer in the file, {changes.stayed_away:,} left earlier and stay away"
        )
    exit_with(65 if imported.faults else 0)


@app.command(epilog="Example: dispatcher subscribers export --list weekly --out weekly.csv")
def export(
    context: typer.Context,
    list_name: ListName,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="By default standard output.")] = None,
) -> None:
    """Write a list's active readers as CSV, safe to open in a spreadsheet."""
    from dispatcher.audience.export import export_list  # noqa: PLC0415
    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415

    with open_newsletter(settings_of(context.obj)) as newsletter:
        export_list(newsletter.database, list_name, out)


@app.command(epilog="Example: dispatcher subscribers add ann@example.org --list weekly --name Ann --set plan=pro")
def add(
    context: typer.Context,
    address: Annotated[str, typer.Argument()],
    list_name: ListName,
    name: Annotated[str | None, typer.Option()] = None,
    language: Annotated[str | None, typer.Option(metavar="TAG", help="A language tag such as zh-Hans.")] = None,
    attributes: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="An attribute.")] = None,
) -> None:
    """Add one reader to a list, or correct what is known of him."""
    pairs = [text.partition("=") for text in attributes or []]
    if any(not key or not separator for key, separator, _ in pairs):
        raise typer.BadParameter("--set needs NAME=VALUE")
    from dispatcher.audience.lists import add_person  # noqa: PLC0415
    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415

    values = {key: value for key, _, value in pairs}
    with open_newsletter(settings_of(context.obj)) as newsletter:
        changes = add_person(newsletter.database, address, list_name, name=name, language=language, attributes=values)
    print(f"{address}: {'added to' if changes.joined else 'is on'} {list_name}")


@app.command(name="list", epilog="Example: dispatcher subscribers list --format json")
def list_(
    context: typer.Context,
    list_name: Annotated[str | None, typer.Option("--list", metavar="NAME", help="The people on this list.")] = None,
    output: Annotated[Format, typer.Option("--format")] = Format.TEXT,
) -> None:
    """Show the lists and how many readers each has, or with --list everybody who is or was on one."""
    from dispatcher.audience.lists import roll  # noqa: PLC0415
    from dispatcher.desk.tables import print_table  # noqa: PLC0415
    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415
    from dispatcher.storage.subscribers import lists  # noqa: PLC0415

    with open_newsletter(settings_of(context.obj)) as newsletter:
        if list_name is not None:
            rows = roll(newsletter.database, list_name)
        else:
            rows = [
                {"list": each.name, "active": each.active, "unsubscribed": each.unsubscribed, "removed": each.removed}
                for each in lists(newsletter.database)
            ]
    if output is Format.JSON:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    elif rows:
        print_table(list(rows[0]), [["" if value is None else str(value) for value in row.values()] for row in rows])
    else:
        print("nobody yet" if list_name else "no lists yet; make one with subscribers/NAME.csv")


@app.command(epilog="Example: dispatcher subscribers show ann@example.org")
def show(
    context: typer.Context,
    address: Annotated[str, typer.Argument()],
    output: Annotated[Format, typer.Option("--format")] = Format.TEXT,
) -> None:
    """Show everything known about one reader, with history."""
    from dispatcher.audience.lists import find_person  # noqa: PLC0415
    from dispatcher.desk.person import as_plain, as_text  # noqa: PLC0415
    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415

    with open_newsletter(settings_of(context.obj)) as newsletter:
        person = find_person(newsletter.database, address)
    print(json.dumps(as_plain(person), indent=2, ensure_ascii=False) if output is Format.JSON else as_text(person))


@app.command(epilog="Example: dispatcher subscribers unsubscribe ann@example.org --list weekly")
def unsubscribe(
    context: typer.Context,
    address: Annotated[str, typer.Argument()],
    list_name: Annotated[
        str | None, typer.Option("--list", metavar="NAME", help="From this list; by default from all.")
    ] = None,
) -> None:
    """Take a reader off; no file brings him back."""
    from dispatcher.audience.lists import take_off  # noqa: PLC0415
    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415

    with open_newsletter(settings_of(context.obj)) as newsletter:
        left = take_off(newsletter.database, address, list_name)
    print(f"{address}: left {', '.join(left)}" if left else f"{address}: had left already")
