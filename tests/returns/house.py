"""A newsletter whose issue went to the standing cast, and what servers send back about it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

from sqlalchemy import update

from dispatcher.config import Settings, load_settings
from dispatcher.models import Kind, Outcome, Reply, State
from dispatcher.recipes.inbox import Reading, read_inbox
from dispatcher.recipes.newsletter import open_newsletter
from dispatcher.storage.database import Database, now
from dispatcher.storage.dossiers import dossier
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.mailings import Mailing
from dispatcher.storage.pen import Claim
from dispatcher.storage.schema import delivery
from dispatcher.storage.standing import Cause
from dispatcher.storage.subscribers import find_list
from dispatcher.storage.suppressions import find_suppression
from dispatcher.tokens import Keyring, LeaveToken, ReturnToken, sign_leave, sign_return
from tests.newsletter import PYPROJECT
from tests.storage.books import SQLITE, enlist, freeze_to

ANN, BOB, CLEO, DAN, EVE = CAST = tuple(f"{name}@example.com" for name in ("ann", "bob", "cleo", "dan", "eve"))
OK = Reply(code=250, text="2.0.0 queued as 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One reader's copy, as far as servers see it."""

    email: str
    return_path: str
    leave_token: str
    message_id: str
    delivery_id: int

    @property
    def header(self) -> str:
        return (
            f"Return-Path: <{self.return_path}>\nFrom: Test Letter <letter@example.org>\nTo: {self.email}\n"
            f"Subject: Test Letter\nMessage-ID: <{self.message_id}>\n"
            f"List-Unsubscribe: <http://127.0.0.1:8029/u/{self.leave_token}>\n"
        )


class House:
    """The folder, its database, and its inbox."""

    def __init__(self, folder: Path, *more: str, database: str = SQLITE) -> None:
        folder.mkdir()
        (folder / "pyproject.toml").write_text(PYPROJECT)
        self.settings: Settings = load_settings(
            folder, {"DISPATCHER_DATABASE": database, "DISPATCHER_SECRET": "s" * 40}
        )
        self.inbox = folder / "inbox"
        for name in ("new", "cur", "tmp"):
            (self.inbox / name).mkdir(parents=True)
        with open_newsletter(self.settings) as newsletter:
            enlist(newsletter.database, *CAST, *more)
        self._count = 0

    def send(
        self, issue: int = 29, *, days_ago: float = 1, outcomes: dict[str, Outcome | State] | None = None,
        kind: Kind = Kind.LIVE,
    ) -> dict[str, Copy]:  # fmt: skip
        """Sends an issue to all; `outcomes` says for whom it ended otherwise than sent."""
        at = now() - timedelta(days=days_ago)
        with open_newsletter(self.settings) as newsletter:
            mailing = freeze_to(newsletter.database, issue=issue, kind=kind)
            ledger = Ledger(newsletter.database, mailing)
            copies = {}
            for row in ledger.queued(after=0, limit=100):
                email = row.subscriber.email
                ended = (outcomes or {}).get(email, State.SENT)
                copies[email] = self._copy(newsletter.keyring, newsletter.database, row.id, row.subscriber.id,
                                           row.subscriber.ref, email, row.message_id)  # fmt: skip
                if ended is State.QUEUED:
                    continue
                ledger.commit([], [Claim(delivery_id=row.id, at=at)])
                if not isinstance(ended, Outcome):
                    reply = OK if ended is State.SENT else None
                    ended = Outcome(delivery_id=row.id, state=ended, reply=reply, reason=None if reply else "lost")
                ledger.commit([_with_id(ended, row.id)], [])
            ledger.close()
            self._date(newsletter.database, mailing, at)
        return copies

    def receive(self, *mails: bytes) -> list[Reading]:
        """Puts mails into the Maildir and reads it."""
        for mail in mails:
            self._count += 1
            (self.inbox / "new" / f"{self._count:06}.mail").write_bytes(mail)
        return list(read_inbox(self.settings, str(self.inbox)))

    def kept_away(self, *who: str) -> dict[str, Cause]:
        """Who of the cast, or of others, is kept from all lists, and why."""
        with open_newsletter(self.settings) as newsletter:
            found = {each: find_suppression(newsletter.database, newsletter.keyring, each) for each in who or CAST}
        return {email: suppression.cause for email, suppression in found.items() if suppression}

    def standings(self) -> dict[str, str]:
        with open_newsletter(self.settings) as newsletter:
            people = {each: dossier(newsletter.database, each) for each in CAST}
        return {email: person.memberships[0].state for email, person in people.items() if person}

    def _copy(
        self, keyring: Keyring, database: Database, delivery_id: int, subscriber_id: int, ref: int, email: str,
        message_id: str,
    ) -> Copy:  # fmt: skip
        list_id = find_list(database, "readers")
        assert list_id is not None
        token = sign_return(keyring, ReturnToken(delivery_id=delivery_id, ref=ref))
        return Copy(
            email=email,
            return_path=f"bounces+{token}@example.org",
            leave_token=sign_leave(keyring, LeaveToken(subscriber_id=subscriber_id, ref=ref, list_id=list_id)),
            message_id=message_id,
            delivery_id=delivery_id,
        )

    def _date(self, database: Database, mailing: Mailing, at: datetime) -> None:
        """Moves what has just been settled into the past."""
        with database.writing() as connection:
            dated = update(delivery).where(delivery.c.mailing_id == mailing.id, delivery.c.settled_at.is_not(None))
            connection.execute(dated.values(settled_at=at))


def _with_id(outcome: Outcome, delivery_id: int) -> Outcome:
    return replace(outcome, delivery_id=delivery_id)


FULL = ("5.2.2", "552 5.2.2 mailbox full")
SPAM = ("5.7.1", "550 5.7.1 rejected as spam")
DEAD = ("5.1.1", "550 5.1.1 user unknown")


def bounce(
    copy: Copy, why: tuple[str, str] = DEAD, *, to: str | None = None, recipient: str | None = None,
    returns: bool = True,
) -> bytes:  # fmt: skip
    """A report about a copy; without `returns` it holds nothing of the copy but the address it is sent to."""
    status, words = why
    original = copy.header if returns else "Subject: Test Letter\n"
    return f"""\
From: MAILER-DAEMON@mx.example.net
To: {to or copy.return_path}
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1

Your message could not be delivered.

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; {recipient or copy.email}
Action: failed
Status: {status}
Diagnostic-Code: smtp; {words}

--b1
Content-Type: text/rfc822-headers

{original}
--b1--
""".encode()


def complaint(copy: Copy, kind: str = "abuse") -> bytes:
    """A redacted feedback report: nothing but our own headers says whose copy it was."""
    original = copy.header.replace(copy.email, "redacted@example.net")
    return f"""\
From: feedback@fbl.example.net
To: abuse@example.org
Subject: FW: Test Letter
Content-Type: multipart/report; report-type=feedback-report; boundary="b1"

--b1

This is an email abuse report.

--b1
Content-Type: message/feedback-report

Feedback-Type: {kind}
Version: 1

--b1
Content-Type: message/rfc822

{original}
Dear reader

--b1--
""".encode()


def plain(sender: str, to: str, subject: str, text: str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message.set_content(text)
    return message.as_bytes()
