"""A process that has imported the whole package and forks once for each command: what a start costs is paid once.

    with shared_zygote(meeting_place, learns_in=make_newsletter, env=env) as zygote:
        zygote.run(["send-issue", "29", "--yes"], folder=folder, env=env, answer="", timeout=60, limits={})
        with zygote.start(["dispatcher", "serve"], folder=folder, env=env, log=log) as server: ...

The fork is a process of its own with the arguments, folder, environment and streams of the command, and runs the entry
point that the installed script runs. What depends on how Python itself starts needs the script. The process has sent an
issue of a newsletter that nobody else uses, so that expressions, styles and statements are compiled once, too.
"""

import contextlib
import gc
import importlib
import io
import json
import logging
import os
import pkgutil
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn, Self

from tests.meeting import shared
from tests.statements import compile_once

_ROOT = Path(__file__).parents[1]
_LONGEST_REQUEST = 1 << 20
_LESSONS = (
    "dispatcher check 29", "dispatcher subscribers import subscribers/readers.csv --list readers",
    "send-issue 29 --staging", "send-issue 29 --yes", "dispatcher status 29", "dispatcher report 29",
    "dispatcher report 29 --format tsv", "dispatcher audit 29", "dispatcher worker --once",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Zygote:
    """Commands are forked by the process that listens at `address`."""

    address: str

    def run(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        env: Mapping[str, str],
        answer: str,
        timeout: float,
        limits: Mapping[int, int],
    ) -> subprocess.CompletedProcess[str]:
        """As subprocess.run with captured text; raises subprocess.TimeoutExpired."""
        with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            stdin.write(answer.encode())
            stdin.seek(0)
            with self._fork(command, folder, env, limits, [stdin, stdout, stderr]) as started:
                try:
                    code = started.wait(timeout)
                except subprocess.TimeoutExpired:
                    started.kill()
                    raise
            return subprocess.CompletedProcess(list(command), code, _text(stdout), _text(stderr))

    def start(self, command: Sequence[str], *, folder: Path, env: Mapping[str, str], log: BinaryIO) -> "Started":
        """As subprocess.Popen with nothing to read and all it says in one file."""
        with Path(os.devnull).open("rb") as nothing:
            return self._fork(command, folder, env, {}, [nothing, log, log])

    def _fork(
        self,
        command: Sequence[str],
        folder: Path,
        env: Mapping[str, str],
        limits: Mapping[int, int],
        streams: Sequence[BinaryIO],
    ) -> "Started":
        line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        line.connect(self.address)
        request = {"command": list(command), "folder": str(folder), "env": dict(env), "limits": list(limits.items())}
        socket.send_fds(line, [json.dumps(request).encode()], [stream.fileno() for stream in streams])
        return Started(list(command), line, pid=int(line.recv(32)))


@dataclass(slots=True)
class Started:
    """A forked command, spoken to as to a subprocess.Popen."""

    args: list[str]
    _line: socket.socket  # on which its end is told
    pid: int
    returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended; raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            self._line.settimeout(timeout)
            try:
                self.returncode = int(self._line.recv(32))
            except (TimeoutError, BlockingIOError) as error:
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from error
            self._line.close()
        return self.returncode

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()

    def __del__(self) -> None:
        self._line.close()  # of one that was killed, and never waited for


def _text(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n").replace("\r", "\n")  # as subprocess does it


@contextlib.contextmanager
def shared_zygote(
    meeting_place: Path, *, learns_in: Callable[[Path], object], env: Mapping[str, str]
) -> Iterator[Zygote]:
    """The zygote of all test processes; it sends issue 29 of the newsletter that `learns_in` makes in a folder."""

    def start() -> str:
        with tempfile.TemporaryDirectory() as folder:
            learns_in(Path(folder))
            command = [sys.executable, "-m", "tests.zygote", folder]
            done = subprocess.run(command, cwd=_ROOT, env=dict(env), stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout

    def stop(told: str) -> None:
        pid, address = told.split()
        os.kill(int(pid), signal.SIGKILL)
        shutil.rmtree(Path(address).parent)

    with shared(meeting_place, start=start, stop=stop) as told:
        yield Zygote(told.split()[1])


# --- the process itself ------------------------------------------------------------------------------------


def main() -> None:
    entry_points = {
        "send-issue": importlib.import_module("dispatcher.cli.send_issue").main,
        "dispatcher": importlib.import_module("dispatcher.cli.main").main,
    }
    package = importlib.import_module("dispatcher")
    for module in pkgutil.walk_packages(package.__path__, "dispatcher."):
        importlib.import_module(module.name)
    compile_once()
    _learn(Path(sys.argv[1]), entry_points)
    gc.freeze()
    nothing = os.open(os.devnull, os.O_RDWR)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who watch the commands
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        address = f"{tempfile.mkdtemp()}/door"
        door.bind(address)
        door.listen(64)
        if pid := os.fork():  # whoever started it may leave before it
            print(pid, address, flush=True)
            os._exit(0)
        for number in range(3):
            os.dup2(nothing, number)
        while True:
            line, _ = door.accept()
            if os.fork() == 0:
                door.close()
                _watch(line, entry_points)
            line.close()


def _learn(folder: Path, entry_points: Mapping[str, Callable[[], object]]) -> None:
    """Runs commands here, and leaves nothing of them but what is compiled and imported."""
    with contextlib.chdir(folder):
        for command in _LESSONS:
            sys.argv = command.split()
            said = io.StringIO()
            try:
                with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                    entry_points[sys.argv[0]]()
            except SystemExit as end:
                assert end.code == 0, said.getvalue()  # noqa: PT017  there is no test around it
    logging.getLogger("dispatcher").handlers.clear()


def _watch(line: socket.socket, entry_points: Mapping[str, Callable[[], object]]) -> NoReturn:
    """Forks the command and tells how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    request, streams, _, _ = socket.recv_fds(line, _LONGEST_REQUEST, 3)
    told = json.loads(request)
    pid = os.fork()
    if pid == 0:
        line.close()
        _become(told["command"], told["folder"], told["env"], told["limits"], streams, entry_points)
    line.send(str(pid).encode())
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):  # whoever asked has given up
        line.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _become(
    command: Sequence[str],
    folder: str,
    env: Mapping[str, str],
    limits: Sequence[tuple[int, int]],
    streams: Sequence[int],
    entry_points: Mapping[str, Callable[[], object]],
) -> NoReturn:
    """Is the command from here on, as if it had just been started."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    vars(sys)["__stdout__"] = sys.stdout
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    random.seed()
    for which, most in limits:
        resource.setrlimit(which, (most, most))
    sys.argv = list(command)
    code: object = 0
    try:
        entry_points[command[0]]()
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001  what Python itself would show
        traceback.print_exc()
        code = 1
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    main()
