"""Commands that tell how issues stand: status, report, why, audit."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli.frame import Format, exit_with, settings_of

_SECONDS_ON_A_TERMINAL = 1.0
_SECONDS_ELSEWHERE = 10.0


class ReportFormat(StrEnum):
    TEXT = "text"
    JSON = "json"
    TSV = "tsv"


def add_to(app: typer.Typer) -> None:
    app.command(epilog="Example: dispatcher status --watch")(status)
    app.command(epilog="Example: dispatcher report 29 --html report.html")(report)
    app.command(epilog="Example: dispatcher why ann@example.org 29")(why)
    app.command(epilog="Example: dispatcher audit 29")(audit)


def status(
    context: typer.Context,
    issue: Annotated[str | None, typer.Argument(help="One issue; by default all.")] = None,
    output: Annotated[Format, typer.Option("--format")] = Format.TEXT,
    watch: Annotated[bool, typer.Option("--watch", help="Go on looking, until Ctrl-C.")] = False,
) -> None:
    """Show where each issue stands. With --watch also how fast it goes, how long it takes, and who is sending."""
    from dispatcher.desk.asked import died_with  # noqa: PLC0415
    from dispatcher.desk.tables import print_table  # noqa: PLC0415
    from dispatcher.recipes.accounts import issue_standings  # noqa: PLC0415

    if watch:
        _watch(context, issue, output)
        return
    standings = issue_standings(settings_of(context.obj), issue)
    if output is Format.JSON:
        print(json.dumps([each.plain() for each in standings], indent=2))
    elif not standings:
        print("no issues yet; write one with: dispatcher new")
    else:
        print_table(["issue", "sent as", "when", "outcome"], [each.cells() for each in standings])
        for each in standings:
            if each.abandoned:
                print("\n  ".join([f"\n{died_with(each.issue)}", *each.abandoned]))


def _watch(context: typer.Context, issue: str | None, output: Format) -> None:
    from dispatcher.desk import watch as seen  # noqa: PLC0415
    from dispatcher.recipes.watch import watch  # noqa: PLC0415

    settings = settings_of(context.obj)
    if output is Format.TEXT and sys.stdout.isatty():
        with seen.on_terminal() as show:
            watch(settings, issue, show, every=_SECONDS_ON_A_TERMINAL)
    else:
        show = seen.in_json() if output is Format.JSON else seen.in_lines()
        watch(settings, issue, show, every=_SECONDS_ELSEWHERE)


def report(
    context: typer.Context,
    issue: Annotated[str, typer.Argument(help="The issue: its number, or its folder.")],
    output: Annotated[ReportFormat, typer.Option("--format")] = ReportFormat.TEXT,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with plots instead.")] = None,
) -> None:
    """Show the outcome. By state, doubts first, then by domain and reason."""
    from dispatcher.desk import report as write  # noqa: PLC0415
    from dispatcher.recipes.accounts import reported  # noqa: PLC0415

    settings = settings_of(context.obj)
    with reported(settings, issue) as (database, mailing):
        if html is not None:
            from dispatcher.desk.report_page import report_page  # noqa: PLC0415

            page = report_page(
                database, mailing, newsletter=settings.name or settings.folder.name, timezone=settings.timezone
            )
            html.write_text(page, encoding="utf-8")
            print(html)
            return
        {ReportFormat.TEXT: write.as_text, ReportFormat.JSON: write.as_json, ReportFormat.TSV: write.as_tsv}[output](
            database, mailing, settings.timezone
        )


def why(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="The reader's address.")],
    issue: Annotated[str, typer.Argument(help="The issue: its number, or its folder.")],
) -> None:
    """Tell why a reader did or did not get an issue."""
    from dispatcher.recipes.accounts import why as explain  # noqa: PLC0415

    for sentence in explain(settings_of(context.obj), address, issue):
        print(sentence)


def audit(
    context: typer.Context,
    issue: Annotated[str, typer.Argument(help="The issue: its number, or its folder.")],
    output: Annotated[Format, typer.Option("--format")] = Format.TEXT,
) -> None:
    """Prove the ledger's equation. Exit 0 only if it holds, else 65."""
    from dispatcher.desk.audit import audit as prove  # noqa: PLC0415
    from dispatcher.recipes.accounts import reported  # noqa: PLC0415

    with reported(settings_of(context.obj), issue) as (database, mailing):
        account = prove(database, mailing)
    if output is Format.JSON:
        print(json.dumps(account.plain(), indent=2))
    else:
        print(account.sentence())
    exit_with(0 if account.holds else 65)
