"""The commands with which an editor looks an issue over: check, preview."""

from enum import StrEnum
from typing import Annotated

import typer

from dispatcher.cli.frame import exit_with, settings_of


class CheckFormat(StrEnum):
    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def add_to(app: typer.Typer) -> None:
    app.command(epilog="Example: dispatcher preview 29")(preview)
    app.command(epilog="Example: dispatcher check 29 --links, then dispatcher check --explain NL012")(check)


def check(
    context: typer.Context,
    issue: Annotated[str | None, typer.Argument(help="The issue: its number, or its folder.")] = None,
    explain: Annotated[
        str | None, typer.Option(metavar="CHECK", help="What a check is about, such as NL012; all: every one.")
    ] = None,
    links: Annotated[bool, typer.Option("--links", help="Ask every link whether it answers.")] = False,
    spam: Annotated[bool, typer.Option("--spam", help="Ask the spam filter of this machine.")] = False,
    output: Annotated[CheckFormat, typer.Option("--format")] = CheckFormat.TEXT,
) -> None:
    """Look an issue over, and list its faults. Errors stop a send and end with 65; warnings stop nothing."""
    if (issue is None) == (explain is None):
        raise typer.BadParameter("name an issue, or a check with --explain")
    if explain is not None:
        _explain(explain)
        return
    from dispatcher.desk import findings  # noqa: PLC0415
    from dispatcher.recipes.check import Wish  # noqa: PLC0415
    from dispatcher.recipes.check import check as look_over  # noqa: PLC0415

    verdict = look_over(settings_of(context.obj), str(issue), Wish(links=links, spam=spam))
    match output:
        case CheckFormat.TEXT:
            findings.print_text(verdict.findings, verdict.let_pass)
        case CheckFormat.JSON:
            findings.print_json(verdict.findings, verdict.let_pass)
        case CheckFormat.GITHUB:
            findings.print_github(verdict.findings)
    exit_with(0 if verdict.is_sendable else 65)


def _explain(name: str) -> None:
    from dispatcher.content.checking.register import checks, named_check  # noqa: PLC0415
    from dispatcher.content.drawing.wrap import wrap  # noqa: PLC0415

    if name == "all":
        for each in checks().values():
            print(f"{each.id}  {each.severity:7}  {each.title}")
        return
    told = named_check(name)
    print(f"{told.id} ({told.severity}): {told.title}\n")
    print("\n".join(wrap(told.why)) + "\n")
    print("\n".join(wrap(told.instead)) + "\n")
    print(f"To let it pass in one issue, write into its front matter:\n\nignore:\n  {told.id}: the reason why")


def preview(
    context: typer.Context,
    issue: Annotated[str | None, typer.Argument(help="The issue; by default the newest.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")] = 8030,
) -> None:
    """Show an issue in the browser, live. As readers will see it, anew after each save."""
    from dispatcher.recipes.preview import preview as show  # noqa: PLC0415

    show(settings_of(context.obj), issue, port)
