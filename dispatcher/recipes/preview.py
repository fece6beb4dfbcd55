"""The recipe of `dispatcher preview 29`: watches the newsletter's files, and shows the issue anew after each save."""

import asyncio
import signal
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import cache
from pathlib import Path

from dispatcher.config import Settings
from dispatcher.content.compose import compose
from dispatcher.content.drawing.theme import find_theme
from dispatcher.content.message.budget import MAX_BYTES, encoded_bytes, weigh
from dispatcher.content.message.build import make_skeleton, merged_html, merged_text, neutral_reader
from dispatcher.content.message.merge import Unfilled
from dispatcher.content.personal import without_marks
from dispatcher.content.source.issue import find_issue, issue_folders, load_issue
from dispatcher.desk.preview import Changes, Details, Shown, Views, Wanted, make_preview
from dispatcher.errors import Fault, Finding, InputWrong, NotFound, SettingsWrong
from dispatcher.models import Subscriber
from dispatcher.recipes.check import Wish, check
from dispatcher.recipes.editions import load_named, sample_message
from dispatcher.recipes.newsletter import base_url, letterhead
from dispatcher.storage.database import find_database
from dispatcher.storage.readers import find_subscriber
from dispatcher.storage.subscribers import everybody

_MOST_READERS = 500  # offered by name; any other address may be typed
_LANGUAGES_OF = "issue*.md"
_DEEP = ("issues", "templates")


class Stage:
    """What is shown at the moment: an edition is made once, however many views ask for it, until the next save."""

    def __init__(self, settings: Settings, what: str) -> None:
        self._settings, self._what = settings, what
        self._saves = 0
        self._made: dict[tuple[int, Wanted], Shown] = {}
        self._making = threading.Lock()
        self._finding = threading.Lock()  # looking for faults takes longer, and nobody waits for it to see the picture

    def forget(self) -> None:
        """After a save everything is made anew; what is being made at the moment is late."""
        self._saves += 1

    def show(self, wanted: Wanted) -> Shown:
        with self._making:
            key = self._saves, wanted
            if key not in self._made:
                made = _shown(self._settings, self._what, wanted)
                self._made = {old: each for old, each in self._made.items() if old[0] == key[0]} | {key: made}
            return self._made[key]

    def find(self) -> tuple[Finding, ...]:
        with self._finding:
            return check(self._settings, self._what, Wish()).findings

    def readers(self) -> list[str]:
        """Some of the addresses on the issue's list, for the picker."""
        database = find_database(self._settings.database, self._settings.folder)
        if database is None:
            return []
        with closing(database):
            list_name = load_named(self._settings, self._what).list_name or self._settings.list
            people = everybody(database, list_name)
            return [row.email for row, _ in zip(people, range(_MOST_READERS), strict=False) if row.state == "active"]


def preview(settings: Settings, what: str | None, port: int) -> None:
    """Shows the issue, by default the newest, until Ctrl-C. Raises NotFound, SettingsWrong."""
    import uvicorn  # noqa: PLC0415

    named = what or _newest(settings.folder)
    find_issue(settings.folder, named)
    stage, changes = Stage(settings, named), Changes()
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


def _shown(settings: Settings, what: str, wanted: Wanted) -> Shown:
    issue = load_issue(find_issue(settings.folder, what), root=settings.folder, default_language=settings.language)
    wished = wanted.language
    language = wished if wished is not None and wished in issue.drafts else next(iter(issue.drafts))
    draft = issue.drafts[language]
    edition = compose(
        draft,
        number=issue.number,
        folder=issue.folder,
        theme=find_theme(draft.theme or settings.theme, settings.folder),
        letterhead=letterhead(settings),
        label_missing=True,
    )
    skeleton = make_skeleton(edition)
    reader = _reader(settings, wanted.reader) or neutral_reader(skeleton, language)
    links = {"unsubscribe_url": f"{base_url(settings)}/u/sample", "view_url": f"{base_url(settings)}/v/sample"}
    html = _filled(merged_html(skeleton, reader, **links))

    @cache
    def details() -> Details:
        files = sorted(issue.folder.glob(_LANGUAGES_OF), key=lambda path: path != draft.path)
        return Details(
            message=sample_message(settings, skeleton, reader, issue.number),
            sources={path.relative_to(settings.folder).as_posix(): path.read_text(encoding="utf-8") for path in files},
            decoded=weigh(edition.html).total,
            travels=encoded_bytes(edition.html),
            limit=MAX_BYTES,
        )

    return Shown(
        number=issue.number,
        language=language,
        languages=tuple(issue.drafts),
        subject=without_marks(draft.subject),
        preheader=without_marks(draft.preheader),
        html=html.replace(f'"{base_url(settings)}/pictures/', '"/pictures/').replace('"cid:', '"/pictures/'),
        text=_filled(merged_text(skeleton, reader, **links)),
        details=details,
        pictures={each.name: (each.media_type, each.content) for each in edition.pictures},
    )


def _reader(settings: Settings, address: str | None) -> Subscriber | None:
    if address is None:
        return None
    if (database := find_database(settings.database, settings.folder)) is not None:
        with closing(database):
            if found := find_subscriber(database, address.strip().lower()):
                return found
    raise NotFound(f"{address}: nobody has this address; import the list first, or choose another reader")


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


def _filled(part: str | Unfilled) -> str:
    if isinstance(part, Unfilled):
        raise InputWrong([Fault(path="issue", message=part.reason, remedy="choose another reader, or add a default")])
    return part
