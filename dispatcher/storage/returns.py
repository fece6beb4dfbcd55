"""Remembers what came back: the delivery it is about, what was decided, and that it was read once and for all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, Row, and_, exists, insert, or_, select, update

from dispatcher.models import Kind, State
from dispatcher.storage.database import Database
from dispatcher.storage.memberships import move
from dispatcher.storage.schema import delivery, mailing, membership, returned, subscriber
from dispatcher.storage.standing import Cause, Channel, Standing
from dispatcher.storage.suppressions import lay_on
from dispatcher.tokens import Keyring, LeaveToken, ReturnToken, message_id

_REPLY = "reply"  # of a person: remembered, so that it is counted
_PROVED = "not heard; returned mail proves that the relay had it"


class Action(StrEnum):
    """What returned mail led to."""

    NOTHING = "nothing"  # noted only
    COUNT = "counted"  # a soft bounce; enough of them suspend
    SUSPEND = "suspended"  # the address gets no mail until the reader comes back by himself
    SUPPRESS = "suppressed"  # complained; only an operator lifts that
    LEAVE = "unsubscribed"  # left the list
    LEAVE_ALL = "unsubscribed from all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """The delivery that a mail is about, as far as traces in it prove."""

    delivery_id: int
    issue: int
    kind: Kind
    state: State
    attempts: int
    settled_at: datetime | None
    subscriber_id: int
    list_id: int
    address_key: str
    message_id: str
    has_suspended: bool  # returned mail about it has led to a suspension or suppression before


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How one issue went to a reader."""

    issue: int
    at: datetime
    has_failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What in a mail points at a delivery; each was signed by us, or cannot be guessed."""

    delivery: ReturnToken | None = None
    leave: LeaveToken | None = None
    issue: int | None = None  # of `message_id`
    message_id: str | None = None
    is_addressed_to_leave: bool = False  # `leave` stood in the address that the mail was sent to
    trusted_address: str | None = None  # told by a provider who proved himself; counts where nothing else is there
    is_contradictory: bool = False  # they point at different deliveries


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One returned mail as it is remembered; no field holds an address."""

    fingerprint: str
    at: datetime
    kind: str
    verdict: str | None = None
    cause: str | None = None
    status: str | None = None
    reply: str | None = None
    said: str = ""
    feedback_type: str | None = None


Decide = Callable[[Sending | None, Sequence[Result]], Action]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What came of a mail; `is_news` is False when it had been read before."""

    action: Action
    sending: Sending | None
    is_news: bool


def settle_return(
    database: Database, keyring: Keyring, traces: Traces, arrival: Arrival, decide: Decide, *, dry: bool = False
) -> Settled:
    """Decides about one mail and makes it so, in one transaction; a second time nothing happens. `dry`: never."""
    points_nowhere = not (traces.delivery or traces.leave or traces.message_id or traces.trusted_address)
    if points_nowhere and arrival.kind != _REPLY:  # nothing can come of it: no need to wait for other writers
        return Settled(action=decide(None, []), sending=None, is_news=True)
    traces = _traced(database, traces)
    with database.reading() if dry else database.writing() as connection:
        known = connection.execute(select(returned).where(returned.c.fingerprint == arrival.fingerprint)).first()
        sending = _sending(connection, traces)
        if known is not None and not dry:
            return Settled(action=Action(known.action), sending=sending, is_news=False)
        results = _results(connection, sending.subscriber_id) if sending else []
        action = decide(sending, results)
        if not dry:
            _apply(connection, keyring, sending, traces.leave, action, arrival.at)
            if sending is not None or action is not Action.NOTHING or arrival.kind == _REPLY:
                _remember(connection, sending, traces.leave, arrival, action)
        return Settled(action=action, sending=sending, is_news=known is None)


def refusals(database: Database, mailing_id: int | None = None) -> list[tuple[ReturnToken, int, str]]:
    """Deliveries refused during SMTP about which nothing was decided: whose, and the relay's code and words."""
    query = (
        select(delivery.c.id, subscriber.c.ref, delivery.c.code, delivery.c.reply)
        .join(subscriber, subscriber.c.id == delivery.c.subscriber_id)
        .join(mailing, mailing.c.id == delivery.c.mailing_id)
        .where(
            delivery.c.state == State.REFUSED,
            delivery.c.code.is_not(None),
            mailing.c.kind == Kind.LIVE,
            ~exists().where(returned.c.delivery_id == delivery.c.id, returned.c.kind == "refusal"),
        )
        .order_by(delivery.c.id)
    )
    if mailing_id is not None:
        query = query.where(delivery.c.mailing_id == mailing_id)
    with database.reading() as connection:
        return [
            (ReturnToken(delivery_id=row.id, ref=row.ref), row.code, row.reply or "")
            for row in connection.execute(query)
        ]


