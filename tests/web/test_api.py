"""The JSON interface and the counts: a token does what it has a right to, and nobody without one does anything."""

import json

import pytest

from dispatcher.storage.api_tokens import Right, api_tokens, make_token, revoke_token
from dispatcher.storage.dossiers import dossier
from dispatcher.web.limits import Limits, Rate, network_of
from tests.web.house import ANN, BOB, House
from tests.web.visitor import Answer

PATHS = {"subscribe": "/api/v1/signups", "unsubscribe": "/api/v1/unsubscribes", "show": "/api/v1/subscribers/show"}


def call(house: House, path: str, token: str | None, content: object) -> Answer:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return house.ask("POST", path, body, kind="application/json", headers=headers)


def token_for(house: House, *rights: Right) -> str:
    text = make_token(house.database, "shop", rights)
    assert text is not None
    return text


def test_a_sign_up_through_the_api_is_confirmed_by_the_owner_too(house: House) -> None:
    token = token_for(house, Right.SUBSCRIBE)
    answer = call(house, PATHS["subscribe"], token, {"email": "dan@example.net", "name": "Dan", "language": "en"})
    assert answer.status == 202
    assert dossier(house.database, "dan@example.net") is None
    assert house.mails("dan@example.net") == ["confirm"]
    house.post(house.confirmation("dan@example.net"), b"confirm=1")
    person = dossier(house.database, "dan@example.net")
    assert person is not None
    assert person.name == "Dan"


def test_an_address_is_taken_off_one_list_or_all(house: House) -> None:
    token = token_for(house, Right.UNSUBSCRIBE)
    one = call(house, PATHS["unsubscribe"], token, {"email": BOB, "list": "events"})
    assert json.loads(one.body) == {"left": ["events"]}
    assert house.lists_of(BOB) == {"readers"}
    assert json.loads(call(house, PATHS["unsubscribe"], token, {"email": BOB}).body) == {"left": ["readers"]}
    assert json.loads(call(house, PATHS["unsubscribe"], token, {"email": "x@example.net"}).body) == {"left": []}


def test_what_is_known_of_an_address_is_shown(house: House) -> None:
    token = token_for(house, Right.SHOW)
    assert json.loads(call(house, PATHS["show"], token, {"email": ANN}).body) == {"email": ANN}
    assert call(house, PATHS["show"], token, {"email": "x@example.net"}).status == 404


@pytest.mark.parametrize("right", list(Right))
def test_a_token_allows_what_it_has_a_right_to_and_nothing_else(house: House, right: Right) -> None:
    token = token_for(house, right)
    for name, path in PATHS.items():
        assert (call(house, path, token, {"email": "x@example.net"}).status == 403) is (name != right)


@pytest.mark.parametrize("token", [None, "", "dispatcher_", "x" * 5000, "ünïcode"])
def test_without_a_token_nothing_is_done(house: House, token: str | None) -> None:
    for path in PATHS.values():
        answer = call(house, path, token, {"email": ANN})
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    assert house.lists_of(ANN) == {"readers"}


def test_a_token_is_kept_as_a_hash_and_ends_at_once_when_it_is_revoked(house: House) -> None:
    token = token_for(house, Right.SHOW)
    with house.database.reading() as connection:
        assert token not in str(connection.exec_driver_sql("SELECT * FROM api_token").all())
    assert call(house, PATHS["show"], token, {"email": ANN}).status == 200
    assert api_tokens(house.database)[0].used_at is not None
    assert revoke_token(house.database, "shop")
    assert call(house, PATHS["show"], token, {"email": ANN}).status == 401
    assert not revoke_token(house.database, "shop")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[" * 5000, 400),
        (b"\xff", 400),
        (b"[]", 422),
        (b'"ann@example.org"', 422),
        (b'{"email": 1}', 422),
        (b'{"email": "ann"}', 422),
        (b'{"email": "ann@example.org", "admin": "1"}', 422),
        (b'{"email": "ann@example.org", "list": "staff"}', 422),
        (b'{"email": "dan@example.net", "language": "<b>"}', 422),
        (b'{"email": "dan@example.net", "name": "a\\u0000b"}', 422),
        (b'{"email": "dan@example.net", "list": "\\ud800"}', 422),
        (b'{"email": "dan@example.net", "\\ud800": "x"}', 422),
        (b'{"email": "' + b"x" * 9000 + b'"}', 413),
    ],
)
def test_what_cannot_be_understood_is_said_as_json(house: House, body: bytes, status: int) -> None:
    answer = call(house, PATHS["subscribe"], token_for(house, Right.SUBSCRIBE), body)
    assert answer.status == status
    assert set(json.loads(answer.body)) == {"error"}
    assert house.mails() == []


def test_a_program_too_is_asked_to_try_again_when_the_ledger_fails(house: House) -> None:
    token = token_for(house, Right.SHOW)
    with house.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE membership RENAME TO lost")
    answer = call(house, PATHS["show"], token, {"email": ANN})
    assert (answer.status, answer.headers["retry-after"]) == (503, "60")
    assert set(json.loads(answer.body)) == {"error"}


def test_a_session_of_guessing_is_cut_short(house: House) -> None:
    answers = {call(house, PATHS["show"], f"guess{number}", {"email": ANN}).status for number in range(40)}
    assert answers == {401, 429}


def test_the_interface_describes_itself(house: House) -> None:
    answer = house.ask("GET", "/api/openapi.json")
    described = json.loads(answer.body)
    assert described["openapi"].startswith("3.1")
    assert set(described["paths"]) == set(PATHS.values())
    for path, methods in described["paths"].items():
        assert house.ask("POST", path).status in {int(each) for each in methods["post"]["responses"]}


# Health and counts


def test_the_counts_are_for_this_machine(house: House) -> None:
    text = house.ask("GET", "/metrics", headers={"host": "127.0.0.1:8029"}).text
    assert 'dispatcher_readers{list="readers",standing="active"} 3' in text
    assert "example.org" not in text


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "letter.example.org"},
        {"host": "localhost", "x-forwarded-for": "203.0.113.9"},
        {"host": "localhost", "forwarded": "for=203.0.113.9"},
    ],
    ids=["by its public name", "passed on", "passed on by the book"],
)
def test_nobody_elsewhere_sees_the_counts_without_a_token(house: House, headers: dict[str, str]) -> None:
    assert house.ask("GET", "/metrics", headers=headers).status == 401
    token = {"authorization": f"Bearer {token_for(house, Right.METRICS)}"}
    assert house.ask("GET", "/metrics", headers=headers | token).status == 200


def test_who_comes_from_afar_sees_no_counts(house: House) -> None:
    assert house.ask("GET", "/metrics", client="203.0.113.9", headers={"host": "localhost"}).status == 401


def test_the_site_says_that_it_is_well(house: House) -> None:
    assert house.ask("GET", "/health").text == "ok\n"


# Limits


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.17", "192.0.2.0/24"),
        ("2001:db8:1:2ff::1", "2001:db8:1:200::/56"),
        ("::ffff:192.0.2.17", "192.0.2.0/24"),
        ("fe80::1%eth0", "fe80::/56"),
        ("unix", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_network_is_a_household_or_more(host: str | None, network: str) -> None:
    assert network_of(host) == network


def test_a_bucket_fills_again_as_time_goes_by() -> None:
    at = 0.0
    limits, rate = Limits(clock=lambda: at), Rate(burst=2, seconds=10)
    assert [limits.allows(rate, "a") for _ in range(3)] == [True, True, False]
    assert limits.allows(rate, "b")
    at = 11.0
    assert [limits.allows(rate, "a") for _ in range(2)] == [True, False]
