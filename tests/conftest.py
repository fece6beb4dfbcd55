"""What the tests share: a newsletter, a relay, a real Postfix, a browser."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trustme
from playwright.sync_api import Browser, sync_playwright

from tests.newsletter import MEETING_PLACE, Newsletter
from tests.relay import Relay
from tests.servers.cell import absent
from tests.servers.postfix import Postfix, start_postfix
from tests.servers.postgresql import PostgreSQL, shared_postgresql
from tests.statements import compile_once
from tests.storage.books import SQLITE, Copied

compile_once()


@pytest.fixture
def newsletter(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Newsletter]:
    """A small newsletter: issue 29 in two languages, the standing cast on its list.

    DISPATCHER_TESTS_DATABASE=postgresql gives each such newsletter a database there.
    """
    folder = tmp_path / "letter"
    folder.mkdir()
    newsletter = Newsletter.make(folder)
    if os.environ.get("DISPATCHER_TESTS_DATABASE") != "postgresql":
        yield newsletter
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    with server.database() as url:
        newsletter.keep_in(url)
        yield newsletter


@pytest.fixture
def in_a_file() -> None:
    """For what only a database in a file can show."""
    if os.environ.get("DISPATCHER_TESTS_DATABASE") == "postgresql":
        pytest.skip("the newsletters' databases are in PostgreSQL")


@pytest.fixture
def on_postgresql(newsletter: Newsletter, relay: Relay, postgresql: PostgreSQL) -> Iterator[Newsletter]:
    """The newsletter, sending over the relay, with its database in PostgreSQL."""
    newsletter.send_over(relay)
    with postgresql.database() as url:
        newsletter.keep_in(url)
        yield newsletter


@pytest.fixture
def relay() -> Iterator[Relay]:
    """A relay without TLS that says yes to everything until it is told otherwise."""
    with Relay() as relay:
        yield relay


@pytest.fixture
def live(newsletter: Newsletter, relay: Relay) -> Newsletter:
    """The newsletter, sending over the relay."""
    newsletter.send_over(relay)
    return newsletter


@pytest.fixture
def spamassassin() -> None:
    """A test that asks for it needs the filter on this machine."""
    if shutil.which("spamassassin") is None:
        absent("spamassassin")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser; a test opens pages of its own. It ends with its module: Playwright occupies the event loop."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or absent("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--font-render-hinting=none"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session", autouse=True)
def meeting_place(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder of all test processes."""
    base = tmp_path_factory.getbasetemp()
    place = base if worker_id == "master" else base.parent
    os.environ[MEETING_PLACE] = str(place)
    return place


@pytest.fixture(scope="session")
def postgresql(meeting_place: Path, worker_id: str) -> Iterator[PostgreSQL]:
    """A real PostgreSQL, one for all test processes."""
    with shared_postgresql(meeting_place / "postgresql", worker_id) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database that is new: a test that asks for it runs on both kinds."""
    if request.param == "sqlite":
        yield SQLITE
    else:
        server: PostgreSQL = request.getfixturevalue("postgresql")
        with server.database() as url:
            yield url


@pytest.fixture
def copied(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Copied:
    """Copies of the database at `database_url`, each beside a folder of its own; nobody may have it open."""

    @contextmanager
    def copied() -> Iterator[tuple[Path, str]]:
        with TemporaryDirectory() as name:
            if database_url == SQLITE:
                shutil.copy(tmp_path / "dispatcher.db", name)
                yield Path(name), SQLITE
            else:
                server: PostgreSQL = request.getfixturevalue("postgresql")
                with server.database(template=database_url.rpartition("/")[2]) as url:
                    yield Path(name), url

    return copied


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Who vouches for the servers of the tests."""
    return trustme.CA()


@pytest.fixture(scope="session")
def postfix(authority: trustme.CA) -> Iterator[Postfix]:
    """A real Postfix on free loopback ports; each test process has its own, with its own queue."""
    with start_postfix(authority) as postfix:
        yield postfix
