"""What was not signed here for just this page opens nothing, and neither its answer nor its time tells why.

The long form: `DISPATCHER_TESTS_LONG=1 python -m pytest tests/web/test_forged_tokens.py`.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from statistics import median
from time import process_time
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.storage.database import now
from dispatcher.storage.readers import find_subscriber
from dispatcher.tokens import (
    ConfirmToken,
    DataToken,
    Keyring,
    LeaveToken,
    ReturnToken,
    UndoToken,
    ViewToken,
    sign_confirm,
    sign_data,
    sign_form,
    sign_leave,
    sign_return,
    sign_undo,
    sign_view,
)
from tests.forgeries import EXAMPLES, FORGERIES
from tests.web.house import ANN, House
from tests.web.visitor import FORM, Answer

ROOMS = {"u": ["GET", "POST"], "undo": ["POST"], "confirm": ["GET", "POST"], "me": ["GET", "POST"], "v": ["GET"]}
WORDS = b"List-Unsubscribe=One-Click&confirm=1&do=erase-surely"


def signed(house: House, ring: Keyring) -> Mapping[str, str]:
    """A token for each page, and those that are for no page; all are Ann's."""
    reader = find_subscriber(house.database, ANN)
    assert reader is not None
    who, ref, later = reader.id, reader.ref, now() + timedelta(hours=1)
    return {
        "u": sign_leave(ring, LeaveToken(subscriber_id=who, ref=ref, list_id=1)),
        "undo": sign_undo(ring, UndoToken(subscriber_id=who, ref=ref, left_at=now(), expires_at=later)),
        "confirm": sign_confirm(ring, ConfirmToken(signup_id=who, ref=ref, expires_at=later)),
        "me": sign_data(ring, DataToken(subscriber_id=who, ref=ref, expires_at=later)),
        "v": sign_view(ring, ViewToken(number=29, language="zh-hans1")),
        "return": sign_return(ring, ReturnToken(delivery_id=who, ref=ref)),
        "form": sign_form(ring, now()),
    }


@pytest.fixture(scope="module")
def tokens(fortress: House) -> Mapping[str, str]:
    return signed(fortress, fortress.site.keyring)


def answers(house: House, room: str, token: str) -> list[Answer]:
    path = f"/{room}/{quote(token, safe='', errors='replace')}"
    return [house.ask(method, path, WORDS, kind=FORM) for method in ROOMS[room]]


@settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), database=None)
@given(of=st.sampled_from([*ROOMS, "return", "form"]), room=st.sampled_from([*ROOMS]), forge=FORGERIES)
def test_a_forged_token_is_the_same_404_as_any_unknown_page(
    fortress: House, tokens: Mapping[str, str], of: str, room: str, forge: Callable[[str], str]
) -> None:
    forged = forge(tokens[of])
    if forged != tokens[of]:
        unknown = fortress.ask("GET", "/no/such/page")
        assert all(answer == unknown for answer in answers(fortress, room, forged))


def test_a_token_opens_no_page_but_its_own(fortress: House, tokens: Mapping[str, str]) -> None:
    unknown = fortress.ask("GET", "/no/such/page")
    for of, token in tokens.items():
        for room in ROOMS:
            if room != of:
                assert all(answer == unknown for answer in answers(fortress, room, token))


def test_a_forged_token_takes_as_long_whatever_is_wrong_with_it(fortress: House, tokens: Mapping[str, str]) -> None:
    """By the processor's time, which others do not take; a look into the database would double it."""
    good = tokens["u"]
    foreign = signed(fortress, Keyring(secrets=("t" * 32,), instance=fortress.site.keyring.instance))
    kinds = {
        "first letter of its MAC": good[:21] + ("a" if good[21] != "a" else "b") + good[22:],
        "its last letters": good[:44] + ("a" if good[44] != "a" else "b") + good[45:],
        "signed with another key": foreign["u"],
        "for another page": tokens["me"],
        "cut": good[:-8],
        "in capitals": good.upper(),
        "padded": good + "=",
    }
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(120):
        for kind, token in kinds.items():
            begun = process_time()
            assert fortress.ask("GET", f"/u/{token}").status == 404
            times[kind].append(process_time() - begun)
    medians = {kind: median(each) for kind, each in times.items()}
    assert max(medians.values()) < 1.3 * min(medians.values()), medians
