"""The commands on lists: dispatcher subscribers import, undo, export, list, stats."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli import people
from dispatcher.cli.frame import Format, command_group, exit_with, expression, settings_of

app = command_group(
    no_args_is_help=True, help="Readers and their lists.", epilog="Example: dispatcher subscribers list"
)

ListName = Annotated[str, typer.Option("--list", metavar="NAME", help="The list.")]


@app.command(name="import", epilog="Example: dispatcher subscribers import readers.csv --list weekly --plan")
def import_(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(help="A CSV file with a column email, or another program's export as it is."),
    ],
    list_name: ListName,
    plan: Annotated[bool, typer.Option("--plan", help="Only show what would change.")] = False,
) -> None:
    """Add and correct readers from a file; who left stays away. Bad rows are listed, the others stored."""
    from dispatcher.audience.lists import import_file, newness  # noqa: PLC0415
    from dispatcher.desk.imports import as_text  # noqa: PLC0415
    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415

    settings = settings_of(context.obj)
    with open_newsletter(settings) as newsletter:
        named = f"{list_name}{newness(newsletter.database, settings.folder, list_name)}"
        imported = import_file(
            newsletter.database, newsletter.keyring, settings.folder, file, list_name, only_plan=plan
        )
    changes = imported.changes
    for fault in (*(changes.duplicates if changes else ()), *imported.faults):
        print(fault, file=sys.stderr)
    if changes:
        print(as_text(named, changes, dialect=imported.dialect, only_plan=plan, bad_rows=imported.bad_rows))
    exit_with(65 if imported.faults else 0)


@app.command(epilog="Example: dispatcher subscribers undo --list weekly")
def undo(
    context: typer.Context,
    list_name: Annotated[
        str | None, typer.Option("--list", metavar="NAME", help="The last import of this list; by default of all.")
    ] = None,
) -> None:
    """Take the last import back. Who has left or confirmed since stays as he is, and so do suppressions."""
    from dispatcher.errors import NotFound  # noqa: PLC0415
    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415
    from dispatcher.storage.intakes import undo as take_back  # noqa: PLC0415

    with open_newsletter(settings_of(context.obj)) as newsletter:
        undone = take_back(newsletter.database, list_name)
    if undone is None:
        raise NotFound("there is no import to take back, or the last one has been taken back already")
    print(
        f"{undone.list_name}: took back {undone.path} of {undone.at:%Y-%m-%d %H:%M} UTC: {undone.removed:,} no longer "
        f"on the list, {undone.returned:,} back on it, {undone.corrected:,} as they were"
    )


@app.command(epilog="Example: dispatcher subscribers export --list weekly --where 'plan == \"pro\"' --out pro.csv")
def export(
    context: typer.Context,
    list_name: Annotated[
        str | None, typer.Option("--list", metavar="NAME", help="The active readers of a list.")
    ] = None,
    where: Annotated[str | None, typer.Option(metavar="EXPR", help="Only those whom the expression names.")] = None,
    person: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Everything about one person, as JSON, to hand over to him.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="By default standard output.")] = None,
) -> None:
    """Write a list's active readers as CSV. Safe to open in a spreadsheet; or all that is known about one person."""
    if (list_name is None) == (person is None):
        raise typer.BadParameter("name a --list or a --person")
    from dispatcher.audience.export import export_list, write_text  # noqa: PLC0415
    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415

    with open_newsletter(settings_of(context.obj)) as newsletter:
        if person is None and list_name is not None:
            export_list(newsletter.database, list_name, out, where=expression(where))
        elif person is not None:
            write_text(people.known_as_json(newsletter, person) + "\n", out)


@app.command(name="list", epilog="Example: dispatcher subscribers list --list weekly --where 'language == \"zh\"'")
def list_(
    context: typer.Context,
    list_name: Annotated[str | None, typer.Option("--list", metavar="NAME", help="The people on this list.")] = None,
    where: Annotated[
        str | None, typer.Option(metavar="EXPR", help="With --list: only active readers whom the expression names.")
    ] = None,
    count: Annotated[bool, typer.Option("--count", help="With --list: only how many.")] = False,
    output: Annotated[Format, typer.Option("--format")] = Format.TEXT,
) -> None:
    """Show the lists. How many readers each has, or with --list everybody who is or was on one."""
    if (where or count) and list_name is None:
        raise typer.BadParameter("--where and --count need --list")
    from dispatcher.audience.people import roll  # noqa: PLC0415
    from dispatcher.desk.tables import print_table  # noqa: PLC0415
    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415
    from dispatcher.storage.subscribers import lists  # noqa: PLC0415

    with open_newsletter(settings_of(context.obj)) as newsletter:
        if list_name is not None:
            rows = roll(newsletter.database, list_name, expression(where))
        else:
            rows = [
                {
                    "list": each.name,
                    "active": each.active,
                    "paused": each.paused,
                    "unsubscribed": each.unsubscribed,
                    "removed": each.removed,
                    "suspended": each.suspended,
                }
                for each in lists(newsletter.database)
            ]
    if count:
        print(sum(row["state"] == "active" for row in rows))
    elif output is Format.JSON:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    elif rows:
        print_table(list(rows[0]), [["" if value is None else str(value) for value in row.values()] for row in rows])
    else:
        print("nobody" if list_name else "no lists yet; make one with subscribers/NAME.csv")


@app.command(epilog="Example: dispatcher subscribers stats --html growth.html")
def stats(
    context: typer.Context,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with plots.")] = None,
    output: Annotated[Format, typer.Option("--format")] = Format.TEXT,
) -> None:
    """Count readers by list, state, language and domain. And who came and went each month."""
    from dispatcher.desk.statistics import as_page, as_plain, as_text, collect  # noqa: PLC0415
    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415

    settings = settings_of(context.obj)
    with open_newsletter(settings) as newsletter:
        figures = collect(newsletter.database)
    if html is not None:
        html.write_text(as_page(figures, newsletter=settings.name or settings.folder.name), encoding="utf-8")
        print(html)
    elif output is Format.JSON:
        print(json.dumps(as_plain(figures), indent=2, ensure_ascii=False))
    else:
        print(as_text(figures))


people.add_to(app)
