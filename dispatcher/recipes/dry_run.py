"""The recipe of `send-issue 29 --dry-run`: everything but handing over."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from zoneinfo import ZoneInfo

from dispatcher.content.message.build import make_skeleton
from dispatcher.delivery.forecast import Way, forecast
from dispatcher.delivery.relay import SmtpRelay
from dispatcher.desk import screen
from dispatcher.errors import Fault, InputWrong
from dispatcher.models import Kind, Subscriber
from dispatcher.recipes.confirm import GUESSED_RATE
from dispatcher.recipes.editions import sample_message, say_weights, thaw_editions
from dispatcher.recipes.newsletter import Newsletter
from dispatcher.recipes.order import Order, Plan
from dispatcher.recipes.plan import make_plan
from dispatcher.recipes.transport import pacing_of
from dispatcher.storage.database import now
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.readers import RESERVED_DOMAIN, is_reserved, readers
from dispatcher.storage.reports import observed_rate, sent_over
from dispatcher.storage.subscribers import everybody, members

_PAGE = 1000


def dry_run(newsletter: Newsletter, order: Order) -> None:
    """Plans a send, builds and parses back every message of it, and says who is skipped and why; mails nobody.

    Raises what the send itself would raise before the first message.
    """
    plan = make_plan(newsletter, order)
    begun = time.monotonic()
    built: Counter[str] = Counter()
    domains: Counter[str] = Counter()
    faults: list[str] = []
    octets = 0
    for language, reader in _planned(newsletter, plan):
        skeleton = make_skeleton(plan.editions.by_language[language])
        content = sample_message(newsletter.settings, skeleton, reader, plan.number)
        faults += [f"{reader.email}: {defect}" for defect in _defects(content)]
        built[language] += 1
        domains[reader.email.rpartition("@")[2]] += 1
        octets += len(content)
    if faults:
        raise InputWrong([Fault(path=f"issue {plan.number}", message=fault) for fault in faults[:100]])
    _say_plan(newsletter, plan, built, octets, time.monotonic() - begun)
    _say_forecast(newsletter, domains)
    say_weights(plan.editions)


def _planned(newsletter: Newsletter, plan: Plan) -> Iterator[tuple[str, Subscriber]]:
    """Every reader of a plan with the edition he gets: those to be added, and those left of an earlier run."""
    skips_reserved = not newsletter.stays_here
    for language, spoken in plan.spoken.items():
        after = 0
        while page := readers(newsletter.database, plan.list_name, spoken, plan.where, after=after, limit=_PAGE):
            after = page[-1].id
            for reader in page:
                if not (skips_reserved and is_reserved(reader.email.rpartition("@")[2])):
                    yield language, reader
    if plan.earlier is not None and plan.left:
        _, languages = thaw_editions(newsletter.database, plan.earlier.id)
        with closing(Ledger(newsletter.database, plan.earlier)) as ledger:
            after = 0
            while rows := ledger.waiting(after=after, limit=_PAGE):
                after = rows[-1].id
                for row in rows:
                    yield languages[row.edition_id], row.subscriber


def _defects(content: bytes) -> list[str]:
    """What a strict parser finds wrong with a message."""
    parsed = message_from_bytes(content, EmailMessage, policy=policy.default)
    return [type(defect).__name__ for part in parsed.walk() for defect in part.defects]


def _say_plan(newsletter: Newsletter, plan: Plan, built: Counter[str], octets: int, seconds: float) -> None:
    total = built.total()
    if plan.goes_on and not total:
        what = "issue" if plan.kind is Kind.LIVE else "trial"
        screen.say(f"dry run: nothing to build: this {what} has been sent to everybody")
        return
    by_edition = ", ".join(f"{count:,} {language}" for language, count in built.items())
    screen.say(
        f"dry run: issue {plan.number} to {plan.list_name}: {total:,} messages{f' ({by_edition})' if built else ''}, "
        "nobody is mailed"
    )
    if total:
        time_taken = screen.spoken_time(seconds)
        screen.say(f"every message was built and parsed back in {time_taken}, {octets // total:,} bytes each")
    for address, reason in _skipped(newsletter, plan):
        screen.say(f"skipped: {address}: {reason}")


def _say_forecast(newsletter: Newsletter, messages: Counter[str]) -> None:
    """How long the send will take under every limit, and when it ends."""
    ways = [_way(newsletter, relay) for relay in newsletter.relays if isinstance(relay, SmtpRelay)]
    if not ways or not messages:
        return
    observed = observed_rate(newsletter.database)
    source = "as the last issue" if observed else "a guess until the first issue has gone out"
    told = forecast(messages, ways, pacing_of(newsletter.settings), rate=observed or GUESSED_RATE, source=source)
    ends = (now() + told.lasts).astimezone(ZoneInfo(newsletter.settings.timezone))
    screen.say(
        f"expected time: {screen.spoken_time(told.lasts.total_seconds())}, {told.because}; "
        f"begun now, it ends on {ends:%A %Y-%m-%d} about {ends:%H:%M %Z}"
    )


def _way(newsletter: Newsletter, relay: SmtpRelay) -> Way:
    if relay.per_day is None:
        return Way(relay=relay)
    sent, _ = sent_over(newsletter.database, str(relay), since=now() - timedelta(days=1))
    return Way(relay=relay, left_today=max(relay.per_day - sent, 0))


def _skipped(newsletter: Newsletter, plan: Plan) -> Iterator[tuple[str, str]]:
    """Who of the list gets nothing, and why."""
    skips_reserved = not newsletter.stays_here
    meant = {row.email for row in members(newsletter.database, plan.list_name, plan.where)} if plan.where else set()
    for row in everybody(newsletter.database, plan.list_name):
        if row.state != "active":
            yield row.email, {"removed": "no longer in the file"}.get(row.state, row.state)
        elif plan.where is not None and row.email not in meant:
            yield row.email, "not whom --where or the issue's `only` names"
        elif skips_reserved and is_reserved(row.email.rpartition("@")[2]):
            yield row.email, RESERVED_DOMAIN
