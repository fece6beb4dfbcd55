"""The recipe of `dispatcher serve`: the readers' pages with what they show, on a port, until somebody stops them."""

import errno
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from threading import Lock

from dispatcher.audience.language import best_match
from dispatcher.config import Settings
from dispatcher.content.frozen import picture_names, thaw_edition
from dispatcher.content.merge import Unfilled
from dispatcher.content.message import make_skeleton, merged_html, neutral_reader
from dispatcher.content.pictures import load_picture
from dispatcher.errors import SettingsWrong
from dispatcher.models import Kind, Picture
from dispatcher.recipes.newsletter import Newsletter, base_url, letterhead, open_newsletter
from dispatcher.storage.database import Database
from dispatcher.storage.mailings import FrozenEdition, Mailing, editions_of, find_mailing, find_picture
from dispatcher.tokens import SAMPLE, ViewToken, sign_view
from dispatcher.web.app import make_site
from dispatcher.web.form import SECONDS
from dispatcher.web.site import Site

_ISSUES_KEPT = 32
_SECONDS_BETWEEN_SCANS = 3.0
_NO_PICTURES = {".md", ".json"}


def serve(settings: Settings, host: str, port: int) -> None:
    """Serves until Ctrl-C or SIGTERM. Raises SettingsWrong when the port cannot be had, and what opening raises."""
    import uvicorn  # noqa: PLC0415  a third of a second that no other command needs

    with open_newsletter(settings) as newsletter, _listen(host, port) as listening:
        server = uvicorn.Server(
            uvicorn.Config(
                make_site(site_of(newsletter)),
                access_log=False,  # addresses hold tokens
                log_level="warning",
                server_header=False,
                proxy_headers=False,  # anyone could write them
                lifespan="off",
                ws="none",
                limit_concurrency=200,
                timeout_keep_alive=5,
                timeout_graceful_shutdown=round(SECONDS) + 2,  # nobody who is being read is cut off
            )
        )
        print(f"readers' pages at {_address(listening)}", flush=True)
        # uvicorn ends by raising the signal that stopped it once more; here it lands where it does no harm.
        earlier = {each: signal.signal(each, server.handle_exit) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            server.run(sockets=[listening])
        finally:
            for number, action in earlier.items():
                signal.signal(number, action)


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


def site_of(newsletter: Newsletter) -> Site:
    """What the pages of this newsletter are made from."""
    settings, database = newsletter.settings, newsletter.database
    pages_of = _page_drawer(newsletter)
    find_draft_picture = draft_pictures(settings.folder)

    def issue_page(number: int, language: str) -> str | None:
        mailing = _shown_mailing(database, number)
        pages = {} if mailing is None else pages_of(mailing.id)
        return pages[best_match(language, list(pages), next(iter(pages)))] if pages else None

    def public_issue_page(number: int, language: str) -> str | None:
        mailing = find_mailing(database, number, Kind.LIVE)
        return None if mailing is None or mailing.handed_over_at is None else pages_of(mailing.id).get(language)

    def any_picture(name: str) -> tuple[str, bytes] | None:
        return find_picture(database, name) or find_draft_picture(name)

    return Site(
        database=database,
        keyring=newsletter.keyring,
        newsletter=letterhead(settings).newsletter,
        language=settings.language,
        postal_address=settings.postal_address,
        base_url=base_url(settings),
        issue_page=issue_page,
        public_issue_page=public_issue_page,
        find_picture=any_picture,
    )


def _shown_mailing(database: Database, number: int) -> Mailing | None:
    """The live mailing; while there is none, the newest trial."""
    if (live := find_mailing(database, number, Kind.LIVE)) is not None:
        return live
    trials = [find_mailing(database, number, kind) for kind in (Kind.MAILDIR, Kind.STAGING)]
    return max((trial for trial in trials if trial is not None), key=lambda trial: trial.id, default=None)


def _page_drawer(newsletter: Newsletter) -> Callable[[int], Mapping[str, str]]:
    """A function of a mailing's id that gives its pages by language, and remembers those of some issues."""

    @lru_cache(maxsize=_ISSUES_KEPT)  # a mailing's editions are frozen
    def pages_of(mailing_id: int) -> Mapping[str, str]:
        editions = editions_of(newsletter.database, mailing_id).values()
        drawn = {each.language: _page(newsletter, each) for each in editions}
        return {language: html for language, html in drawn.items() if html is not None}

    return pages_of


def _page(newsletter: Newsletter, frozen: FrozenEdition) -> str | None:
    names = picture_names(frozen.frozen)
    edition = thaw_edition(frozen.frozen, dict.fromkeys(names, b""))  # a page names its pictures, it carries none
    skeleton = make_skeleton(edition)
    base = base_url(newsletter.settings)
    view = sign_view(newsletter.keyring, ViewToken(number=edition.number, language=edition.language))
    html = merged_html(
        skeleton,
        neutral_reader(skeleton, edition.language),
        unsubscribe_url=f"{base}/u/{SAMPLE}",
        view_url=f"{base}/v/{view}",
    )
    if isinstance(html, Unfilled):
        return None
    for name in names:  # inline pictures travel with a message, but not with a page
        html = html.replace(f"cid:{name}", f"{base}/pictures/{name}")
    return html


def draft_pictures(
    root: Path, *, clock: Callable[[], float] = time.monotonic
) -> Callable[[str], tuple[str, bytes] | None]:
    """A function that finds pictures of issues not frozen yet by the name of their content, in `root`/issues.

    The folders are read at first use, and again for an unknown name, at most every few seconds.
    """
    places: dict[str, tuple[Path, str]] = {}  # name → the issue's folder, and the file in it
    names: dict[tuple[Path, int, int], str | None] = {}  # file as it was when read → name, None for no picture
    lock = Lock()
    scanned_at = float("-inf")

    def scan() -> None:
        nonlocal scanned_at
        with lock:
            if clock() - scanned_at < _SECONDS_BETWEEN_SCANS:
                return
            places.clear()
            for folder, path, state in _draft_files(root):
                if state not in names:
                    picture = load_picture(folder, str(path.relative_to(folder)))
                    names[state] = None if picture is None else picture.name
                if (name := names[state]) is not None:
                    places[name] = folder, str(path.relative_to(folder))
            scanned_at = clock()

    def find(name: str) -> Picture | None:
        place = places.get(name)
        picture = None if place is None else load_picture(*place)
        return picture if picture is not None and picture.name == name else None

    def find_or_scan(name: str) -> tuple[str, bytes] | None:
        picture = find(name)
        if picture is None:
            scan()
            picture = find(name)
        return None if picture is None else (picture.media_type, picture.content)

    return find_or_scan


def _draft_files(root: Path) -> Iterator[tuple[Path, Path, tuple[Path, int, int]]]:
    """Issue's folder, file, and what tells the file from its earlier self."""
    for folder in sorted((root / "issues").glob("*/")):
        for path in sorted(folder.rglob("*")):
            try:
                if path.is_file() and path.suffix not in _NO_PICTURES and not path.name.startswith("."):
                    stat = path.stat()
                    yield folder, path, (path, stat.st_mtime_ns, stat.st_size)
            except OSError:  # gone or closed to us: no picture for readers
                continue
