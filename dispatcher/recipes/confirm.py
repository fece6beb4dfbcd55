"""Step 3 of a send: the gate, which wants that staging saw what goes live, and the editor's confirmation."""

from pathlib import Path

from dispatcher.delivery.relay import MaildirRelay, Security, SmtpRelay
from dispatcher.desk import screen
from dispatcher.errors import NotPermitted
from dispatcher.models import Kind
from dispatcher.recipes.editions import source_hashes
from dispatcher.recipes.newsletter import Newsletter
from dispatcher.recipes.order import Order, Plan
from dispatcher.recipes.transport import leads_away
from dispatcher.storage.control import staged_hashes
from dispatcher.storage.mailings import Mailing
from dispatcher.storage.reports import observed_rate

GUESSED_RATE = 10.0  # messages a second, until this newsletter has sent something over a relay


def pass_gate(newsletter: Newsletter, order: Order, plan: Plan) -> str | None:
    """What goes live was staged exactly as it is, or the editor says why not: that is returned. Raises NotPermitted."""
    is_new = not plan.goes_on or plan.refreezes
    if plan.kind is not Kind.LIVE or not newsletter.settings.require_staging or not is_new or not plan.to_mail:
        return None
    staged = staged_hashes(newsletter.database, plan.number)
    untested = [
        each.language
        for each in plan.editions.frozen
        if each.language in plan.spoken and each.content_hash not in staged
    ]
    if not untested:
        return None
    if order.force is not None:
        screen.note(f"the gate is passed without staging: {order.force}")
        return order.force
    raise NotPermitted(
        f"issue {plan.number} as it is now has reached no staging reader over a relay ({', '.join(untested)}); "
        f"run: send-issue {plan.number} --staging"
    )


def confirm(newsletter: Newsletter, order: Order, plan: Plan) -> None:
    """Says what is about to happen; a live send needs the editor's word. Raises NotPermitted without it."""
    _warn_of_plaintext(newsletter)
    if plan.goes_on and plan.earlier is not None and not plan.refreezes:
        for path in _changed(plan.earlier, plan.folder, newsletter.settings.folder):
            screen.note(f"{path} has changed since issue {plan.number} was frozen; readers get it as it was frozen")
    if not plan.to_mail:
        return
    label = {Kind.LIVE: "", Kind.MAILDIR: "trial: ", Kind.STAGING: "staging: "}[plan.kind]
    by_edition = ", ".join(f"{count:,} {edition}" for edition, count in plan.people.items() if count)
    detail = f" ({by_edition})" if by_edition else ""
    who = f"{screen.spoken_readers(plan.to_mail)} of {plan.list_name}"
    screen.say(f"{label}issue {plan.number} to {who}{detail} {_over(newsletter, plan.to_mail)}")
    if plan.reserved:
        screen.say(f"skipped: {plan.reserved:,} with an address in a reserved domain")
    if plan.kind is not Kind.LIVE or order.is_confirmed:
        return
    if not screen.is_attended():
        raise NotPermitted("not confirmed: there is no terminal to ask at; add --yes")
    if not screen.confirm(f"type the number of readers ({plan.to_mail}) to send: ", str(plan.to_mail)):
        raise NotPermitted("not confirmed: nobody was mailed")


def _over(newsletter: Newsletter, people: int) -> str:
    if isinstance(newsletter.relay, MaildirRelay):
        return f"into {newsletter.relay.folder.name}"
    rate = observed_rate(newsletter.database)
    time = screen.spoken_time(people / (rate or GUESSED_RATE)) + ("" if rate else ", a guess")
    return f"over {', '.join(map(str, newsletter.relays))}, about {time}"


def _warn_of_plaintext(newsletter: Newsletter) -> None:
    for relay in newsletter.relays:
        if isinstance(relay, SmtpRelay) and relay.security is Security.NONE and leads_away(relay):
            screen.note(
                f"warning: {relay} gets every message in plaintext, which others on the way can read and change"
            )


def _changed(mailing: Mailing, folder: Path, root: Path) -> list[str]:
    present = source_hashes(folder, root)
    return sorted(path for path in {*mailing.sources, *present} if mailing.sources.get(path) != present.get(path))
