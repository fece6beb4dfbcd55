"""The last step of `send-issue --at`: what is frozen is left to a worker, and the editor hears what that replaces."""

from zoneinfo import ZoneInfo

from dispatcher.desk import screen
from dispatcher.recipes.newsletter import Newsletter
from dispatcher.recipes.order import Order, Plan
from dispatcher.storage.asked import Asked
from dispatcher.storage.control import schedule
from dispatcher.storage.mailings import Mailing


def schedule_issue(newsletter: Newsletter, order: Order, plan: Plan, mailing: Mailing, before: Asked) -> None:
    """`before` is what had been asked of it until now."""
    if order.at is None:
        raise RuntimeError("no hour to schedule it for")
    schedule(
        newsletter.database, mailing.id, order.at, list_name=plan.list_name, where=order.where_text,
        skip_bad_rows=order.skip_bad_rows,
    )  # fmt: skip
    zone = ZoneInfo(newsletter.settings.timezone)
    at, instead = order.at.astimezone(zone), ""
    if before.scheduled_at is not None:
        was = before.scheduled_at.astimezone(zone)
        hour = f"{was:%H:%M}" if was.date() == at.date() else f"{was:%Y-%m-%d %H:%M}"
        instead = f", instead of {hour} to {before.scheduled_to}"
    screen.say(
        f"issue {plan.number} is frozen and scheduled for {at:%Y-%m-%d %H:%M %Z} to {plan.list_name}{instead}; "
        "readers are chosen then, and dispatcher worker sends it"
    )
