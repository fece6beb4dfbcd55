"""What settings say of the way out: over which relays, how fast, and signed by whom."""

from dataclasses import replace
from email.utils import parseaddr

from dispatcher.config import Settings, is_loopback
from dispatcher.delivery.dkim import Signature, load_signature
from dispatcher.delivery.pace import Limit, Pacing
from dispatcher.delivery.relay import MaildirRelay, Relay, SmtpRelay, read_relay
from dispatcher.delivery.warm_up import WarmUp
from dispatcher.errors import SettingsWrong
from dispatcher.tables import LimitTable


def relays_of(settings: Settings) -> tuple[Relay, ...]:
    """One relay at least. Raises SettingsWrong."""
    if not settings.relays:
        return (read_relay(settings.relay, folder=settings.folder, password=settings.relay_password),)
    relays: list[Relay] = []
    for table in settings.relays:
        variable = table.password_env or "DISPATCHER_RELAY_PASSWORD"
        password = settings.relay_passwords.get(variable) if table.password_env else settings.relay_password
        relay = read_relay(table.url, folder=settings.folder, password=password, variable=variable)
        if not isinstance(relay, SmtpRelay):
            raise SettingsWrong(
                f"relays: {table.url} is no relay over SMTP; for a Maildir, write relay = {table.url!r}"
            )
        relays.append(
            replace(
                relay,
                connections=table.connections,
                per_second=table.per_second,
                per_day=table.per_day,
                warm_up=WarmUp(start=table.warm_up.start, growth=table.warm_up.growth) if table.warm_up else None,
                domains=table.domains,
                weight=table.weight,
            )
        )
    if len({str(relay) for relay in relays}) < len(relays):
        raise SettingsWrong("relays: two of them are the same; give each a host and port of its own")
    return tuple(relays)


def leads_away(relay: Relay) -> bool:
    """Whether mail handed to this relay leaves the machine by the hand-over itself."""
    return isinstance(relay, SmtpRelay) and not is_loopback(relay.host)


def pacing_of(settings: Settings) -> Pacing:
    pace = settings.pace
    return Pacing(
        per_second=pace.per_second,
        each_domain=_limit(pace.each_domain),
        domains={name: _limit(table) for name, table in pace.domains.items()},
    )


def signatures_for(relay: Relay, settings: Settings) -> tuple[Signature, ...]:
    """What signs messages that go over a relay; nothing signs for a Maildir. Raises SettingsWrong."""
    return () if isinstance(relay, MaildirRelay) else signatures_of(settings)


def signatures_of(settings: Settings) -> tuple[Signature, ...]:
    """What signs the newsletter's messages; nothing without `[tool.dispatcher.dkim]`. Raises SettingsWrong."""
    table = settings.dkim
    if table is None:
        return ()
    sender = parseaddr(settings.sender)[1].rpartition("@")[2].lower()
    domain = table.domain or sender
    if sender and sender != domain and not sender.endswith(f".{domain}"):
        raise SettingsWrong(
            f"dkim: a signature of {domain} says nothing for mail from {sender} (DMARC); sign as the domain of `from`"
        )
    if not domain:
        raise SettingsWrong("dkim: whose domain signs is not known; set `from`")
    keys = [(table.key, table.selector), (table.ed25519_key, table.ed25519_selector)]
    signatures = [
        load_signature(settings.folder / key, domain=domain, selector=selector)
        for key, selector in keys
        if key is not None and selector is not None
    ]
    if signatures[0].algorithm != "rsa-sha256":
        raise SettingsWrong("dkim: `key` must be an RSA key, since many receivers verify no other; see ed25519_key")
    return tuple(signatures)


def _limit(table: LimitTable) -> Limit:
    return Limit(per_second=table.per_second, connections=table.connections)
