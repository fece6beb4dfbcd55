"""A fast SMTP sink for loopback: takes mail, counts and drops it, keeps a journal, and fails as it is asked to.

    python -m tests.sink --port 2525
    python -m tests.sink --offers PIPELINING,CHUNKING,SIZE --lax                      # as fast as it can be
    python -m tests.sink --odds keep=0.01,reset=0.01,refusal=0.1,banner=0.05 --seed 7
    python -m tests.sink --reply 'rcpt=550 5.7.1 no' · --hold dot:100 · --delay 0.003 · --connections 8

SIGUSR1 makes it forget its faults. It ends with SIGTERM, with ^C, or with whoever holds its standard input, if that is
a pipe.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import uvloop

from tests.sink.conversation import Conversation, Hold, Rules
from tests.sink.faults import Fault, Storm

OFFERS = "PIPELINING,SIZE 36700160,8BITMIME,SMTPUTF8,ENHANCEDSTATUSCODES,DSN"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.sink", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--journal", type=Path, help="a file that gets a line for each event")
    parser.add_argument("--offers", default=OFFERS, help="what EHLO announces, by commas; empty: nothing")
    parser.add_argument("--connections", type=int, help="at once; those beyond are greeted with 421")
    parser.add_argument("--receive-buffer", type=int, help="bytes; a small one leaves a content with the sender")
    parser.add_argument("--lax", action="store_true", help="do not look for bare CR and LF and early dots")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds between a content and its reply")
    parser.add_argument("--hold", help="STAGE or STAGE:TAKEN: from so many messages on, be silent there")
    parser.add_argument("--reply", action="append", default=[], help="STAGE=TEXT: for everybody")
    parser.add_argument("--odds", default="", help=f"FAULT=ODDS by commas, of: {' '.join(Fault)}")
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()

    stage, _, after = (told.hold or "").partition(":")
    odds = dict(each.split("=") for each in told.odds.split(",") if each)
    rules = Rules(
        offers=tuple(each for each in told.offers.split(",") if each),
        note=_journal(told.journal),
        storm=Storm(seed=told.seed, odds={Fault(name): float(value) for name, value in odds.items()}),
        replies=dict(each.split("=", 1) for each in told.reply),
        hold=Hold(stage=stage, after=int(after or 0)) if stage else None,
        delay=told.delay,
        is_strict=not told.lax,
        most_connections=told.connections,
    )
    uvloop.run(_serve(rules, told.port, told.receive_buffer))


def _journal(path: Path | None) -> Callable[..., None]:
    """Each line is written when the event happens, before the client hears of it."""
    if path is None:
        return lambda *_: None
    descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    def note(what: str, connection: int, *more: str) -> None:
        os.write(descriptor, json.dumps((what, connection, *more)).encode() + b"\n")

    return note


async def _serve(rules: Rules, port: int, receive_buffer: int | None) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)

    def calm() -> None:
        rules.forget_faults()
        rules.note("calm", 0)

    loop.add_signal_handler(signal.SIGUSR1, calm)
    listening = _listen(port, receive_buffer)
    server = await loop.create_server(lambda: Conversation(rules), sock=listening, backlog=1024)
    print(listening.getsockname()[1], flush=True)
    if stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
        loop.add_reader(sys.stdin.fileno(), ended.set)  # nothing is ever written to it: it has ended
    await ended.wait()
    server.close()


def _listen(port: int, receive_buffer: int | None) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if receive_buffer is not None:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)  # connections inherit it
    listening.bind(("127.0.0.1", port))
    listening.setblocking(False)
    return listening


if __name__ == "__main__":
    main()
