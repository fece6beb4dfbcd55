"""A process that has imported the whole package and forks once for each command: what a start costs is paid once.

    start() as zygote:
        zygote.run(["send-issue", "29", "--yes"], folder=folder, env=env, answer="", timeout=60)

The fork is a process of its own with the arguments, folder, environment and streams of the command, and runs the entry
point that the installed script runs. What depends on how Python itself starts needs the script.
"""

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import random
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
from typing import BinaryIO, NoReturn

_ROOT = Path(__file__).parents[1]
_LONGEST_REQUEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Zygote:
    """Commands are forked by the process that listens at `address`."""

    address: str

    def run(
        self, command: Sequence[str], *, folder: Path, env: Mapping[str, str], answer: str, timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """As subprocess.run with captured text; raises subprocess.TimeoutExpired."""
        with (
            tempfile.TemporaryFile() as stdin,
            tempfile.TemporaryFile() as stdout,
            tempfile.TemporaryFile() as stderr,
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line,
        ):
            stdin.write(answer.encode())
            stdin.seek(0)
            line.connect(self.address)
            request = json.dumps({"command": list(command), "folder": str(folder), "env": dict(env)}).encode()
            socket.send_fds(line, [request], [stdin.fileno(), stdout.fileno(), stderr.fileno()])
            pid = int(line.recv(32))
            line.settimeout(timeout)
            try:
                code = int(line.recv(32))
            except TimeoutError as error:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(list(command), timeout) from error
            return subprocess.CompletedProcess(list(command), code, _text(stdout), _text(stderr))


def _text(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n").replace("\r", "\n")  # as subprocess does it


@contextlib.contextmanager
def start() -> Iterator[Zygote]:
    """A zygote until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.zygote"],
        cwd=_ROOT,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    try:
        yield Zygote(process.stdout.readline().strip())
    finally:
        process.kill()
        process.communicate()


# --- the process itself ------------------------------------------------------------------------------------


def main() -> None:
    entry_points = {
        "send-issue": importlib.import_module("dispatcher.cli.send_issue").main,
        "dispatcher": importlib.import_module("dispatcher.cli.main").main,
    }
    package = importlib.import_module("dispatcher")
    for module in pkgutil.walk_packages(package.__path__, "dispatcher."):
        importlib.import_module(module.name)
    importlib.import_module("premailer")
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who watch the commands
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(f"{folder}/door")
        door.listen(64)
        print(f"{folder}/door", flush=True)
        while True:
            line, _ = door.accept()
            if os.fork() == 0:
                door.close()
                _watch(line, entry_points)
            line.close()


def _watch(line: socket.socket, entry_points: Mapping[str, Callable[[], object]]) -> NoReturn:
    """Forks the command and tells how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    request, streams, _, _ = socket.recv_fds(line, _LONGEST_REQUEST, 3)
    told = json.loads(request)
    pid = os.fork()
    if pid == 0:
        line.close()
        _become(told["command"], told["folder"], told["env"], streams, entry_points)
    line.send(str(pid).encode())
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):  # whoever asked has given up
        line.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _become(
    command: Sequence[str],
    folder: str,
    env: Mapping[str, str],
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
