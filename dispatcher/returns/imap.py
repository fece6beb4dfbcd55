"""Takes returned mail from an IMAP mailbox: now, or as it arrives; what was dealt with is marked as read, or moved.

What is not understood stays unread for a person; a keyword of ours keeps it from being fetched again.
"""

import contextlib
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError, LoginError

from dispatcher.errors import RelayUnusable, SettingsWrong, Unfinished
from dispatcher.returns.sources import MOST_BYTES, Found

_SEEN, _OURS = "\\Seen", "$DispatcherLeft"
_TIMEOUT = 60  # seconds for one answer
_IDLE_FOR = 540  # seconds; servers end it after 30 minutes, routers earlier
_ATTEMPTS = 5  # to reach a server that was lost, before giving up
_LONGEST_PAUSE = 60.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ImapMailbox:
    """Where to read; `move_to` is the folder for what was dealt with, None leaves it where it is, as read."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    uses_tls: bool
    folder: str = "INBOX"
    move_to: str | None = None

    def __str__(self) -> str:
        return f"imap{'s' if self.uses_tls else ''}://{self.host}:{self.port}/{self.folder}"


def read_imap_url(url: str, password: str | None) -> ImapMailbox:
    """`imaps://user@host/INBOX?move=Done`; plaintext is `imap://user@127.0.0.1:143?tls=none`. Raises SettingsWrong."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise SettingsWrong("inbox: the URL cannot be read; write it as imaps://user@host/INBOX") from error
    options = dict(parse_qsl(parts.query))
    if parts.password is not None:
        raise SettingsWrong("inbox: a password does not belong into the URL; put it into DISPATCHER_INBOX_PASSWORD")
    if not parts.hostname or not parts.username or not options.keys() <= {"move", "tls"}:
        raise SettingsWrong("inbox: write the URL as imaps://user@host/INBOX, perhaps with ?move=FOLDER")
    if parts.scheme == "imap" and options.get("tls") != "none":
        raise SettingsWrong("inbox: imap:// is plaintext; use imaps://, or say ?tls=none")
    if not password:
        raise SettingsWrong(f"inbox: no password for {unquote(parts.username)}; set DISPATCHER_INBOX_PASSWORD")
    uses_tls = parts.scheme == "imaps"
    return ImapMailbox(
        host=parts.hostname,
        port=port or (993 if uses_tls else 143),
        user=unquote(parts.username),
        password=password,
        uses_tls=uses_tls,
        folder=unquote(parts.path.strip("/")) or "INBOX",
        move_to=options.get("move"),
    )


def mails_over_imap(
    mailbox: ImapMailbox, *, watches: bool = False, explains: bool = False, pause: Callable[[float], None] = time.sleep
) -> Iterator[Found]:
    """What is unread; with `watches` also what arrives later, for ever. A lost connection is opened again.

    Raises RelayUnusable for a login that is refused, Unfinished when the server stays away.
    """
    failures = 0
    while True:
        try:
            with _opened(mailbox, explains=explains) as client:
                seen: set[int] = set()
                while True:
                    for uid in sorted(set(client.search(_wanted(explains=explains))) - seen):
                        seen.add(uid)
                        if (found := _fetch(client, mailbox, uid)) is not None:
                            yield found
                        failures = 0
                    if not watches:
                        return
                    _wait(client)
        except LoginError as error:
            raise RelayUnusable(f"{mailbox}: the login is refused; correct the user or the password") from error
        except (IMAPClientError, OSError) as error:
            failures += 1
            if failures >= _ATTEMPTS and not watches:
                raise Unfinished(f"{mailbox}: {_reason(error)}; run it again, nothing is lost") from error
            pause(min(2.0 ** (failures - 1), _LONGEST_PAUSE))


@contextlib.contextmanager
def _opened(mailbox: ImapMailbox, *, explains: bool) -> Iterator[IMAPClient]:
    context = ssl.create_default_context() if mailbox.uses_tls else None
    client = IMAPClient(mailbox.host, mailbox.port, ssl=mailbox.uses_tls, ssl_context=context, timeout=_TIMEOUT)
    try:
        client.login(mailbox.user, mailbox.password)
        if mailbox.move_to and not explains and not client.folder_exists(mailbox.move_to):
            client.create_folder(mailbox.move_to)
        client.select_folder(mailbox.folder, readonly=explains)
        yield client
    finally:
        with contextlib.suppress(IMAPClientError, OSError):
            client.logout()
        with contextlib.suppress(IMAPClientError, OSError):
            client.shutdown()


def _wanted(*, explains: bool) -> list[str]:
    return ["UNSEEN"] if explains else ["UNSEEN", "UNKEYWORD", _OURS]


def _fetch(client: IMAPClient, mailbox: ImapMailbox, uid: int) -> Found | None:
    part = f"BODY.PEEK[]<0.{MOST_BYTES}>"
    answer = client.fetch([uid], [part]).get(uid)
    if answer is None:  # somebody took it away
        return None
    raw = next((value for key, value in answer.items() if key.startswith(b"BODY[]")), b"")

    def done() -> None:
        with contextlib.suppress(IMAPClientError, OSError):  # then it is read once more, which changes nothing
            _put_away(client, mailbox, uid)

    def left() -> None:
        with contextlib.suppress(IMAPClientError, OSError):  # servers without keywords show it to us again
            client.add_flags([uid], [_OURS])

    return Found(name=f"{mailbox.folder};UID={uid}", raw=bytes(raw or b""), done=done, left=left)


def _put_away(client: IMAPClient, mailbox: ImapMailbox, uid: int) -> None:
    client.add_flags([uid], [_SEEN])
    if mailbox.move_to is None:
        return
    if client.has_capability("MOVE"):
        client.move([uid], mailbox.move_to)
    else:
        client.copy([uid], mailbox.move_to)
        client.delete_messages([uid])
        client.expunge([uid])


def _wait(client: IMAPClient) -> None:
    """Until something may have arrived: told by the server, or after a while."""
    if not client.has_capability("IDLE"):
        time.sleep(_LONGEST_PAUSE)
        client.noop()
        return
    client.idle()
    client.idle_check(timeout=_IDLE_FOR)
    client.idle_done()


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
