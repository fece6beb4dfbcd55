"""The commands for the readers' pages: serve, token."""

import json
from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated

import typer

from dispatcher.cli.frame import Format, command_group, settings_of

tokens = command_group(no_args_is_help=True, help="Tokens of other systems, for the JSON interface.",
                       epilog="Example: dispatcher token create shop --may subscribe")  # fmt: skip


def add_to(app: typer.Typer) -> None:
    app.command(epilog="Example: dispatcher serve --port 8029 --proxy 127.0.0.1")(serve)
    app.add_typer(tokens, name="token")


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8029,
    proxy: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="Your web server: its X-Forwarded-For says who visits. May be repeated."),
    ] = None,
) -> None:
    """Serve the readers' pages. And send the small mails that readers ask for there."""
    from dispatcher.recipes.serve import serve as run_pages  # noqa: PLC0415

    run_pages(settings_of(context.obj), host, port, proxies=_addresses(proxy or []))


class May(StrEnum):
    """As storage.api_tokens.Right, which --help does not wait for."""

    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    SHOW = "show"
    METRICS = "metrics"


@tokens.command(epilog="Example: dispatcher token create shop --may subscribe --may unsubscribe")
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Which system it is for.")],
    may: Annotated[list[May], typer.Option(help="What it may do; may be repeated.")],
) -> None:
    """Make a token and print it. It is kept as a hash, so that nobody sees it again."""
    from dispatcher.errors import Fault, InputWrong  # noqa: PLC0415
    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415
    from dispatcher.storage.api_tokens import Right, make_token  # noqa: PLC0415

    if not name.strip() or len(name) > 64 or not name.isprintable():
        raise typer.BadParameter("the name has 1 to 64 printable characters")
    with open_newsletter(settings_of(context.obj)) as newsletter:
        text = make_token(newsletter.database, name, [Right(each) for each in may])
    if text is None:
        raise InputWrong([Fault(path=name, message="there is a token of this name", remedy="revoke it first")])
    print(text)


@tokens.command(name="list", epilog="Example: dispatcher token list")
def list_(context: typer.Context, output: Annotated[Format, typer.Option("--format")] = Format.TEXT) -> None:
    """Show which tokens there are. What they may do, and when they were last used."""
    from dispatcher.desk.tables import print_table  # noqa: PLC0415
    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415
    from dispatcher.storage.api_tokens import api_tokens  # noqa: PLC0415

    with open_newsletter(settings_of(context.obj)) as newsletter:
        rows = [
            {
                "name": each.name,
                "may": ", ".join(each.rights),
                "made": f"{each.made_at:%Y-%m-%d}",
                "used": f"{each.used_at:%Y-%m-%d}" if each.used_at else "never",
            }
            for each in api_tokens(newsletter.database)
        ]
    if output is Format.JSON:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    elif rows:
        print_table(list(rows[0]), [list(row.values()) for row in rows])
    else:
        print("no tokens yet; make one with: dispatcher token create NAME --may subscribe")


@tokens.command(epilog="Example: dispatcher token revoke shop")
def revoke(context: typer.Context, name: Annotated[str, typer.Argument()]) -> None:
    """End a token at once."""
    from dispatcher.errors import NotFound  # noqa: PLC0415
    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415
    from dispatcher.storage.api_tokens import revoke_token  # noqa: PLC0415

    with open_newsletter(settings_of(context.obj)) as newsletter:
        if not revoke_token(newsletter.database, name):
            raise NotFound(f"no token {name!r}; `dispatcher token list` shows them")
    print(f"{name}: revoked")


def _addresses(texts: list[str]) -> list[str]:
    for text in texts:
        try:
            ip_network(text, strict=False)
        except ValueError as error:
            raise typer.BadParameter(f"--proxy {text}: not an internet address or network") from error
    return texts
