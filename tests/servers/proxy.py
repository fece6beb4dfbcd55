"""A long way to a server: it counts turns, each direction can take its time, and it can stall as a broken net does."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

_BETWEEN_LOOKS = 0.01  # seconds


@dataclass(slots=True)
class Way:
    """What went over it; a turn is a server's answer to something that a client said."""

    port: int = 0
    turns: int = 0
    is_cut: bool = False  # nothing arrives, not even an end; what was said arrives when it is no longer
    _spoke_last: str = field(default="server")

    def note(self, speaker: str) -> None:
        if speaker == "server" and self._spoke_last == "client":
            self.turns += 1
        self._spoke_last = speaker


@contextlib.contextmanager
def long_way_to(port: int, *, round_trip: float = 0, host: str = "127.0.0.1", listens_at: int = 0) -> Iterator[Way]:
    """Listens, on a port of its own unless told, until the block ends; `round_trip` in seconds."""
    way, started, stopped = Way(), threading.Event(), threading.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        with contextlib.suppress(asyncio.CancelledError):  # at the end, with conversations that are not over
            async with asyncio.TaskGroup() as both:
                both.create_task(_carry(reader, there_writer, round_trip / 2, way, "client"))
                both.create_task(_carry(there_reader, writer, round_trip / 2, way, "server"))

    async def serve() -> None:
        server = await asyncio.start_server(accept, host, listens_at)
        way.port = server.sockets[0].getsockname()[1]
        started.set()
        await asyncio.to_thread(stopped.wait)
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="proxy", daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield way
    finally:
        stopped.set()
        thread.join(10)


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float, way: Way, speaker: str
) -> None:
    """Everything arrives so many seconds after it was said."""
    loop = asyncio.get_running_loop()
    on_its_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def arrive() -> None:
        data = b"something"
        while data:
            at, data = await on_its_way.get()
            await asyncio.sleep(at - loop.time())
            while way.is_cut:  # noqa: ASYNC110  another thread says so
                await asyncio.sleep(_BETWEEN_LOOKS)
            if data:
                way.note(speaker)
                writer.write(data)
        writer.close()

    arriving = asyncio.create_task(arrive())
    data = b"something"
    while data:
        try:
            data = await reader.read(2**18)
        except OSError:
            data = b""
        on_its_way.put_nowait((loop.time() + seconds, data))
    await arriving
