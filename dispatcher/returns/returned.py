"""The nouns of returned mail: what a mail that came back is, whom it speaks of, and what that means for him."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Class(StrEnum):
    """What a mail that arrived at the return path is."""

    BOUNCE = "bounce"  # not delivered, and not tried again; not a promise that the address is dead
    DELAY = "delay"  # not delivered yet; still tried
    DELIVERED = "delivered"  # delivered or passed on; not a promise that anybody reads it
    COMPLAINT = "complaint"  # about us, by a reader or a receiver; `feedback_type` says which kind
    AUTO_REPLY = "auto-reply"  # a machine answers for a person; says nothing about the address
    UNSUBSCRIBE = "unsubscribe"  # somebody wants to leave; only a token says who
    REPLY = "reply"  # a person wrote
    UNKNOWN = "unknown"  # nothing that we understand


class Verdict(StrEnum):
    """What a failed delivery means for the reader."""

    DEAD = "dead"  # nobody is there, and nobody will be
    TRANSIENT = "transient"  # full, asleep, broken: may work again
    SENDER = "sender"  # we are refused, not the reader: who we are, how much or what we send


class Cause(StrEnum):
    """Why a delivery failed; the verdict follows from it."""

    UNKNOWN_USER = "unknown user"
    UNKNOWN_HOST = "unknown host"
    MOVED = "moved"
    TAKES_NO_MAIL = "takes no mail"
    FULL = "mailbox full"
    DISABLED = "mailbox disabled"
    FILTERED = "filtered"  # the reader or his receiver does not want this message, as it seems
    EXPIRED = "expired"
    NETWORK = "network"
    SYSTEM = "receiver's system"
    OTHER = "other"
    AUTHENTICATION = "authentication"  # SPF, DKIM, DMARC
    REPUTATION = "reputation"  # block lists, reverse DNS, banned addresses
    RATE = "rate"
    SPAM = "spam"
    VIRUS = "virus"
    CONTENT = "content"
    TOO_LARGE = "too large"
    RELAYING = "relaying"
    PROTOCOL = "protocol"
    TLS = "TLS"
    SENDER = "sender address"
    POLICY = "policy"


_DEAD = {Cause.UNKNOWN_USER, Cause.UNKNOWN_HOST, Cause.MOVED, Cause.TAKES_NO_MAIL}
_TRANSIENT = {
    Cause.FULL, Cause.DISABLED, Cause.FILTERED, Cause.EXPIRED, Cause.NETWORK, Cause.SYSTEM, Cause.OTHER,
}  # fmt: skip


def verdict_on(cause: Cause) -> Verdict:
    if cause in _DEAD:
        return Verdict.DEAD
    return Verdict.TRANSIENT if cause in _TRANSIENT else Verdict.SENDER


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One address that a mail speaks of."""

    address: str  # as it is written there
    status: str | None = None  # RFC 3463: "5.1.1"
    reply: str | None = None  # of the receiving server: "550"
    cause: Cause | None = None  # None where nothing failed
    said: str = ""  # the server's own words, one line
    evidence: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict | None:
        return verdict_on(self.cause) if self.cause else None

    @property
    def is_hard(self) -> bool:
        return self.verdict is Verdict.DEAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """One mail that came back, understood as far as it goes."""

    kind: Class
    recipients: tuple[Recipient, ...] = ()
    feedback_type: str | None = None  # of a complaint: "abuse"; lower case
    addressed_to: tuple[str, ...] = ()  # where it arrived; a return path may be among them
    original: Mapping[str, str] = field(default_factory=dict)  # headers of ours that it returns, lower-case names
    evidence: tuple[str, ...] = ()
