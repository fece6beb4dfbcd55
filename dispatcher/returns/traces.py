"""Finds in a returned mail what we signed: the token of the return path, the token to leave, the Message-ID.

The envelope has it where the mail was delivered to an address of ours; else the returned headers have it, and at last
any place in the text. What is not verified by our keys is not there.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from dispatcher.returns.mail import take_apart
from dispatcher.returns.returned import Returned
from dispatcher.storage.returns import Traces
from dispatcher.tokens import Keyring, read_leave, read_return

_CANDIDATE = re.compile(r"(?<![a-z2-7])(?:[a-z2-7]{44}|[a-z2-7]{47})(?![a-z2-7])")
_MESSAGE_ID = re.compile(r"(?<![\w.])i(\d{1,9})\.[a-z2-7]{20}@[\w.-]{1,255}")
_MOST = 50  # candidates that are verified

_T = TypeVar("_T")


def find_traces(
    keyring: Keyring, raw: bytes, returned: Returned, bounce_address: str | None, *, trusted_address: str | None = None
) -> Traces:
    """All that points at a delivery; the envelope wins over headers, headers over text."""
    before, after = (bounce_address or "{token}").lower().split("{token}")
    mail = take_apart(raw)
    places = [
        [address.lower() for address in returned.addressed_to],
        [value.lower() for value in returned.original.values()],
        [value.lower() for _, value in mail.fields] + [part.text.lower() for part in mail.parts],
    ]
    found = [list(_candidates(texts, before, after)) for texts in places]
    deliveries = [_verified(read_return, keyring, each) for each in found]
    leaves = [_verified(read_leave, keyring, each) for each in found]
    delivery, leave = _first(deliveries), _first(leaves)
    issue, message_id = _message_id(places[1:])
    named = {each for some in deliveries[:2] for each in some}
    return Traces(
        delivery=delivery,
        leave=leave,
        issue=issue,
        message_id=message_id,
        is_addressed_to_leave=bool(leaves[0]),
        trusted_address=trusted_address,
        is_contradictory=len(named) > 1,
    )


def _candidates(texts: Iterable[str], before: str, after: str) -> Iterator[str]:
    """What could be a token: by its length, or by what stands around it in the return path."""
    around = re.compile(rf"{re.escape(before)}([a-z2-7]{{44,47}}){re.escape(after)}") if before or after else None
    for text in texts:
        yield from (found[0] for found in _CANDIDATE.finditer(text))
        if around is not None:
            yield from (found[1] for found in around.finditer(text))


def _verified(read: Callable[[Keyring, str], _T | None], keyring: Keyring, candidates: list[str]) -> list[_T]:
    read_tokens = (read(keyring, each) for each in dict.fromkeys(candidates[: 4 * _MOST]))
    return [token for token in read_tokens if token is not None][:_MOST]


def _first(found: list[list[_T]]) -> _T | None:
    return next((tokens[0] for tokens in found if tokens), None)


def _message_id(places: list[list[str]]) -> tuple[int | None, str | None]:
    for texts in places:
        for text in texts:
            if found := _MESSAGE_ID.search(text):
                return int(found[1]), found[0].rstrip(".-")
    return None, None
