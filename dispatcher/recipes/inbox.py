"""The recipe of `dispatcher inbox`: each mail that came back is read, traced to its delivery, decided about, once."""

import hashlib
import re
import sys
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from dispatcher.config import Settings
from dispatcher.delivery import maildir
from dispatcher.errors import NotFound, SettingsWrong, Unfinished
from dispatcher.recipes.newsletter import Newsletter, open_newsletter, secrets_of
from dispatcher.recipes.pausing import pause_where_too_much_came_back
from dispatcher.recipes.refusals import arrival_of, settle_refusals
from dispatcher.returns import policy
from dispatcher.returns.parse import parse
from dispatcher.returns.returned import Class, Recipient, Returned
from dispatcher.returns.sources import Found, is_imap, is_there, mails_in
from dispatcher.returns.traces import find_traces
from dispatcher.storage.database import Database, find_database, is_file, now
from dispatcher.storage.returns import Action, Sending, Settled, settle_return
from dispatcher.tokens import Keyring

_UNDERSTOOD = {Class.BOUNCE, Class.DELAY, Class.DELIVERED, Class.COMPLAINT, Class.AUTO_REPLY, Class.UNSUBSCRIBE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One mail, what it is, and what came of it."""

    name: str
    returned: Returned
    settled: Settled | None

    @property
    def is_left(self) -> bool:
        """Whether it is for the editor to read."""
        return self.returned.kind not in _UNDERSTOOD

    def plain(self) -> dict[str, object]:
        sending = self.settled.sending if self.settled else None
        return {
            "file": self.name,
            "class": self.returned.kind.value,
            "recipients": [_plain_recipient(each) for each in self.returned.recipients],
            "feedback_type": self.returned.feedback_type,
            "delivery": _plain_sending(sending) if sending else None,
            "evidence": list(self.returned.evidence),
            "action": self.settled.action.value if self.settled else None,
        }

    def line(self) -> str:
        about = "; ".join(
            " ".join(filter(None, (each.address, each.status, each.cause and f"({each.cause.value})", each.verdict)))
            for each in self.returned.recipients
        )
        return f"{self.name}: {self.returned.kind.value}{f': {about}' if about else ''}"


def inbox_of(settings: Settings) -> str:
    """Where returned mail lies by the settings. Raises SettingsWrong."""
    if settings.inbox is None:
        path = settings.folder / "pyproject.toml"
        raise SettingsWrong(f"{path}: inbox is not set; set it to the Maildir of the return path, or name a source")
    return settings.inbox if is_imap(settings.inbox) else str(settings.folder / settings.inbox)


def returned_folder(settings: Settings) -> Path:
    """The Maildir in which mail from standard input is left for the editor."""
    return settings.folder / "returned"


def explain(settings: Settings | None, source: str) -> Iterator[Reading]:
    """What each mail is and what would come of it; changes nothing at all. Raises NotFound."""
    mails = _mails(settings, source, explains=True)
    database = _existing_database(settings)
    try:
        keyring = _existing_keyring(settings, database) if settings and database else None
        for found in mails:
            if database and keyring and settings:
                returned, settled = _settle(database, keyring, settings.bounce_address, found.raw, at=now(), dry=True)
                yield Reading(name=found.name, returned=returned, settled=settled)
            else:
                yield Reading(name=found.name, returned=parse(found.raw), settled=None)
    finally:
        if database:
            database.close()


def read_inbox(
    settings: Settings, source: str, *, watches: bool = False, but_not: Container[str] = ()
) -> Iterator[Reading]:
    """Reads and acts; with `watches` for as long as an IMAP mailbox is there. `but_not` names mails to pass over.

    Raises NotFound, SettingsWrong, LedgerFailed, RelayUnusable, Unfinished.
    """
    mails = _mails(settings, source, watches=watches)
    began = now()
    with open_newsletter(settings) as newsletter:
        settle_refusals(newsletter)
        for found in mails:
            if found.name in but_not:
                continue
            if source == "-":  # who piped it to us has no copy once we end well
                found = replace(found, left=partial(_keep, returned_folder(settings), found.raw))  # noqa: PLW2901
            reading = read_one(newsletter, found)
            if watches and reading.returned.kind in {Class.BOUNCE, Class.COMPLAINT}:  # there may be no end to wait for
                pause_where_too_much_came_back(newsletter.database, began)
            yield reading
        pause_where_too_much_came_back(newsletter.database, began)


def read_one(newsletter: Newsletter, found: Found) -> Reading:
    """One mail: what was understood is marked as done, the rest is left for the editor. Raises NotFound."""
    address = newsletter.settings.bounce_address
    returned, settled = _settle(newsletter.database, newsletter.keyring, address, found.raw, at=now())
    reading = Reading(name=found.name, returned=returned, settled=settled)
    try:
        (found.left if reading.is_left else found.done)()
    except OSError as error:
        raise NotFound(
            f"{error.filename}: {error.strerror}; a mail that is dealt with is marked as read there"
        ) from error
    return reading


def _keep(folder: Path, raw: bytes) -> None:
    """Once, however often it is piped to us. Raises Unfinished, by which a mail server tries again."""
    name = _fingerprint(raw)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        maildir.open_maildir(folder)
        if maildir.find(folder, name) is None:
            maildir.store(folder, name, raw)
    except OSError as error:
        raise Unfinished(
            f"{error.filename or folder}: {error.strerror}; mail that is left for you is kept there, try again"
        ) from error


@dataclass(slots=True)
class Tally:
    """What a pass over an inbox came to."""

    kinds: Counter[Class] = field(default_factory=Counter)
    actions: Counter[Action] = field(default_factory=Counter)
    read_before: int = 0

    def add(self, reading: Reading) -> None:
        self.kinds[reading.returned.kind] += 1
        if reading.settled is not None and reading.settled.is_news:
            self.actions[reading.settled.action] += 1
        self.read_before += reading.settled is not None and not reading.settled.is_news

    def sentence(self) -> str:
        told = [f"{count:,} {_SPOKEN[kind][count != 1]}" for kind, count in self.kinds.most_common()]
        done = [f"{count:,} {action}" for action, count in self.actions.most_common() if action is not Action.NOTHING]
        known = [f"{self.read_before:,} read before"] if self.read_before else []
        return f"{', '.join(told) or 'no mail'}: {', '.join([*done, *known]) or 'nobody is affected'}"


_SPOKEN = {
    Class.BOUNCE: ("bounce", "bounces"),
    Class.DELAY: ("delay", "delays"),
    Class.DELIVERED: ("delivery notice", "delivery notices"),
    Class.COMPLAINT: ("complaint", "complaints"),
    Class.AUTO_REPLY: ("automatic reply", "automatic replies"),
    Class.UNSUBSCRIBE: ("wish to leave", "wishes to leave"),
    Class.REPLY: ("reply, left for you", "replies, left for you"),
    Class.UNKNOWN: ("mail not understood, left for you", "mails not understood, left for you"),
}


def _settle(
    database: Database, keyring: Keyring, bounce_address: str | None, raw: bytes, *, at: datetime, dry: bool = False
) -> tuple[Returned, Settled]:
    returned = parse(raw)
    traces = find_traces(keyring, raw, returned, bounce_address)
    if traces.is_addressed_to_leave and returned.kind in {Class.REPLY, Class.AUTO_REPLY, Class.UNKNOWN}:
        returned = replace(returned, kind=Class.UNSUBSCRIBE, evidence=("sent to an address to leave",))
    arrival = arrival_of(_fingerprint(raw), returned.kind, returned, at)
    decide = partial(policy.decide, returned, traces, now=at)
    return returned, settle_return(database, keyring, traces, arrival, decide, dry=dry)


def _fingerprint(raw: bytes) -> str:
    """The same for the same mail whatever its line ends, and however often a server stamped it on its way."""
    text = raw.replace(b"\r\n", b"\n")
    head, _, body = text.partition(b"\n\n")
    kept = re.sub(
        rb"(?im)^(?:received|delivered-to|x-original-to|return-path|from )[^\n]*\n(?:[ \t][^\n]*\n)*", b"", head + b"\n"
    )
    return hashlib.sha256(kept + b"\n" + body).hexdigest()


def _mails(settings: Settings | None, source: str, *, watches: bool = False, explains: bool = False) -> Iterator[Found]:
    if is_imap(source):
        from dispatcher.returns.imap import mails_over_imap, read_imap_url  # noqa: PLC0415  slow, and for few

        mailbox = read_imap_url(source, settings.inbox_password if settings else None)
        return mails_over_imap(mailbox, watches=watches, explains=explains)
    if watches:
        raise SettingsWrong(f"{source}: only an IMAP mailbox can be watched; run `dispatcher inbox` now and then")
    path = Path(source)
    if not is_there(path):
        raise NotFound(f"{source}: no such file or folder that can be read; name a Maildir, an mbox, a mail, or -")
    return _readable(path, mails_in(path, sys.stdin.buffer))


def _readable(source: Path, mails: Iterator[Found]) -> Iterator[Found]:
    try:
        yield from mails
    except OSError as error:
        raise NotFound(f"{error.filename or source}: {error.strerror}; its mails must be readable") from error


def _existing_database(settings: Settings | None) -> Database | None:
    return None if settings is None else find_database(settings.database, settings.folder)


def _existing_keyring(settings: Settings, database: Database) -> Keyring | None:
    if not settings.secrets and is_file(settings.database) and not (settings.folder / "dispatcher.key").exists():
        return None
    return Keyring(secrets=secrets_of(settings), instance=database.instance)


def _plain_recipient(recipient: Recipient) -> dict[str, object]:
    return {
        "address": recipient.address,
        "status": recipient.status,
        "reply": recipient.reply,
        "reason": recipient.cause.value if recipient.cause else None,
        "hard": recipient.is_hard,
        "verdict": recipient.verdict.value if recipient.verdict else None,
        "evidence": list(recipient.evidence),
    }


def _plain_sending(sending: Sending) -> dict[str, object]:
    return {
        "id": sending.delivery_id,
        "issue": sending.issue,
        "address": sending.address_key,
        "state": sending.state.value,
        "message_id": f"<{sending.message_id}>",
    }
