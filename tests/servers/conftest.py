"""The servers, one of each for a test process, and a domain of its own for each test."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from dispatcher.delivery.smtp import Way
from tests.servers.exim import start_exim
from tests.servers.opensmtpd import start_opensmtpd
from tests.servers.sending import Sender
from tests.servers.server import DOMAINS, Server
from tests.servers.sink import start_sink

_numbers = itertools.count()


@pytest.fixture
def domain() -> str:
    return DOMAINS[next(_numbers)]


@pytest.fixture(scope="session")
def exim(authority: trustme.CA) -> Iterator[Server]:
    with start_exim(authority) as server:
        yield server


@pytest.fixture(scope="session")
def opensmtpd() -> Iterator[Server]:
    with start_opensmtpd() as server:
        yield server


@pytest.fixture(scope="session")
def sink() -> Iterator[Server]:
    with start_sink() as server:
        yield server


@pytest.fixture(scope="session")
def plain_sink() -> Iterator[Server]:
    """One without PIPELINING."""
    with start_sink(Way.STEPWISE) as server:
        yield server


@pytest.fixture
def sender(tmp_path: Path, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sender]:
    """Somebody who has readers, and trusts the certificates of the tests."""
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with Sender.at(tmp_path) as sender:
        yield sender
