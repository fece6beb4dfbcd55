"""The recipe of webhooks: a provider's POST is verified, and each event goes the way of returned mail."""

import hashlib
import urllib.request
from collections.abc import Callable, Mapping
from functools import lru_cache, partial

from dispatcher.recipes.newsletter import Newsletter
from dispatcher.recipes.refusals import arrival_of
from dispatcher.returns import policy
from dispatcher.returns.hooks import generic, mailgun, postmark
from dispatcher.returns.hooks.event import Event, HookRequest, NotGenuine, NotUnderstood
from dispatcher.returns.traces import find_traces
from dispatcher.storage.database import now
from dispatcher.storage.returns import settle_return

_SECONDS = 10
_MOST_BYTES = 100_000


def take_hook(
    newsletter: Newsletter, provider: str, headers: Mapping[str, str], body: bytes, *, fetch: Callable[[str], bytes]
) -> int:
    """The HTTP status to answer with: 200 done, 400 not understood, 403 not genuine, 404 no such hook is set up."""
    key = newsletter.settings.hook_keys.get(provider)
    read = _reader_for(provider) if key else None
    if read is None or not key:
        return 404
    try:
        events = read(HookRequest(headers=headers, body=body, at=now(), fetch=fetch), key)
    except NotGenuine:
        return 403
    except NotUnderstood:
        return 400
    for event in events:
        _settle(newsletter, event)
    return 200


def _reader_for(provider: str) -> Callable[[HookRequest, str], list[Event]] | None:
    if provider in {"ses", "sendgrid"}:
        from dispatcher.returns.hooks import sendgrid, sns  # noqa: PLC0415  cryptography is slow, and for few

        return sns.read if provider == "ses" else sendgrid.read
    return {"mailgun": mailgun.read, "postmark": postmark.read, "generic": generic.read}.get(provider)


def _settle(newsletter: Newsletter, event: Event) -> None:
    """The provider is trusted about the address, where nothing of ours came back."""
    raw = b"\n" + event.text.encode()
    address = event.returned.recipients[0].address.lower() if event.returned.recipients else None
    traces = find_traces(
        newsletter.keyring, raw, event.returned, newsletter.settings.bounce_address, trusted_address=address
    )
    at = now()
    fingerprint = hashlib.sha256(event.id.encode()).hexdigest()  # ids are of any length
    arrival = arrival_of(fingerprint, event.returned.kind, event.returned, at)
    decide = partial(policy.decide, event.returned, traces, now=at, heard_ourselves=True)
    settle_return(newsletter.database, newsletter.keyring, traces, arrival, decide)


@lru_cache(maxsize=16)
def fetch_over_https(url: str) -> bytes:
    """A certificate of a provider; its address has been checked. Raises OSError."""
    with urllib.request.urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310  https, of the provider's host
        found: bytes = answer.read(_MOST_BYTES)
    return found
