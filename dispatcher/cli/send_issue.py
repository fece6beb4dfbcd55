"""The command `send-issue`."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli.frame import Version, command_group, duration, exit_with, run, settings_of

app = command_group()

_EPILOG = "Example: send-issue 29 --staging, then send-issue 29. Run again, it goes on and mails nobody twice."


@app.command(epilog=_EPILOG)
def send_issue(
    issue: Annotated[str, typer.Argument(help="The issue: its number, or its folder.")],
    folder: Annotated[Path | None, typer.Option("-C", metavar="DIR", help="The newsletter's folder.")] = None,
    list_name: Annotated[str | None, typer.Option("--list", metavar="NAME", help="To this list.")] = None,
    staging: Annotated[bool, typer.Option("--staging", help="To the staging list, anew each time.")] = False,
    test: Annotated[str | None, typer.Option("--test", metavar="ADDRESS", help="One copy to any address.")] = None,
    reader: Annotated[
        str | None, typer.Option("--as", metavar="READER", help="With --test: merged as this reader.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Everything but handing over.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Answers the confirmation.")] = False,
    patience: Annotated[
        str, typer.Option(metavar="TIME", help="How long to try deferred readers and a lost relay: 0, 90s, 15m, 2h.")
    ] = "15m",
    skip_bad_rows: Annotated[bool, typer.Option("--skip-bad-rows", help="Go on without faulty CSV rows.")] = False,
    _version: Version = False,
) -> None:
    """Send an issue: check, plan, confirm, send. Run again: resume, and mail nobody twice."""
    modes = [name for name, is_on in (("--staging", staging), ("--test", test), ("--dry-run", dry_run)) if is_on]
    if len(modes) > 1 and modes != ["--staging", "--dry-run"]:
        raise typer.BadParameter(f"{' and '.join(modes)} do not go together")
    if staging and list_name:
        raise typer.BadParameter("--staging and --list do not go together")
    if reader and not test:
        raise typer.BadParameter("--as needs --test")
    if test and list_name:
        raise typer.BadParameter("--test and --list do not go together; --as names the reader")
    time = duration(patience)

    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415  --help answers without the database

    settings = settings_of(folder)
    with open_newsletter(settings) as newsletter:
        if test is not None:
            from dispatcher.recipes.single_copy import CopyOrder, send_copy  # noqa: PLC0415

            exit_with(send_copy(newsletter, CopyOrder(issue=issue, to=test, reader=reader)))
            return
        from dispatcher.recipes.plan import Order  # noqa: PLC0415

        order = Order(
            issue=issue,
            list_name="staging" if staging else list_name,
            is_confirmed=yes,
            patience=time,
            skip_bad_rows=skip_bad_rows,
            command=shlex.join(["send-issue", *sys.argv[1:]]),
        )
        if dry_run:
            from dispatcher.recipes.dry_run import dry_run as rehearse  # noqa: PLC0415

            rehearse(newsletter, order)
            return
        from dispatcher.recipes.send_issue import send_issue as send  # noqa: PLC0415

        exit_with(send(newsletter, order))


def main() -> None:
    run(app, "send-issue")
