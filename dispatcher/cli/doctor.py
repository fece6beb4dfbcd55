"""The command that looks at what receivers will refuse: doctor."""

import json
from typing import Annotated

import typer

from dispatcher.cli.frame import Format, exit_with, settings_of


def add_to(app: typer.Typer) -> None:
    app.command(epilog="Example: dispatcher doctor --format json")(doctor)


def doctor(
    context: typer.Context,
    output: Annotated[Format, typer.Option("--format")] = Format.TEXT,
    nameserver: Annotated[
        str | None, typer.Option(metavar="ADDRESS[:PORT]", help="Ask this DNS server instead of the machine's.")
    ] = None,
) -> None:
    """Look for what receivers will refuse. At DNS, relay, TLS, pages, keys and database; with the remedies."""
    from dispatcher.doctor.finding import exit_code_of  # noqa: PLC0415
    from dispatcher.recipes.doctor import examine  # noqa: PLC0415

    findings = examine(settings_of(context.obj), nameserver=nameserver)
    if output is Format.JSON:
        for each in findings:
            shown = {"check": each.check, "level": each.level.value, "message": each.message, "remedy": each.remedy}
            print(json.dumps(shown, ensure_ascii=False))
    else:
        for each in findings:
            print(f"{each.level.value:8}{each.check}: {each.message}{f'; {each.remedy}' if each.remedy else ''}")
    exit_with(exit_code_of(findings))
