"""Whoever visits the readers' pages: asks the ASGI application itself, byte for byte, with no client in between."""

import asyncio
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def ask(
    site: ASGIApp,
    method: str,
    path: str,
    body: bytes | Sequence[bytes] = b"",
    *,
    kind: str = "",
    language: str = "",
    hangs_up: bool = False,
    client: str = "127.0.0.1",
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Answer:
    """One request; a sequence of bodies arrives in chunks, and who hangs up does so before the last one."""
    chunks = [body] if isinstance(body, bytes) else list(body)
    sent = [("content-type", kind), ("accept-language", language), *headers.items()]
    incoming = [
        {"type": "http.request", "body": chunk, "more_body": hangs_up or at < len(chunks)}
        for at, chunk in enumerate(chunks, 1)
    ]
    outgoing: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        outgoing.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote_to_bytes(path).decode("utf-8", "surrogateescape"),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent if value],
        "client": (client, 50_000),
        "server": ("127.0.0.1", 8029),
    }

    async def visit() -> None:
        await site(scope, receive, send)

    asyncio.run(visit())
    return Answer(
        status=outgoing[0]["status"],
        headers={name.decode(): value.decode() for name, value in outgoing[0]["headers"]},
        body=b"".join(message.get("body", b"") for message in outgoing[1:]),
    )
