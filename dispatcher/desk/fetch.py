"""Fetches pages of the web for the editor: no private address, no endless body, no redirection unseen.

httpcore is the engine under httpx, and lets us choose what a name is connected to: the address that was looked at is
the one that is used, so that no second answer of a name server can lead us into our own network.
"""

import ipaddress
import socket
import ssl
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpcore

LARGEST = 2_000_000  # bytes of a page that are read
_SECONDS = 15.0
_MOST_HOPS = 6
_PERMANENT = frozenset({301, 308})
_REDIRECTIONS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What an address answered in the end."""

    url: str  # after all redirections
    status: int  # 0: it did not answer
    moved_to: str | None = None  # after the permanent redirections that came first
    media_type: str = ""
    body: bytes = b""
    problem: str = ""  # why there is no answer, in words


class Fetcher:
    """Connections to the web; close it after use."""

    def __init__(self, *, user_agent: str, may_reach_private: bool = False) -> None:
        self._headers: dict[bytes | str, bytes | str] = {
            "User-Agent": user_agent,
            "Accept": "text/html,*/*;q=0.8",
            "Accept-Encoding": "identity",
        }
        self._pool = _pool(may_reach_private)

    def get(self, url: str, *, with_body: bool = True) -> Page:
        """The page at an address; whatever goes wrong is its `problem`."""
        import httpcore  # noqa: PLC0415  only where something is fetched

        moved_to: str | None = None
        only_permanent = True
        for _ in range(_MOST_HOPS):
            if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
                return Page(url=url, status=0, problem="it is no http or https address")
            try:
                status, headers, body = self._ask(url, with_body=with_body)
            except (
                httpcore.NetworkError,
                httpcore.ProtocolError,
                httpcore.TimeoutException,
                OSError,
                ValueError,
            ) as error:
                return Page(url=url, status=0, moved_to=moved_to, problem=_spoken(error))
            if status not in _REDIRECTIONS or "location" not in headers:
                kind = headers.get("content-type", "")
                return Page(url=url, status=status, moved_to=moved_to, media_type=kind, body=body)
            url = urljoin(url, headers["location"])
            only_permanent = only_permanent and status in _PERMANENT
            moved_to = url if only_permanent else moved_to
        return Page(url=url, status=0, problem="it redirects without an end")

    def close(self) -> None:
        self._pool.close()

    def _ask(self, url: str, *, with_body: bool) -> tuple[int, Mapping[str, str], bytes]:
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), _SECONDS)
        with self._pool.stream("GET", _ascii(url), headers=self._headers, extensions={"timeout": timeouts}) as answer:
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
            body = b""
            if with_body and answer.status == 200:
                for piece in answer.iter_stream():
                    body += piece
                    if len(body) > LARGEST:
                        break
            return answer.status, headers, body


@contextmanager
def fetching(newsletter: str, *, may_reach_private: bool = False) -> "Iterator[Fetcher]":
    named = newsletter if newsletter.isascii() and newsletter.isprintable() else "newsletter"
    fetcher = Fetcher(user_agent=f"Dispatcher ({named})", may_reach_private=may_reach_private)
    try:
        yield fetcher
    finally:
        fetcher.close()


def _pool(may_reach_private: bool) -> "httpcore.ConnectionPool":
    import httpcore  # noqa: PLC0415

    class Guarded(httpcore.NetworkBackend):
        """Looks a name up once, refuses what is not public, and connects to what it looked at."""

        def connect_tcp(
            self,
            host: str,
            port: int,
            timeout: float | None = None,
            local_address: str | None = None,
            socket_options: "Iterable[Any] | None" = None,
        ) -> httpcore.NetworkStream:
            addresses = [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
            if not may_reach_private and any(not ipaddress.ip_address(each).is_global for each in addresses):
                raise httpcore.ConnectError("it leads to a private address")
            return httpcore.SyncBackend().connect_tcp(addresses[0], port, timeout, local_address, socket_options)

    return httpcore.ConnectionPool(
        ssl_context=ssl.create_default_context(), network_backend=Guarded(), max_connections=8, http2=False
    )


def _ascii(url: str) -> str:
    """The address as it travels: the host in A-labels, everything else percent-encoded."""
    parts = urlsplit(url)
    host = (parts.hostname or "").encode("idna").decode("ascii")
    netloc = f"[{host}]" if ":" in host else host
    netloc += f":{parts.port}" if parts.port else ""
    printable = "".join(map(chr, range(0x21, 0x7F)))
    return parts._replace(netloc=netloc, path=quote(parts.path, safe=printable) or "/",
                          query=quote(parts.query, safe=printable), fragment="").geturl()  # fmt: skip


def _spoken(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "its host is unknown"
    return str(error) or type(error).__name__
