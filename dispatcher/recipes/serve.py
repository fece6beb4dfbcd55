"""The recipe of `dispatcher serve`: the readers' pages on a port, and their small mails, until somebody stops them."""

import asyncio
import errno
import logging
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from starlette.applications import Starlette

from dispatcher.config import Settings
from dispatcher.errors import SettingsWrong
from dispatcher.recipes.letters import keep_sending
from dispatcher.recipes.newsletter import Newsletter, open_newsletter
from dispatcher.recipes.site import site_of
from dispatcher.storage.keys import remember_key
from dispatcher.web.app import make_site
from dispatcher.web.form import SECONDS

_log = logging.getLogger("dispatcher")


def serve(settings: Settings, host: str, port: int, *, proxies: Sequence[str] = ()) -> None:
    """Serves, and sends the small mails that readers ask for. `proxies`: whose word is taken for a visitor's address.

    Until Ctrl-C or SIGTERM. Raises SettingsWrong when the port cannot be had, and what opening raises.
    """
    import uvicorn  # noqa: PLC0415  a third of a second that no other command needs

    with open_newsletter(settings) as newsletter, _listen(host, port) as listening:
        remember_key(newsletter.database, newsletter.keyring.secrets[0])  # links that are mailed depend on it
        server = uvicorn.Server(
            uvicorn.Config(
                _served(newsletter),
                access_log=False,  # addresses hold tokens
                log_config=None if _log.handlers else uvicorn.config.LOGGING_CONFIG,
                log_level="warning",
                server_header=False,
                proxy_headers=bool(proxies),  # anyone else could write them
                forwarded_allow_ips=list(proxies),
                http=_patient_protocol(),
                h11_max_incomplete_event_size=16 * 1024,  # a request's header
                lifespan="on",
                ws="none",
                limit_concurrency=1000,
                timeout_keep_alive=5,
                timeout_graceful_shutdown=round(SECONDS) + 2,  # nobody who is being read is cut off
            )
        )
        print(f"readers' pages at {_address(listening)}", flush=True)
        _log.info("readers' pages are open", extra={"facts": {"at": _address(listening)}})
        # uvicorn ends by raising the signal that stopped it once more; here it lands where it does no harm.
        earlier = {each: signal.signal(each, server.handle_exit) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            server.run(sockets=[listening])
        finally:
            for number, action in earlier.items():
                signal.signal(number, action)


def _served(newsletter: Newsletter) -> Starlette:
    """The site, which sends small mails for as long as it runs."""
    woken = asyncio.Event()
    loop: asyncio.AbstractEventLoop | None = None

    def wake() -> None:
        if loop is not None:
            loop.call_soon_threadsafe(woken.set)

    site = site_of(newsletter, wake_letters=wake)

    @asynccontextmanager
    async def sending(_application: Starlette) -> AsyncIterator[None]:
        nonlocal loop
        loop = asyncio.get_running_loop()
        letters = asyncio.create_task(keep_sending(newsletter, site.wording, woken))
        try:
            yield
        finally:
            letters.cancel()
            with suppress(asyncio.CancelledError):
                await letters

    return make_site(site, lifespan=sending)


def _patient_protocol() -> type[asyncio.Protocol]:
    """Uvicorn's HTTP, which otherwise waits for ever for the first request of a connection."""
    from uvicorn.protocols.http.h11_impl import H11Protocol  # noqa: PLC0415

    class PatientProtocol(H11Protocol):
        """Closes a connection whose first header has not come in time."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._deadline = self.loop.call_later(SECONDS, self._give_up)

        def _give_up(self) -> None:
            if getattr(self, "cycle", None) is None and not self.transport.is_closing():
                self.transport.close()

        def connection_lost(self, exc: Exception | None) -> None:
            self._deadline.cancel()
            super().connection_lost(exc)

    return PatientProtocol


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = str(getattr(error, "strerror", None) or error).partition(" (while")[0]
        is_taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        remedy = "stop the program that has the port, or name another with --port" if is_taken else "see --host, --port"
        raise SettingsWrong(f"{host}:{port}: {reason}; {remedy}") from error


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
