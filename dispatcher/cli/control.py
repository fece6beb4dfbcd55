"""Commands that control an issue on its way: stop, cancel, resolve, worker."""

from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli.frame import settings_of

Issue = Annotated[str, typer.Argument(help="The issue: its number, or its folder.")]


def add_to(app: typer.Typer) -> None:
    app.command(epilog="Example: dispatcher stop 29")(stop)
    app.command(epilog="Example: dispatcher cancel 29")(cancel)
    app.command(epilog="Example: dispatcher resolve 29 --from-log /var/log/mail.log")(resolve)
    app.command(epilog="Example: dispatcher worker")(worker)


def stop(context: typer.Context, issue: Issue) -> None:
    """Pause an issue between two messages. Its sender ends with 75, and send-issue goes on with it."""
    from dispatcher.recipes.control import stop_issue  # noqa: PLC0415
    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415

    with open_newsletter(settings_of(context.obj)) as newsletter:
        print(stop_issue(newsletter, issue))


def cancel(context: typer.Context, issue: Issue) -> None:
    """Give up the rest of an issue. Who was not mailed yet is not mailed."""
    from dispatcher.recipes.control import cancel_issue  # noqa: PLC0415
    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415

    with open_newsletter(settings_of(context.obj)) as newsletter:
        print(cancel_issue(newsletter, issue))


def resolve(
    context: typer.Context,
    issue: Issue,
    from_log: Annotated[Path | None, typer.Option("--from-log", metavar="FILE", help="A log of our Postfix.")] = None,
    sent: Annotated[list[str] | None, typer.Option(metavar="ADDRESS", help="Is known to have it.")] = None,
    not_sent: Annotated[
        list[str] | None, typer.Option("--not-sent", metavar="ADDRESS", help="Is known not to have it: queued again.")
    ] = None,
) -> None:
    """Settle rows in doubt. The end of the message went out and no reply came."""
    if from_log is None and not sent and not not_sent:
        raise typer.BadParameter("say how: --from-log FILE, --sent ADDRESS or --not-sent ADDRESS")
    from dispatcher.recipes.control import resolve as settle  # noqa: PLC0415
    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415

    with open_newsletter(settings_of(context.obj)) as newsletter:
        for line in settle(newsletter, issue, log=from_log, sent=sent or [], not_sent=not_sent or []):
            print(line)


def worker(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Only what is due now.")] = False,
) -> None:
    """Stay running, and do what is due. Scheduled issues are sent, deferred readers tried, the inbox is read.

    On PostgreSQL, as many workers as you start send an issue together, with send-issue or without it.
    """
    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415
    from dispatcher.recipes.worker import work  # noqa: PLC0415

    with open_newsletter(settings_of(context.obj)) as newsletter:
        work(newsletter, is_once=once)
