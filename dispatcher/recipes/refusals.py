"""The recipe of refusals: what relays refused for good during SMTP goes through the policy on returned mail, once."""

from datetime import datetime
from functools import partial

from dispatcher.recipes.newsletter import Newsletter
from dispatcher.returns import policy, verdicts
from dispatcher.returns.addresses import addresses_in
from dispatcher.returns.returned import Class, Returned
from dispatcher.storage.database import now
from dispatcher.storage.returns import Arrival, Traces, refusals, settle_return


def settle_refusals(newsletter: Newsletter, mailing_id: int | None = None) -> None:
    """Of one mailing, or of all."""
    for token, code, words in refusals(newsletter.database, mailing_id):
        judged = verdicts.judge("", said=f"{code} {words}", source="refusal")
        refused = Returned(kind=Class.BOUNCE, recipients=(judged,))
        traces, at = Traces(delivery=token), now()
        arrival = arrival_of(f"refusal of {token.delivery_id}", "refusal", refused, at)
        decide = partial(policy.decide, refused, traces, now=at, heard_ourselves=True)
        settle_return(newsletter.database, newsletter.keyring, traces, arrival, decide)


def arrival_of(fingerprint: str, kind: str, returned: Returned, at: datetime) -> Arrival:
    """What is remembered of a mail or a refusal."""
    about = returned.recipients[0] if returned.recipients else None
    return Arrival(
        fingerprint=fingerprint,
        at=at,
        kind=kind,
        verdict=about.verdict if about else None,
        cause=about.cause if about else None,
        status=about.status if about else None,
        reply=about.reply if about else None,
        said=_without_addresses(about.said) if about else "",
        feedback_type=returned.feedback_type[:32] if returned.feedback_type else None,
    )


def _without_addresses(words: str) -> str:
    for address in set(addresses_in(words)):
        words = words.replace(address, "(address)")
    return words
