"""The nouns that cross rooms: plain values, frozen, without behaviour of their own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """Where one delivery stands."""

    QUEUED = "queued"  # not a promise that it will be sent: the reader may leave first
    SENDING = "sending"  # not a promise that a byte has left
    SENT = "sent"  # the relay took responsibility; not a promise that the mail arrives
    REFUSED = "refused"  # the relay said no for good; not a promise that the address is dead
    DEFERRED = "deferred"  # the relay said not now; not a promise that it ever will
    IN_DOUBT = "in_doubt"  # the dot went out and no reply came; neither sent nor unsent is promised
    SKIPPED = "skipped"  # we chose not to send; not a promise about the next issue


class Kind(StrEnum):
    """What a mailing is for; only `live` counts for the promise."""

    LIVE = "live"  # to readers over a real relay
    MAILDIR = "maildir"  # a trial on this machine, repeated unchanged it mails nobody
    STAGING = "staging"  # to colleagues, anew each time


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A personal construct as its author wrote it, `{{ subscriber.name }}` or `{% if subscriber.plan %}`."""

    source: str
    path: str
    line: int

    @property
    def is_statement(self) -> bool:
        return self.source.startswith("{%")


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture as readers get it; `name` holds its content's hash, so that a changed picture is a new URL."""

    name: str  # "3f2a9c….png"
    media_type: str
    content: bytes = field(repr=False)
    width: int  # pixels
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Letterhead:
    """What every message of the newsletter says about its sender."""

    newsletter: str
    sender: str  # "Life with Data <weekly@example.org>"
    reply_to: str | None
    postal_address: str
    base_url: str  # without a slash at its end
    inline_pictures: bool = False
    utm: str = ""  # tags for the links of an issue


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """An issue rendered in one language; `subject`, `html` and `text` hold marks that number into `fields`."""

    number: int
    language: str  # BCP 47
    newsletter: str
    sender: str
    reply_to: str | None
    subject: str
    html: str
    text: str
    fields: tuple[Field, ...]
    pictures: tuple[Picture, ...]
    inline_pictures: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """A reader as a message sees him; `attributes` never holds an empty value."""

    id: int
    ref: int  # random; with `id` it names this person in tokens and nobody else, whatever backup is restored
    email: str
    name: str | None
    language: str | None
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One ledger row with all that its message needs; `attempts` counts those begun before."""

    id: int
    list_id: int
    list_name: str
    edition_id: int
    attempts: int
    first_attempt_at: datetime | None
    message_id: str  # without angle brackets; the same on every attempt
    domain: str  # of the reader's address: lower case, A-labels
    subscriber: Subscriber
    run: int | None = None  # that claimed it last


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a relay said; `text` without the code, lines joined by a space."""

    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one attempt at a delivery ended."""

    delivery_id: int
    state: State
    reply: Reply | None = None
    reason: str | None = None
    due_at: datetime | None = None  # for `deferred`
    relay: str | None = None  # host and port of the one that was tried
    domain: str | None = None  # of the reader's address
