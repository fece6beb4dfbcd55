"""The reference issue as `dispatcher render` wrote it when it was last accepted, byte for byte."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.content.reference_issue import REFERENCE
from tests.content.trees import ROOT

GOLDEN = Path(__file__).parent
THEMES = ("default", "letter")
ACCEPT = "python -m tests.content.golden --accept"

_SETTINGS = """\
[tool.dispatcher]
name = "Reference Letter"
from = "Reference Letter <letter@example.org>"
reply_to = "editor@example.org"
postal_address = "Reference Letter, 1 Example Street, Exampletown"
base_url = "https://letter.example.org"
bounce_address = "bounces+{token}@example.org"
"""

_OFFLINE = """\
import os, sys

def refuse(event, _):
    if event in {"socket.__new__", "socket.bind"}:  # as a library does on import, to see whether there is IPv6
        raise OSError("no sockets here")
    if event.startswith(("socket.get", "socket.connect", "socket.send")):
        print("this went to the network:", event, file=sys.stderr, flush=True)
        os._exit(1)

sys.addaudithook(refuse)
"""
_RENDER = "from dispatcher.cli.main import main; main()"


def rendered(folder: Path, theme: str, environment: Mapping[str, str]) -> dict[str, bytes]:
    """What the command makes of the reference issue in an empty folder; of a message only its header.

    It runs as a program with no other environment than the given one, and with every socket refused.
    """
    shutil.copytree(REFERENCE, folder, dirs_exist_ok=True)
    (folder / "pyproject.toml").write_text(f'{_SETTINGS}theme = "{theme}"\n', encoding="utf-8")
    done = run_offline(_RENDER, "render", "1", "--out", "out", folder=folder, environment=environment)
    assert done.returncode == 0, done.stderr
    written = {path.name: path.read_bytes() for path in (folder / "out").iterdir() if path.name != "manifest.json"}
    return {name: _header(content) if name.endswith(".eml") else content for name, content in written.items()}


def run_offline(
    program: str, *arguments: str, folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """A Python program that ends where it reaches for the network."""
    kept = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", _OFFLINE + program, *arguments],
        cwd=folder, env=kept | dict(environment), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def accepted(theme: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (GOLDEN / theme).iterdir()}


def _header(message: bytes) -> bytes:
    return message.partition(b"\r\n\r\n")[0] + b"\r\n"
