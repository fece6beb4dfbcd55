"""Gathers everything known about one person: fields, lists, consent, history, issues, and what he has asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, or_, select

from dispatcher.storage.database import Database
from dispatcher.storage.schema import (
    delivery,
    edition,
    event,
    intake,
    letter,
    mailing,
    membership,
    reader_list,
    returned,
    signup,
    subscriber,
)
from dispatcher.storage.standing import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """How a person stands to a list, and what he agreed to."""

    list_name: str
    state: str
    source: str
    changed_at: datetime
    until: datetime | None  # of a pause
    file: str | None  # that brought him
    consented_at: datetime | None
    confirmed_at: datetime | None
    wording: str | None
    network: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    at: datetime
    kind: str
    channel: str
    list_name: str | None
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One issue that was made out to a person."""

    issue: int
    kind: str
    state: str
    edition: str
    list_name: str
    first_attempt_at: datetime | None
    settled_at: datetime | None
    said: str  # by the relay, or our reason


@dataclass(frozen=True, slots=True, kw_only=True)
class CameBack:
    """Mail that came back about a person, or that he wrote, and what was decided about it."""

    at: datetime
    kind: str
    issue: int | None
    cause: str | None
    said: str  # without addresses
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallMail:
    """A link that was mailed to a person; its trace is kept for two days."""

    at: datetime
    kind: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A sign-up that was not confirmed."""

    list_name: str
    asked_at: datetime
    channel: str
    network: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """Everything known about one person."""

    id: int
    ref: int
    email: str
    name: str | None
    language: str | None
    attributes: Mapping[str, str]
    created_at: datetime
    left_at: datetime | None
    agreed_to_tracking_at: datetime | None
    memberships: tuple[Membership, ...]
    history: tuple[History, ...]
    issues: tuple[Receipt, ...]
    requests: tuple[Request, ...]
    came_back: tuple[CameBack, ...]
    small_mails: tuple[SmallMail, ...]


def dossier(database: Database, address_key: str) -> Dossier | None:
    """Everything known about the person with this address."""
    with database.reading() as connection:
        person = connection.execute(select(subscriber).where(subscriber.c.address_key == address_key)).one_or_none()
        return None if person is None else _dossier(connection, person)


def dossier_of(database: Database, subscriber_id: int, ref: int) -> Dossier | None:
    """The same, of whom a token names."""
    query = select(subscriber).where(subscriber.c.id == subscriber_id, subscriber.c.ref == ref)
    with database.reading() as connection:
        person = connection.execute(query).one_or_none()
        return None if person is None else _dossier(connection, person)


def _dossier(connection: Connection, person: Row[*tuple[object, ...]]) -> Dossier:
    memberships = connection.execute(
        select(membership, reader_list.c.name, intake.c.path)
        .join(reader_list, reader_list.c.id == membership.c.list_id)
        .outerjoin(intake, intake.c.id == membership.c.intake_id)
        .where(membership.c.subscriber_id == person.id)
        .order_by(reader_list.c.name)
    )
    history = connection.execute(
        select(event, reader_list.c.name)
        .outerjoin(reader_list, reader_list.c.id == event.c.list_id)
        .where(event.c.subscriber_id == person.id)
        .order_by(event.c.id)
    )
    return Dossier(
        id=person.id,
        ref=person.ref,
        email=person.email,
        name=person.name,
        language=person.language,
        attributes=person.attributes,
        created_at=person.created_at,
        left_at=person.left_at,
        agreed_to_tracking_at=person.agreed_to_tracking_at,
        memberships=tuple(
            Membership(
                list_name=row.name, state=row.state, source=row.source, changed_at=row.changed_at,
                until=row.until if row.state == Standing.PAUSED else None,
                file=row.path, consented_at=row.consented_at, confirmed_at=row.confirmed_at, wording=row.wording,
                network=row.network,
            )
            for row in memberships
        ),
        history=tuple(
            History(at=row.at, kind=row.kind, channel=row.channel, list_name=row.name, note=row.note)
            for row in history
        ),
        issues=_issues_of(connection, person.id),
        requests=requests_of(connection, person.address_key),
        came_back=_came_back(connection, person.id),
        small_mails=_small_mails(connection, person.id, person.address_key),
    )  # fmt: skip


def _issues_of(connection: Connection, subscriber_id: int) -> tuple[Receipt, ...]:
    """By mailing, each of which knows its readers: there is no index of deliveries by reader alone."""
    mailings = connection.execute(select(mailing.c.id, mailing.c.issue, mailing.c.kind).order_by(mailing.c.id)).all()
    found = []
    for each in mailings:
        query = (
            select(delivery, edition.c.language, reader_list.c.name)
            .join(edition, edition.c.id == delivery.c.edition_id)
            .join(reader_list, reader_list.c.id == delivery.c.list_id)
            .where(delivery.c.mailing_id == each.id, delivery.c.subscriber_id == subscriber_id)
            .order_by(delivery.c.copy)
        )
        found += [
            Receipt(
                issue=each.issue, kind=each.kind, state=row.state,
                edition=row.language.partition("@")[0], list_name=row.name,
                first_attempt_at=row.first_attempt_at, settled_at=row.settled_at,
                said=row.reason or " ".join(str(part) for part in (row.code, row.reply) if part),
            )
            for row in connection.execute(query)
        ]  # fmt: skip
    return tuple(found)


def _came_back(connection: Connection, subscriber_id: int) -> tuple[CameBack, ...]:
    query = (
        select(returned, mailing.c.issue)
        .outerjoin(delivery, delivery.c.id == returned.c.delivery_id)
        .outerjoin(mailing, mailing.c.id == delivery.c.mailing_id)
        .where(returned.c.subscriber_id == subscriber_id)
        .order_by(returned.c.id)
    )
    return tuple(
        CameBack(
            at=row.at, kind=row.kind, issue=row.issue, cause=row.cause or row.feedback_type, said=row.said,
            action=row.action,
        )
        for row in connection.execute(query)
    )  # fmt: skip


def _small_mails(connection: Connection, subscriber_id: int, address_key: str) -> tuple[SmallMail, ...]:
    theirs = or_(letter.c.subscriber_id == subscriber_id, letter.c.address_key == address_key)
    query = select(letter).where(theirs, letter.c.state != "withheld").order_by(letter.c.id)
    return tuple(SmallMail(at=row.created_at, kind=row.kind, state=row.state) for row in connection.execute(query))


def requests_of(connection: Connection, address_key: str) -> tuple[Request, ...]:
    """Sign-ups of an address that were not confirmed."""
    query = (
        select(signup, reader_list.c.name.label("list_name"))
        .join(reader_list, reader_list.c.id == signup.c.list_id)
        .where(signup.c.address_key == address_key, signup.c.confirmed_at.is_(None))
        .order_by(signup.c.id)
    )
    return tuple(
        Request(list_name=row.list_name, asked_at=row.asked_at, channel=row.channel, network=row.network)
        for row in connection.execute(query)
    )


def pending_requests(database: Database, address_key: str) -> tuple[Request, ...]:
    with database.reading() as connection:
        return requests_of(connection, address_key)
