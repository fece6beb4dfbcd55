"""The command `send-issue`."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli.frame import Version, command_group, duration, exit_with, expression, moment, run, settings_of

app = command_group(add_completion=True)

_ONLY_LIVE = ("--at", "--detach", "--new", "--retry-refused", "--refreeze", "--force")

_EPILOG = "Example: send-issue 29 --staging, then send-issue 29. Run again, it goes on and mails nobody twice."


def _said(reason: str | None) -> str | None:
    if reason is not None and not reason.strip():
        raise typer.BadParameter("it needs a reason, which is recorded")
    return reason


@app.command(epilog=_EPILOG)
def send_issue(
    issue: Annotated[str, typer.Argument(help="The issue: its number, or its folder.")],
    folder: Annotated[Path | None, typer.Option("-C", metavar="DIR", help="The newsletter's folder.")] = None,
    list_name: Annotated[str | None, typer.Option("--list", metavar="NAME", help="To this list.")] = None,
    where: Annotated[
        str | None,
        typer.Option(metavar="EXPR", help="""Of the list only these: 'plan == "pro" and language == "zh"'."""),
    ] = None,
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
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Freeze it now, for a worker to send: 2026-11-25T09:00+08:00.")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Leave it to the workers, once it is confirmed.")] = False,
    new: Annotated[bool, typer.Option("--new", help="After completion: only who joined since.")] = False,
    retry_refused: Annotated[
        bool, typer.Option("--retry-refused", help="After completion: only whom a relay refused.")
    ] = False,
    refreeze: Annotated[
        bool, typer.Option("--refreeze", help="After an edit in mid-issue: the others get the new text.")
    ] = False,
    force: Annotated[
        str | None,
        typer.Option(metavar="REASON", callback=_said, help="Passes the gate without staging; recorded."),
    ] = None,
    _version: Version = False,
) -> None:
    """Send an issue: check, plan, confirm, send. Run again: resume, and mail nobody twice."""
    asked = {
        "--staging": staging, "--test": test, "--dry-run": dry_run, "--list": list_name, "--where": where,
        "--as": reader, "--at": at, "--detach": detach, "--new": new, "--retry-refused": retry_refused,
        "--refreeze": refreeze, "--force": force,
    }  # fmt: skip
    _require_sense([option for option, value in asked.items() if value])
    _require_address(test)
    time, meant, hour = duration(patience), expression(where), moment(at)

    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415  --help answers without the database

    settings = settings_of(folder)
    with open_newsletter(settings) as newsletter:
        if test is not None:
            from dispatcher.recipes.single_copy import CopyOrder, send_copy  # noqa: PLC0415

            exit_with(send_copy(newsletter, CopyOrder(issue=issue, to=test, reader=reader)))
            return
        from dispatcher.recipes.order import Order  # noqa: PLC0415

        order = Order(
            issue=issue,
            list_name="staging" if staging else list_name,
            where=meant,
            is_confirmed=yes,
            patience=time,
            where_text=where,
            skip_bad_rows=skip_bad_rows,
            only_new=new,
            only_refused=retry_refused,
            refreezes=refreeze,
            at=hour,
            detaches=detach,
            force=force,
            command=shlex.join(["send-issue", *sys.argv[1:]]),
        )
        if dry_run:
            from dispatcher.recipes.dry_run import dry_run as rehearse  # noqa: PLC0415

            rehearse(newsletter, order)
            return
        from dispatcher.recipes.send_issue import send_issue as send  # noqa: PLC0415

        exit_with(send(newsletter, order))


def _require_sense(asked: Sequence[str]) -> None:
    """Raises BadParameter for options that contradict each other."""
    modes = [option for option in ("--staging", "--test", "--dry-run") if option in asked]
    if len(modes) > 1 and modes != ["--staging", "--dry-run"]:
        raise typer.BadParameter(f"{' and '.join(modes)} do not go together")
    if "--staging" in asked and "--list" in asked:
        raise typer.BadParameter("--staging and --list do not go together")
    if "--where" in asked and {"--staging", "--test"} & {*asked}:
        raise typer.BadParameter("--where chooses readers of a list; it goes with neither --staging nor --test")
    if "--as" in asked and "--test" not in asked:
        raise typer.BadParameter("--as needs --test")
    if "--test" in asked and "--list" in asked:
        raise typer.BadParameter("--test and --list do not go together; --as names the reader")
    only_live = [option for option in asked if option in _ONLY_LIVE]
    if only_live and {"--staging", "--test"} & {*asked}:
        raise typer.BadParameter(f"{only_live[0]} is for readers; it goes with neither --staging nor --test")
    if "--at" in asked and "--detach" in asked:
        raise typer.BadParameter("--at leaves it to workers already; --detach means now")
    if "--at" in asked and {"--new", "--retry-refused", "--refreeze"} & {*asked}:
        raise typer.BadParameter("--at is for an issue that has not begun")


def _require_address(text: str | None) -> None:
    if text is None:
        return
    from dispatcher.audience.address import read_address  # noqa: PLC0415  --help answers without it

    try:
        read_address(text)
    except ValueError as error:
        raise typer.BadParameter(f"--test {text}: {error}") from error


def main() -> None:
    run(app, "send-issue")