def _sending(connection: Connection, traces: Traces) -> Sending | None:
    if traces.is_contradictory:
        return None
    query = select(
        delivery.c.id, delivery.c.state, delivery.c.attempts, delivery.c.settled_at, delivery.c.copy,
        delivery.c.list_id, subscriber.c.id.label("subscriber_id"), subscriber.c.address_key, mailing.c.issue,
        mailing.c.kind, mailing.c.salt, mailing.c.sender_domain,
    ).join(subscriber, subscriber.c.id == delivery.c.subscriber_id).join(
        mailing, mailing.c.id == delivery.c.mailing_id
    )  # fmt: skip
    if traces.delivery is not None:
        named = and_(delivery.c.id == traces.delivery.delivery_id, subscriber.c.ref == traces.delivery.ref)
        row = connection.execute(query.where(named)).first()
        return _found(connection, row) if row else None
    if traces.trusted_address is None:
        return None
    theirs = and_(
        subscriber.c.address_key == traces.trusted_address, mailing.c.kind == Kind.LIVE, delivery.c.state == State.SENT
    )
    row = connection.execute(query.where(theirs).order_by(delivery.c.settled_at.desc()).limit(1)).first()
    return _found(connection, row) if row else None


def _traced(database: Database, traces: Traces) -> Traces:
    """With the delivery that a Message-ID names: a search over an issue's readers, for which no writer has to wait."""
    if traces.is_contradictory or traces.delivery is not None or traces.message_id is None:
        return traces
    query = (
        select(
            delivery.c.id, delivery.c.copy, subscriber.c.id.label("subscriber_id"), subscriber.c.ref, mailing.c.issue,
            mailing.c.salt, mailing.c.sender_domain,
        )
        .join(subscriber, subscriber.c.id == delivery.c.subscriber_id)
        .join(mailing, mailing.c.id == delivery.c.mailing_id)
        .where(mailing.c.issue == traces.issue)
    )  # fmt: skip
    if traces.leave is not None:
        query = query.where(subscriber.c.id == traces.leave.subscriber_id, subscriber.c.ref == traces.leave.ref)
    with database.reading() as connection, connection.execute(query.execution_options(yield_per=1000)) as rows:
        found = next((row for row in rows if _message_id(row) == traces.message_id), None)
    return traces if found is None else replace(traces, delivery=ReturnToken(delivery_id=found.id, ref=found.ref))


def _found(connection: Connection, row: Row[*tuple[object, ...]]) -> Sending:
    heavy = (Action.SUSPEND.value, Action.SUPPRESS.value)
    acted = select(returned.c.id).where(returned.c.delivery_id == row.id, returned.c.action.in_(heavy)).limit(1)
    return Sending(
        delivery_id=row.id,
        issue=row.issue,
        kind=Kind(row.kind),
        state=State(row.state),
        attempts=row.attempts,
        settled_at=row.settled_at,
        subscriber_id=row.subscriber_id,
        list_id=row.list_id,
        address_key=row.address_key,
        message_id=_message_id(row),
        has_suspended=connection.scalar(acted) is not None,
    )


