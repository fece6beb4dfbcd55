"""What a worker does of an issue whose hour has come, or whose deferred readers are due: as send-issue would."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from dispatcher.desk import screen
from dispatcher.errors import DispatcherError, Unfinished
from dispatcher.expressions import parse
from dispatcher.recipes.newsletter import Newsletter
from dispatcher.recipes.order import Order
from dispatcher.recipes.send_issue import send_issue
from dispatcher.recipes.worker.ending import End
from dispatcher.storage.control import scheduled_at
from dispatcher.storage.database import now
from dispatcher.storage.mailings import Mailing

PAUSE_AFTER_ERROR = timedelta(minutes=1)


def begin(
    newsletter: Newsletter,
    mailing: Mailing,
    plan: Mapping[str, object] | None,
    paused: dict[int, datetime],
    end: End,
) -> None:
    is_left = scheduled_at(newsletter.database, mailing.id) is not None
    what = "its hour has come" if plan else "it was left to workers" if is_left else "deferred readers are due"
    screen.note(f"issue {mailing.issue}: {what}", issue=mailing.issue, mailing=mailing.id)
    where = plan.get("where") if plan else None
    order = Order(
        issue=str(mailing.issue),
        list_name=str(plan["list"]) if plan else None,
        where=parse(str(where)) if where else None,
        is_confirmed=True,
        patience=timedelta(),
        skip_bad_rows=bool(plan and plan.get("skip_bad_rows")),
        only_left=plan is None,
        is_workers=True,
        on_interrupt=end.tell,
    )
    try:
        send_issue(newsletter, order)
    except Unfinished as error:
        screen.note(str(error), issue=mailing.issue)
        paused[mailing.id] = now() + PAUSE_AFTER_ERROR
    except DispatcherError as error:
        screen.complain(f"issue {mailing.issue}: {error}; tried again in a minute", issue=mailing.issue)
        paused[mailing.id] = now() + PAUSE_AFTER_ERROR
