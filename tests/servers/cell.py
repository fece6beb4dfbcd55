"""Programs of servers that cannot be installed side by side, and folders that such a server takes for the machine."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import pytest

UNPACKED = Path("/var/cache/dispatcher-tests/servers")  # .ci/run unpacks Debian's packages here
_SHARED_OBJECT = re.compile(r"(/\S+) \(0x")


def program(package: str, path: str) -> Path:
    """Where a program of a Debian package is, unpacked or installed; without it the test skips."""
    found = next((each for each in (UNPACKED / package / path, Path("/") / path) if each.exists()), None)
    if found is None:
        absent(f"{package} (.ci/run fetches it)")
    if os.geteuid() != 0:
        absent(f"the right to start {package} (root)")
    return found


def furnish(cell: Path, programs: Sequence[Path], root: Path, users: Mapping[str, int]) -> None:
    """Puts programs below `root` and their libraries into a folder that a server takes for the machine, with users."""
    for folder in ("etc", "dev", "tmp", "log", "usr", "run", "var"):
        (cell / folder).mkdir()
    (cell / "tmp").chmod(0o1777)
    (cell / "var/run").symlink_to("/run")
    for name in ("bin", "sbin", "lib", "lib64"):
        (cell / "usr" / name).mkdir()
        (cell / name).symlink_to(f"usr/{name}")
    (cell / "dev/null").touch()  # a plain file does, and needs no right to make devices
    (cell / "dev/null").chmod(0o666)
    people = {"root": 0, "nobody": 65534, **users}
    (cell / "etc/passwd").write_text("".join(f"{name}:x:{uid}:{uid}::/:/bin/false\n" for name, uid in people.items()))
    (cell / "etc/group").write_text("".join(f"{name}:x:{uid}:\n" for name, uid in people.items()))
    (cell / "etc/hosts").write_text("127.0.0.1 localhost\n")
    wanted = {each: each.relative_to(root) for each in programs}
    for each in programs:
        told = subprocess.run(["ldd", str(each)], capture_output=True, text=True, timeout=30, check=True).stdout
        wanted |= {Path(found): Path(found).relative_to("/") for found in _SHARED_OBJECT.findall(told)}
    for source, target in wanted.items():
        (cell / target).parent.mkdir(parents=True, exist_ok=True)
        if not (cell / target).exists():
            shutil.copy(source, cell / target)


@contextlib.contextmanager
def running(command: Sequence[str | Path], said: Path, port: int) -> Iterator[None]:
    """A server in the foreground, from its greeting until the block ends; what it prints goes into `said`."""
    with said.open("ab") as out, subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out) as server:
        try:
            wait_for_greeting(port, lambda: f"{command}: {server.poll()}\n{said.read_text(errors='replace')[-3000:]}")
            yield
        finally:
            server.terminate()
            server.wait(20)


def wait_for_greeting(port: int, excuse: Callable[[], str]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            if connection.recv(100).startswith(b"220 "):
                connection.sendall(b"QUIT\r\n")
                connection.recv(100)
                return
        time.sleep(0.02)
    pytest.fail(f"the server did not start:\n{excuse()}")


def free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as listening:
        sockets = [listening.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [each.getsockname()[1] for each in sockets]


def absent(what: str) -> NoReturn:
    """A test that needs what this machine lacks skips and says so; in CI that is a failure."""
    if os.environ.get("DISPATCHER_TESTS_REQUIRE_ALL") == "1":
        pytest.fail(f"{what} is missing on this machine")
    pytest.skip(f"{what} is missing on this machine")
