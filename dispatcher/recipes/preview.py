"""The recipe of `dispatcher preview 29`: watches the newsletter's files, and shows the issue anew after each save."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from dispatcher.config import Settings
from dispatcher.content.source.issue import find_issue, issue_folders
from dispatcher.desk.preview import Changes, Views, make_preview
from dispatcher.errors import NotFound, SettingsWrong
from dispatcher.recipes.stage import Stage

_DEEP = ("issues", "templates")


def preview(settings: Settings, what: str | None, port: int) -> None:
    """Shows the issue, by default the newest, until Ctrl-C. Raises NotFound, SettingsWrong."""
    import uvicorn  # noqa: PLC0415

    named = what or _newest(settings.folder)
    find_issue(settings.folder, named)
    stage, changes = Stage(settings.folder, named), Changes()
    views = Views(show=stage.show, find=stage.find, readers=stage.readers, changes=changes.follow)
    with _listen(port) as listening:
        app = make_preview(views)
        app.router.lifespan_context = lambda _: _watching(settings.folder.resolve(), stage, changes)
        config = uvicorn.Config(app, access_log=False, log_level="warning", server_header=False, ws="none",
                                timeout_graceful_shutdown=1)  # fmt: skip
        server = uvicorn.Server(config)
        print(f"preview of issue {named} at http://127.0.0.1:{listening.getsockname()[1]} (Ctrl-C ends it)", flush=True)
        earlier = {each: signal.signal(each, server.handle_exit) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            server.run(sockets=[listening])
        finally:
            for number, action in earlier.items():
                signal.signal(number, action)


@asynccontextmanager
async def _watching(folder: Path, stage: Stage, changes: Changes) -> AsyncIterator[None]:
    """Tells the pages of each save while the server runs."""
    stop = asyncio.Event()
    task = asyncio.create_task(_watch(folder, stage, changes, stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def _watch(folder: Path, stage: Stage, changes: Changes, stop: asyncio.Event) -> None:
    """Folders in which something is written deep down, and the newsletter's own, where one of them may appear."""
    from watchfiles import awatch  # noqa: PLC0415

    def saved() -> None:
        stage.forget()
        changes.tell()

    async def watch_deep(until: asyncio.Event) -> None:
        if there := [folder / name for name in _DEEP if (folder / name).is_dir()]:
            async for _ in awatch(*there, debounce=30, step=10, stop_event=until, rust_timeout=1000):
                saved()

    until = asyncio.Event()
    deep = asyncio.create_task(watch_deep(until))
    concerns = {str(folder / name) for name in (*_DEEP, "pyproject.toml")}
    async for _ in awatch(
        folder,
        recursive=False,
        watch_filter=lambda _, path: path in concerns,
        stop_event=stop,
        rust_timeout=1000,
    ):
        until.set()
        await deep
        until = asyncio.Event()
        deep = asyncio.create_task(watch_deep(until))
        saved()
    until.set()
    await deep


def _newest(folder: Path) -> str:
    folders = issue_folders(folder)
    if not folders:
        raise NotFound("there is no issue yet; write one with: dispatcher new")
    return folders[-1].name


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsWrong(f"127.0.0.1:{port}: {reason}; name another port with --port") from error