def _message_id(row: Row[*tuple[object, ...]]) -> str:
    return message_id(
        row.salt, issue=row.issue, subscriber_id=row.subscriber_id, copy=row.copy, domain=row.sender_domain
    )


def _results(connection: Connection, subscriber_id: int) -> list[Result]:
    """How each live issue went to a reader, in the order in which they were sent."""
    failed = (
        select(returned.c.id)
        .where(returned.c.delivery_id == delivery.c.id, returned.c.action == Action.COUNT.value)
        .exists()
    )
    query = (
        select(mailing.c.issue, delivery.c.settled_at, failed.label("failed"))
        .join(mailing, mailing.c.id == delivery.c.mailing_id)
        .where(
            delivery.c.subscriber_id == subscriber_id,
            mailing.c.kind == Kind.LIVE,
            delivery.c.settled_at.is_not(None),
            or_(delivery.c.state == State.SENT, delivery.c.state == State.REFUSED),
        )
        .order_by(delivery.c.settled_at)
    )
    return [
        Result(issue=row.issue, at=row.settled_at, has_failed=bool(row.failed)) for row in connection.execute(query)
    ]


def _apply(
    connection: Connection,
    keyring: Keyring,
    sending: Sending | None,
    leaves: LeaveToken | None,
    action: Action,
    at: datetime,
) -> None:
    if sending is not None and sending.state is State.IN_DOUBT:
        settled = {"state": State.SENT.value, "code": 250, "reply": _PROVED, "reason": None, "settled_at": at}
        connection.execute(update(delivery).where(delivery.c.id == sending.delivery_id).values(settled))
    person = _person(connection, sending, leaves)
    if person is None:
        return
    subscriber_id, address_key, list_id = person
    if action is Action.SUSPEND:
        lay_on(connection, keyring, address_key, Cause.BOUNCED, Channel.BOUNCE)
    elif action is Action.SUPPRESS:
        lay_on(connection, keyring, address_key, Cause.COMPLAINED, Channel.COMPLAINT)
    elif action in {Action.LEAVE, Action.LEAVE_ALL}:
        which = [membership.c.subscriber_id == subscriber_id]
        if action is Action.LEAVE:
            which.append(membership.c.list_id == list_id)
        move(connection, which, Standing.UNSUBSCRIBED, Channel.MAIL, at=at)
        if action is Action.LEAVE_ALL:
            person_row = update(subscriber).where(subscriber.c.id == subscriber_id, subscriber.c.left_at.is_(None))
            connection.execute(person_row.values(left_at=at))


def _person(connection: Connection, sending: Sending | None, leaves: LeaveToken | None) -> tuple[int, str, int] | None:
    """Who is meant: the reader of the delivery, or whom a token to leave names; with the list."""
    if sending is not None:
        list_id = leaves.list_id if leaves and leaves.subscriber_id == sending.subscriber_id else sending.list_id
        return sending.subscriber_id, sending.address_key, list_id
    if leaves is None:
        return None
    query = select(subscriber.c.address_key).where(
        subscriber.c.id == leaves.subscriber_id, subscriber.c.ref == leaves.ref
    )
    key: str | None = connection.scalar(query)
    return None if key is None else (leaves.subscriber_id, key, leaves.list_id)


def _remember(
    connection: Connection, sending: Sending | None, leaves: LeaveToken | None, arrival: Arrival, action: Action
) -> None:
    person = _person(connection, sending, leaves)
    connection.execute(
        insert(returned).values(
            fingerprint=arrival.fingerprint,
            at=arrival.at,
            kind=arrival.kind,
            delivery_id=sending.delivery_id if sending else None,
            subscriber_id=person[0] if person else None,
            verdict=arrival.verdict,
            cause=arrival.cause,
            status=arrival.status,
            reply=arrival.reply,
            said=arrival.said,
            feedback_type=arrival.feedback_type,
            action=action.value,
        )
    )
