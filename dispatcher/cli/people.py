"""The commands on one person: dispatcher subscribers add, show, unsubscribe, invite, suppress, unsuppress, forget."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dispatcher.cli.frame import Format, settings_of

if TYPE_CHECKING:
    from dispatcher.recipes.newsletter import Newsletter

Address = Annotated[str, typer.Argument()]


def add_to(app: typer.Typer) -> None:
    example = "Example: dispatcher subscribers"
    app.command(epilog=f"{example} add ann@example.org --list weekly --name Ann --set plan=pro")(add)
    app.command(epilog=f"{example} show ann@example.org")(show)
    app.command(epilog=f"{example} unsubscribe ann@example.org --list weekly")(unsubscribe)
    app.command(epilog=f"{example} invite ann@example.org --list weekly")(invite)
    app.command(epilog=f"{example} suppress --from blocklist.txt")(suppress)
    app.command(epilog=f"{example} unsuppress ann@example.org --reason 'wrote to us on 25 November'")(unsuppress)
    app.command(epilog=f"{example} forget ann@example.org")(forget)


def add(
    context: typer.Context,
    address: Address,
    list_name: Annotated[str, typer.Option("--list", metavar="NAME", help="The list.")],
    name: Annotated[str | None, typer.Option()] = None,
    language: Annotated[str | None, typer.Option(metavar="TAG", help="A language tag such as zh-Hans.")] = None,
    attributes: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="An attribute.")] = None,
) -> None:
    """Add one reader to a list, or correct what is known of him."""
    pairs = [text.partition("=") for text in attributes or []]
    if any(not key or not separator for key, separator, _ in pairs):
        raise typer.BadParameter("--set needs NAME=VALUE")
    from dispatcher.audience.lists import newness  # noqa: PLC0415
    from dispatcher.audience.people import add_person  # noqa: PLC0415
    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415

    values = {key: value for key, _, value in pairs}
    settings = settings_of(context.obj)
    with open_newsletter(settings) as newsletter:
        news = newness(newsletter.database, settings.folder, list_name)
        changes = add_person(
            newsletter.database, newsletter.keyring, address, list_name,
            name=name, language=language, attributes=values,
        )  # fmt: skip
    print(f"{address}: {'added to' if changes.joined else 'is on'} {list_name}{news}")


def show(
    context: typer.Context, address: Address, output: Annotated[Format, typer.Option("--format")] = Format.TEXT
) -> None:
    """Show everything known about one reader. With history, consent and issues."""
    from dispatcher.audience.people import everything_about  # noqa: PLC0415
    from dispatcher.desk.person import as_text  # noqa: PLC0415
    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415

    with open_newsletter(settings_of(context.obj)) as newsletter:
        if output is Format.JSON:
            print(known_as_json(newsletter, address))
            return
        known = everything_about(newsletter.database, newsletter.keyring, address)
    print(as_text(known.address, known.person, known.suppression, known.requests))


def unsubscribe(
    context: typer.Context,
    address: Address,
    list_name: Annotated[
        str | None, typer.Option("--list", metavar="NAME", help="From this list; by default from all.")
    ] = None,
) -> None:
    """Take a reader off; no file brings him back."""
    from dispatcher.audience.people import take_off  # noqa: PLC0415
    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415

    with open_newsletter(settings_of(context.obj)) as newsletter:
        left = take_off(newsletter.database, address, list_name)
    print(f"{address}: left {', '.join(left)}" if left else f"{address}: had left already")


def invite(
    context: typer.Context,
    address: Address,
    list_name: Annotated[
        str | None, typer.Option("--list", metavar="NAME", help="Back to this list; by default the newsletter's.")
    ] = None,
) -> None:
    """Ask a reader back by mail. To one who left, or whose mail came back, with a link by which he returns."""
    from dispatcher.recipes.letters import invite as ask_back  # noqa: PLC0415
    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415

    with open_newsletter(settings_of(context.obj)) as newsletter:
        print(ask_back(newsletter, address, list_name))


def suppress(
    context: typer.Context,
    addresses: Annotated[list[str] | None, typer.Argument(metavar="[ADDRESS]...")] = None,
    file: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="A file with an address on each line.")
    ] = None,
) -> None:
    """Keep addresses from all lists, whatever is imported later."""
    if not addresses and file is None:
        raise typer.BadParameter("name an address, or a file with --from")
    from dispatcher.audience.people import keep_off, read_addresses  # noqa: PLC0415
    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415

    wanted = [*(addresses or []), *(read_addresses(file) if file else [])]
    with open_newsletter(settings_of(context.obj)) as newsletter:
        new = keep_off(newsletter.database, newsletter.keyring, wanted)
    print(f"{new:,} suppressed, {len(wanted) - new:,} were so before")


def unsuppress(
    context: typer.Context,
    address: Address,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; kept with the reader's history.")],
) -> None:
    """Lift a suppression, complaint or bounce. The reader's lists are as they were before it."""
    if not reason.strip():
        raise typer.BadParameter("--reason must say something")
    from dispatcher.audience.people import let_back  # noqa: PLC0415
    from dispatcher.recipes.newsletter import open_newsletter  # noqa: PLC0415

    with open_newsletter(settings_of(context.obj)) as newsletter:
        found = let_back(newsletter.database, newsletter.keyring, address, reason)
    print(f"{address}: no longer {found.cause}")


def forget(context: typer.Context, address: Address) -> None:
    """Erase a person from the database. A keyed hash stays, so that no file brings him back."""
    from dispatcher.audience.copies import lines_with  # noqa: PLC0415
    from dispatcher.audience.people import erase  # noqa: PLC0415
    from dispatcher.recipes.newsletter import open_newsletter, outbox_copies  # noqa: PLC0415

    settings = settings_of(context.obj)
    with open_newsletter(settings) as newsletter:
        erased = erase(newsletter.database, newsletter.keyring, address)
        copies = [*lines_with(settings.folder, address), *outbox_copies(newsletter, address)]
    known = "erased from the database" if erased.was_known else "was not in the database"
    print(f"{address}: {known}; no import stores it again")
    for place in copies:
        print(f"still in {place}")


def known_as_json(newsletter: "Newsletter", address: str) -> str:
    """Everything about one person. Raises NotFound."""
    from dispatcher.audience.people import everything_about  # noqa: PLC0415
    from dispatcher.desk.person import as_plain  # noqa: PLC0415

    known = everything_about(newsletter.database, newsletter.keyring, address)
    plain = as_plain(known.address, known.person, known.suppression, known.requests)
    return json.dumps(plain, indent=2, ensure_ascii=False)
