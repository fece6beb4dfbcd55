"""The recipe of `dispatcher doctor`: all that can be seen before a send of why receivers would refuse us."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from email.utils import parseaddr
from functools import partial

from dispatcher.config import Settings, is_loopback
from dispatcher.delivery.connect import Refusal, connect
from dispatcher.delivery.relay import Relay, Security, SmtpRelay, read_relay
from dispatcher.delivery.replies import Manners
from dispatcher.doctor.dkim import check_dkim
from dispatcher.doctor.dmarc import check_dmarc
from dispatcher.doctor.dns import DnsFailed, Query, make_query
from dispatcher.doctor.finding import LEDGER, RELAY, Finding, error, fine, warning
from dispatcher.doctor.hosts import check_return_path, check_reverse_name
from dispatcher.doctor.machine import check_database, check_inbox, check_private, check_secrets
from dispatcher.doctor.pages import check_pages
from dispatcher.doctor.spf import check_spf
from dispatcher.errors import LedgerFailed, SettingsWrong
from dispatcher.recipes.newsletter import sample_return_path, secrets_of
from dispatcher.recipes.transport import signatures_of
from dispatcher.returns.sources import is_imap
from dispatcher.storage.database import database_path, find_database, is_file, now, require_durable
from dispatcher.tokens import SAMPLE, load_secrets


def examine(settings: Settings, *, nameserver: str | None = None) -> list[Finding]:
    """Looks at everything; what cannot be asked is a finding too. Raises SettingsWrong for a wrong `nameserver`."""
    try:
        query = make_query(nameserver)
    except ValueError as failure:
        raise SettingsWrong(f"{nameserver}: no nameserver; write it as 192.0.2.1 or 192.0.2.1:53") from failure
    try:
        relay: Relay | None = read_relay(settings.relay, folder=settings.folder, password=settings.relay_password)
    except SettingsWrong as failure:
        relay, refusal = None, [error("relay", str(failure), "correct the setting")]
    else:
        refusal = []
    return [
        *_domain_findings(settings, query),
        *refusal,
        *(_relay_findings(relay, query) if isinstance(relay, SmtpRelay) else []),
        *check_pages(settings.base_url.rstrip("/"), f"/u/{SAMPLE}", now()),
        *_machine_findings(settings),
    ]


def _domain_findings(settings: Settings, query: Query) -> Iterator[Finding]:
    from_domain = _domain(parseaddr(settings.sender)[1])
    if not from_domain:
        yield error("From", "from is not set", 'set from = "Name <name@YOUR-DOMAIN>"')
        return
    return_domain = _domain(sample_return_path(settings))
    yield from _asked("SPF", lambda: check_spf(query, return_domain))
    yield from _dkim_findings(settings, query, from_domain)
    yield from _asked("DMARC", lambda: check_dmarc(query, from_domain, return_domain))
    yield from _asked("return path", lambda: check_return_path(query, return_domain))


def _dkim_findings(settings: Settings, query: Query, from_domain: str) -> Iterator[Finding]:
    try:
        signatures = signatures_of(settings)
    except SettingsWrong as failure:
        yield error("DKIM", str(failure), "correct the setting")
        return
    if not signatures:
        yield from _asked("DKIM", lambda: check_dkim(query, from_domain, None, None))
    for each in signatures[:1]:  # the RSA key; few receivers look for another
        yield from _asked("DKIM", partial(check_dkim, query, each.domain, each.selector, each.public_key))


def _relay_findings(relay: SmtpRelay, query: Query) -> Iterator[Finding]:
    refusal = asyncio.run(_reach(relay))
    if refusal is not None:
        yield error("relay", f"{relay}: {refusal}", "correct relay, or the password", exit_code=RELAY)
    elif relay.security is Security.NONE and is_loopback(relay.host):
        yield fine("relay", f"{relay} is reached on this machine")
    elif relay.security is Security.NONE:
        yield warning("relay", f"{relay} is reached without TLS", "use smtp:// without tls=none, or smtps://")
    else:
        login = "with login" if relay.user else "without login"
        yield fine("relay", f"{relay} is reached over TLS, {login}")
    if not is_loopback(relay.host):
        yield from _asked("PTR", lambda: check_reverse_name(query, relay.host))


async def _reach(relay: SmtpRelay) -> str | None:
    """Connects, secures, logs in, and says goodbye; why not, if not."""
    reached = await connect(relay, Manners())
    if isinstance(reached, Refusal):
        return reached.reason
    await reached.quit()
    return None


def _machine_findings(settings: Settings) -> Iterator[Finding]:
    key_file = settings.folder / "dispatcher.key"
    yield from check_private("key", key_file)
    if settings.secrets or key_file.exists():
        try:
            yield from check_secrets(load_secrets(settings.secrets, key_file))
        except SettingsWrong as failure:
            yield error("secret", str(failure), "restore it from your backup")
    try:
        yield from _database_findings(settings)
    except SettingsWrong as failure:
        yield error("database", str(failure), "correct the setting")
    except LedgerFailed as failure:
        yield error("database", str(failure), "see whether the server runs and lets us in", exit_code=LEDGER)
    if settings.inbox is None or not is_imap(settings.inbox):
        inbox = settings.folder / settings.inbox if settings.inbox else None
        yield from check_inbox(inbox, has_return_path=settings.bounce_address is not None)


def _database_findings(settings: Settings) -> list[Finding]:
    if is_file(settings.database):
        return check_database(database_path(settings.database, settings.folder))
    secrets_of(settings)
    database = find_database(settings.database, settings.folder)
    if database is None:
        return [fine("database", "it is reached; its tables are made by the first send or import")]
    with closing(database):
        require_durable(database)
        return [fine("database", f"{database.place} is reached, and keeps what it promises")]


def _asked(check: str, ask: Callable[[], Sequence[Finding]]) -> Sequence[Finding]:
    try:
        return ask()
    except DnsFailed as failure:
        return [warning(check, f"the DNS gave no answer: {failure}", "ask again, or name another with --nameserver")]


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
