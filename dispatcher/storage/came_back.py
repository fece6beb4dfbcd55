"""Counts what came back about issues: by domain and cause for the report, as rates for the alarm."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, select

from dispatcher.models import Kind, State
from dispatcher.storage.database import Database
from dispatcher.storage.returns import Action
from dispatcher.storage.schema import delivery, mailing, returned, subscriber


@dataclass(frozen=True, slots=True, kw_only=True)
class CameBack:
    """What came back about one issue from one domain for one cause."""

    domain: str
    kind: str  # bounce, complaint, refusal
    cause: str  # of a complaint its type
    verdict: str | None
    status: str | None
    said: str  # one of them, without addresses
    readers: int


def came_back(database: Database, mailing_id: int) -> list[CameBack]:
    """What came back about an issue, the commonest first."""
    cause = func.coalesce(returned.c.cause, returned.c.feedback_type, "")
    query = (
        select(
            subscriber.c.domain, returned.c.kind, cause.label("cause"), returned.c.verdict,
            func.max(returned.c.status).label("status"), func.max(returned.c.said).label("said"),
            func.count(returned.c.delivery_id.distinct()).label("readers"),
        )
        .join(delivery, delivery.c.id == returned.c.delivery_id)
        .join(subscriber, subscriber.c.id == delivery.c.subscriber_id)
        .where(delivery.c.mailing_id == mailing_id, returned.c.kind.in_(["bounce", "complaint", "refusal"]))
        .group_by(subscriber.c.domain, returned.c.kind, cause, returned.c.verdict)
        .order_by(func.count(returned.c.delivery_id.distinct()).desc(), subscriber.c.domain, cause)
    )  # fmt: skip
    with database.reading() as connection:
        return [
            CameBack(
                domain=row.domain, kind=row.kind, cause=row.cause, verdict=row.verdict, status=row.status,
                said=row.said, readers=row.readers,
            )
            for row in connection.execute(query)
        ]  # fmt: skip


def count_replies(database: Database, mailing_id: int) -> int:
    """How many mails people wrote in reply to an issue, as far as they can be traced to it."""
    query = (
        select(func.count())
        .select_from(returned)
        .join(delivery, delivery.c.id == returned.c.delivery_id)
        .where(delivery.c.mailing_id == mailing_id, returned.c.kind == "reply")
    )
    with database.reading() as connection:
        return connection.scalar(query) or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How an issue is received so far."""

    mailing_id: int
    issue: int
    sent: int
    dead: int
    complained: int


def rates_since(database: Database, since: datetime) -> list[Rates]:
    """Of live issues about which mail came back since then."""
    recent = (
        select(delivery.c.mailing_id)
        .join(returned, returned.c.delivery_id == delivery.c.id)
        .where(returned.c.at >= since)
        .distinct()
    )
    sums = {
        "dead": and_(returned.c.kind == "bounce", returned.c.verdict == "dead"),
        "complained": and_(returned.c.kind == "complaint", returned.c.action == Action.SUPPRESS.value),
    }
    rates = []
    with database.reading() as connection:
        live = select(mailing.c.id, mailing.c.issue).where(mailing.c.id.in_(recent), mailing.c.kind == Kind.LIVE)
        for row in connection.execute(live).all():
            theirs = delivery.c.mailing_id == row.id
            sent = connection.scalar(
                select(func.count()).select_from(delivery).where(theirs, delivery.c.state == State.SENT)
            )
            counts = {
                name: connection.scalar(
                    select(func.count(returned.c.delivery_id.distinct()))
                    .join(delivery, delivery.c.id == returned.c.delivery_id)
                    .where(theirs, condition)
                )
                for name, condition in sums.items()
            }
            rates.append(
                Rates(
                    mailing_id=row.id,
                    issue=row.issue,
                    sent=sent or 0,
                    dead=counts["dead"] or 0,
                    complained=counts["complained"] or 0,
                )
            )
    return rates
