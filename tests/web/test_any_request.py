"""Whatever is asked, in whatever words: no 500, no other reader's state, and nobody's words come back as markup.

The long form: `DISPATCHER_TESTS_LONG=1 python -m pytest tests/web/test_any_request.py`.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.audience.people import add_person
from dispatcher.storage.api_tokens import Right, make_token
from tests.forgeries import EXAMPLES
from tests.web.house import ANN, House, build
from tests.web.visitor import FORM

HOSTILE = (
    "<script>alert(1)</script>", "{{ 7*7 }}", "{% raw %}", "{0.__class__}", "{newsletter}",
    "a\r\nBcc: eve@example.net", "\u202egnp.exe", "nul\0", "'; DROP TABLE subscriber; --", "=HYPERLINK(1)",
    "%00%0d%0a", "../../etc/passwd", "\ud800", "x" * 7_000, "&amp;\"'>", "One-Click",
)  # fmt: skip
SEGMENTS = (
    "u", "undo", "subscribe", "confirm", "embed", "settings", "me", "issues", "29", "en", "v", "pictures", "health",
    "metrics", "api", "v1", "signups", "unsubscribes", "subscribers", "show", "openapi.json", "sample", "", ".", "..",
)  # fmt: skip
FIELDS = (
    "List-Unsubscribe",
    "confirm",
    "all",
    "do",
    "email",
    "form",
    "website",
    "list0",
    "language",
    "pause",
    "tracking",
)
SAID = ("One-Click", "1", "save", "download", "erase", "en", "zh", "12", ANN, "", *HOSTILE)


@pytest.fixture(scope="module")
def inn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = build(tmp_path_factory.mktemp("inn"))
    yield house
    house.database.close()


words = st.sampled_from(SAID) | st.text(max_size=40)
paths = st.lists(st.sampled_from(SEGMENTS) | st.text(max_size=20), max_size=5)
bodies = st.one_of(
    st.binary(max_size=200),
    st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=10), words, max_size=6).map(
        lambda fields: urlencode(fields, errors="surrogatepass").encode()
    ),
)


@settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), database=None)
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE"]),
    path=paths,
    room=st.sampled_from(["", "/u/{leave}", "/me/{data}", "/subscribe", "/settings", "/confirm/{data}"]),
    body=bodies,
    kind=st.sampled_from([FORM, "multipart/form-data; boundary=b", "application/json", ""]),
    header=st.sampled_from(["host", "authorization", "x-forwarded-for", "cookie", "referer", "user-agent"]),
    value=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60),
)
def test_no_request_is_a_500_and_none_changes_another_reader(
    inn: House, method: str, path: list[str], room: str, body: bytes, kind: str, header: str, value: str
) -> None:
    links = {"leave": inn.token(ANN), "data": inn.own_page(ANN).removeprefix("/me/")}
    where = room.format(**links) if room else "/" + "/".join(quote(each, safe="", errors="replace") for each in path)
    others = inn.everyone()[1:]
    answer = inn.ask(method, where, body, kind=kind, language="zh", headers={header: value})
    assert answer.status < 500
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert inn.everyone()[1:] == others


@pytest.fixture(scope="module")
def token(inn: House) -> str:
    text = make_token(inn.database, "shop", [Right.SUBSCRIBE, Right.UNSUBSCRIBE, Right.SHOW])
    assert text is not None
    return text


calls = st.one_of(
    st.fixed_dictionaries(
        {"email": st.sampled_from([ANN, "dan@example.net", "x@example.net", "王芳@example.net"]) | words},
        optional={
            "list": st.sampled_from(["readers", "events"]) | words,
            "language": st.sampled_from(["en", "zh-Hans"]) | words,
            "name": words,
        },
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | words,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
        max_leaves=5,
    ),
)


@settings(deadline=None, max_examples=EXAMPLES // 3, suppress_health_check=list(HealthCheck), database=None)
@given(call=calls, at=st.integers(0, 2**16), spoil=st.sampled_from(["", "", "", "cut", "latin-1", "strange"]))
def test_any_call_is_answered_as_the_document_says(inn: House, token: str, call: object, at: int, spoil: str) -> None:
    described = json.loads(inn.ask("GET", "/api/openapi.json").body)  # three calls, each with the same body
    body = json.dumps(call, ensure_ascii=spoil != "latin-1").encode("latin-1", "replace")
    body = body[:-1] if spoil == "cut" else body
    bearer = token + ("x" if spoil == "strange" else "")
    for path, methods in described["paths"].items():
        responses = methods["post"]["responses"]
        where = f"10.{at >> 8}.{at & 255}.1"  # each its own network, so that limits do not hide what is behind them
        answer = inn.ask("POST", path, body, kind="application/json", client=where, headers={
            "authorization": f"Bearer {bearer}",
        })  # fmt: skip
        assert str(answer.status) in responses, answer
        content = json.loads(answer.body)
        schema = responses[str(answer.status)]["content"]["application/json"]["schema"]
        assert {*content} <= ({"error"} if "$ref" in schema else {*schema["properties"]})


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_a_visitor_writes_is_shown_escaped_or_not_at_all(fortress: House, hostile: str) -> None:
    body = urlencode({"email": hostile, "language": hostile, "do": hostile}, errors="surrogatepass").encode()
    pages = [
        fortress.post("/subscribe", body),
        fortress.post("/settings", body),
        fortress.ask("GET", "/", headers={"referer": quote(hostile, errors="replace")}),
        fortress.post(fortress.own_page(ANN), body),
    ]
    for page in pages:
        html = page.body.decode("utf-8", "replace")
        assert "<script" not in html
        assert "49" not in re.sub(r"\d{3,}|#\w+|/\w{20,}", "", html) or "7*7" not in hostile
        assert "Bcc" not in page.headers


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "{{ 7*7 }}", "\u202egnp.exe", "'; DROP TABLE subscriber; --", "=1+1"]
)
def test_a_hostile_name_stands_nowhere_as_code_and_is_handed_over_as_it_is(tmp_path: Path, name: str) -> None:
    house = build(tmp_path, newsletter=name, postal_address=name)
    add_person(house.database, house.site.keyring, ANN, "readers", name=name, language=None, attributes={"plan": name})
    for path in ("/", "/subscribe", house.link(ANN), house.own_page(ANN), "/settings", "/issues", "/embed"):
        page = house.ask("GET", path).text
        assert "<script" not in page
        assert "49" not in re.sub(r"\w{20,}", "", page) or "7*7" not in name
    house.database.close()
