"""Opens a newsletter: its settings, database, keys and relay, and the addresses that its messages carry."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from functools import lru_cache
from urllib.parse import quote

from dispatcher.audience.copies import messages_with
from dispatcher.audience.lists import STAGING
from dispatcher.config import Settings, require_live
from dispatcher.content.message.build import Copy
from dispatcher.content.personal import has_mark
from dispatcher.delivery.relay import MaildirRelay, Relay
from dispatcher.errors import SettingsWrong
from dispatcher.models import Delivery, Kind, Letterhead, Subscriber
from dispatcher.recipes.transport import leads_away, relays_of
from dispatcher.storage.database import Database, is_file, open_database, require_durable
from dispatcher.storage.keys import require_keys
from dispatcher.tokens import (
    SAMPLE,
    Keyring,
    LeaveToken,
    ReturnToken,
    ViewToken,
    load_secrets,
    sign_leave,
    sign_return,
    sign_view,
)

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # dates what must be the same on every machine

# What a trial uses while a setting is not made; a live run insists on its own.
_UNSET_SENDER = "Newsletter <newsletter@localhost.invalid>"
_UNSET_BASE_URL = "http://127.0.0.1:8029"  # where `dispatcher serve` listens


@dataclass(frozen=True, slots=True, kw_only=True)
class Newsletter:
    """A newsletter with everything open that sending or serving it needs."""

    settings: Settings
    database: Database
    keyring: Keyring
    relays: tuple[Relay, ...]  # one at least

    @property
    def relay(self) -> Relay:
        """The first of its relays."""
        return self.relays[0]

    @property
    def stays_here(self) -> bool:
        """Whether mail handed to its relays cannot leave the machine by the hand-over itself."""
        return not any(leads_away(relay) for relay in self.relays)


@contextmanager
def open_newsletter(settings: Settings) -> Iterator[Newsletter]:
    """Raises SettingsWrong, LedgerFailed."""
    relays = relays_of(settings)
    secrets = secrets_of(settings)
    database = open_database(settings.database, settings.folder)
    try:
        keyring = Keyring(secrets=secrets, instance=database.instance)
        yield Newsletter(settings=settings, database=database, keyring=keyring, relays=relays)
    finally:
        database.close()


def require_ready_for_readers(newsletter: Newsletter) -> None:
    """Mail to readers takes settings, a durable database and the keys in use. Raises SettingsWrong, LedgerFailed."""
    if isinstance(newsletter.relay, MaildirRelay):
        raise SettingsWrong(f"relay is {newsletter.relay}: mail for readers would stay here; set DISPATCHER_RELAY")
    require_live(newsletter.settings)
    require_durable(newsletter.database)
    require_keys(newsletter.database, newsletter.keyring.secrets)
    if newsletter.database.is_shared:
        from dispatcher.storage.jobs import make_room  # noqa: PLC0415  its library is an extra
        from dispatcher.storage.releases import has_room  # noqa: PLC0415

        if not has_room(newsletter.database):
            make_room(newsletter.database)


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """The secrets to sign with. Raises SettingsWrong: several machines must not each make a key of their own."""
    if not settings.secrets and not is_file(settings.database):
        raise SettingsWrong(
            "DISPATCHER_SECRET is not set, which a database on a server needs, since every machine signs alike; "
            "set it to what dispatcher.key holds, or draw one: "
            "python -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )
    return load_secrets(settings.secrets, settings.folder / "dispatcher.key")


def base_url(settings: Settings) -> str:
    """Where readers reach `dispatcher serve`, without a slash at the end."""
    return (settings.base_url or _UNSET_BASE_URL).rstrip("/")


def sender_address(settings: Settings) -> str:
    return parseaddr(settings.sender or _UNSET_SENDER)[1]


def letterhead(settings: Settings) -> Letterhead:
    """Raises SettingsWrong for a text that personal fields would be mistaken for."""
    for key, text in (("name", settings.name), ("from", settings.sender), ("postal_address", settings.postal_address)):
        if has_mark(text):
            raise SettingsWrong(
                f"{settings.folder / 'pyproject.toml'}: {key} {text!r} holds a word of Dispatcher's own"
            )
    return Letterhead(
        newsletter=settings.name or settings.folder.name,
        sender=settings.sender or _UNSET_SENDER,
        reply_to=settings.reply_to,
        postal_address=settings.postal_address,
        base_url=base_url(settings),
        inline_pictures=settings.pictures == "inline",
        utm=settings.utm,
    )


def outbox_copies(newsletter: Newsletter, address: str) -> list[str]:
    """Messages of the default relay that are addressed to somebody."""
    relay = newsletter.relay
    if not isinstance(relay, MaildirRelay):
        return []
    return [str(path) for path in messages_with(relay.folder, address)]


def kind_of(relay: Relay, list_name: str) -> Kind:
    """A run over a relay other than a Maildir to a list other than staging is live."""
    if list_name == STAGING:
        return Kind.STAGING
    return Kind.MAILDIR if isinstance(relay, MaildirRelay) else Kind.LIVE


def copy_for(
    newsletter: Newsletter, delivery: Delivery, *, number: int, language: str, date: datetime, mark: str
) -> Copy:
    """A delivery's copy, with links of its reader's own."""
    reader = delivery.subscriber
    token = sign_leave(
        newsletter.keyring, LeaveToken(subscriber_id=reader.id, ref=reader.ref, list_id=delivery.list_id)
    )
    view = sign_view(newsletter.keyring, ViewToken(number=number, language=language))
    return Copy(
        to=reader.email,
        reader=reader,
        message_id=delivery.message_id,
        date=date,
        list_name=delivery.list_name,
        unsubscribe_url=f"{base_url(newsletter.settings)}/u/{token}",
        unsubscribe_mailto=_mailto(newsletter.settings, token),
        view_url=f"{base_url(newsletter.settings)}/v/{view}",
        subject_mark=mark,
    )


def sample_copy(
    settings: Settings, reader: Subscriber, *, number: int, to: str | None = None, sent_at: datetime | None = None
) -> Copy:
    """A copy that belongs to nobody: its links open pages that say so and change nothing.

    Without `sent_at` it is not to be sent, and is the same for ever; what is sent twice is two messages.
    """
    date = sent_at or _EPOCH
    part = "sample" if sent_at is None else f"test-{int((sent_at - _EPOCH) / timedelta(microseconds=1))}"
    return Copy(
        to=to or reader.email,
        reader=reader,
        message_id=f"i{number}.{part}@{sender_address(settings).rpartition('@')[2]}",
        date=date,
        list_name=settings.list,
        unsubscribe_url=f"{base_url(settings)}/u/{SAMPLE}",
        unsubscribe_mailto=_mailto(settings, SAMPLE),
        view_url=f"{base_url(settings)}/v/{SAMPLE}",
    )


def return_path(newsletter: Newsletter, delivery: Delivery) -> str:
    """Where a bounce of this delivery comes back to: an address of its own, or the plain sender where VERP is off."""
    if newsletter.settings.bounce_address is None:
        return sender_address(newsletter.settings)
    token = ReturnToken(delivery_id=delivery.id, ref=delivery.subscriber.ref)
    return newsletter.settings.bounce_address.replace("{token}", sign_return(newsletter.keyring, token))


def sample_return_path(settings: Settings) -> str:
    if settings.bounce_address is None:
        return sender_address(settings)
    return settings.bounce_address.replace("{token}", SAMPLE)


def _mailto(settings: Settings, token: str) -> str:
    if settings.bounce_address is not None:
        before, after = settings.bounce_address.split("{token}")
        return f"mailto:{_in_mailto(before)}{token}{_in_mailto(after)}?subject=unsubscribe"
    _, address = parseaddr(settings.reply_to or settings.sender or _UNSET_SENDER)
    return f"mailto:{_in_mailto(address)}?subject=unsubscribe%20{token}"


@lru_cache(maxsize=64)
def _in_mailto(text: str) -> str:
    return quote(text, safe="@+")
