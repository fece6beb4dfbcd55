"""Reads one returned mail: bytes in, what it is and whom it speaks of out; no input makes it raise or linger."""

from dispatcher.returns import notices, people, verdicts
from dispatcher.returns.addresses import addresses_in, same
from dispatcher.returns.amazon import read_notification
from dispatcher.returns.feedback import complained_about, read_feedback
from dispatcher.returns.mail import Mail, read_fields, take_apart
from dispatcher.returns.notices import Notice
from dispatcher.returns.returned import Class, Recipient, Returned
from dispatcher.returns.status_report import Block, blocks_of

_ARRIVED_AT = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-rcpt-to", "to", "cc")
_WENT_WELL = {"delivered", "relayed", "expanded"}
_MOST_FIELD = 2000
_GUESSED = "the returned message's To"
_FORWARDED = 2  # reports within reports within mails


def parse(raw: bytes, *, depth: int = 0) -> Returned:
    """What came back. Pure; reads the first two megabytes, 200 parts, 20 levels."""
    mail = take_apart(raw)
    notice = notices.split(mail)
    returned = _read(mail, notice)
    is_weak = returned.kind in {Class.UNKNOWN, Class.REPLY} or _GUESSED in returned.evidence
    if is_weak and mail.returned() and depth < _FORWARDED:
        inner = parse(mail.returned().encode("utf-8", "surrogateescape"), depth=depth + 1)
        if inner.kind in {Class.BOUNCE, Class.DELAY, Class.COMPLAINT}:
            returned = inner
    arrived = tuple(
        dict.fromkeys(each for value in mail.every(*_ARRIVED_AT) for each in addresses_in(value[:_MOST_FIELD]))
    )
    return Returned(
        kind=returned.kind,
        recipients=returned.recipients,
        feedback_type=returned.feedback_type,
        addressed_to=arrived,
        original=returned.original or _original(notice),
        evidence=returned.evidence,
    )


def _read(mail: Mail, notice: Notice) -> Returned:
    if feedback := read_feedback(mail):
        kind, fields = feedback
        original, _ = read_fields(notice.returned.lstrip("\n"))
        traces = {name: value for name, value in [*fields, *original] if name in {"original-mail-from", "feedback-id"}}
        return Returned(
            kind=Class.COMPLAINT,
            recipients=tuple(complained_about(fields, original)),
            feedback_type=kind,
            original=_original(notice) | traces,
            evidence=("feedback report",),
        )
    if notification := read_notification(mail.texts()):
        return notification
    if people.is_receipt(mail):
        return Returned(kind=Class.AUTO_REPLY, recipients=_sender(mail), evidence=("read receipt",))
    if blocks := blocks_of(mail):
        return _reported(blocks, mail, notice)
    if people.wants_to_leave(mail):
        return Returned(kind=Class.UNSUBSCRIBE, recipients=_sender(mail), evidence=("subject",))
    if notices.is_failure(mail, notice) and (recipients := _noticed(mail, notice)):
        kind = Class.DELAY if notices.is_delay(mail, notice) else Class.BOUNCE
        return Returned(kind=kind, recipients=recipients, evidence=recipients[0].evidence[:1])
    if people.is_automatic(mail):
        return Returned(kind=Class.AUTO_REPLY, recipients=_sender(mail), evidence=("automatic",))
    if people.is_from_a_person(mail):
        return Returned(kind=Class.REPLY, recipients=_sender(mail))
    return Returned(kind=Class.UNKNOWN)


def _reported(blocks: list[Block], mail: Mail, notice: Notice) -> Returned:
    """RFC 3464: failures count, then delays; 2.x.x is no failure whatever the action says."""
    failed = [each for each in blocks if each.action not in _WENT_WELL and not (each.status or "").startswith("2.")]
    if not failed:
        went_well = tuple(
            Recipient(address=each.address, status=each.status, said=each.diagnostic[:500])
            for each in blocks
            if each.address
        )
        return Returned(kind=Class.DELIVERED, recipients=went_well, evidence=("status report",))
    is_delay = all(each.action == "delayed" for each in failed) and not _has_failed(mail)
    kind = Class.DELAY if is_delay else Class.BOUNCE
    recipients: dict[str, Recipient] = {}
    for block in failed:
        address = block.address or next((each.address for each in _named(mail, notice)), None) or _only_reader(notice)
        if address and address.casefold() not in recipients:
            around = notices.words_about(notice, address)
            recipients[address.casefold()] = verdicts.judge(
                address, said=block.diagnostic, status=block.status, around=around, source="status report"
            )
    return Returned(kind=kind, recipients=tuple(recipients.values()), evidence=("status report",))


def _has_failed(mail: Mail) -> bool:
    """OpenSMTPD reports what it has given up as delayed; its subject says which."""
    return "notification: error" in mail.first("subject").lower()


def _noticed(mail: Mail, notice: Notice) -> tuple[Recipient, ...]:
    format_name = notices.format_of(notice) or "notice"
    addresses = [each for value in mail.every("x-failed-recipients") for each in addresses_in(value[:_MOST_FIELD])]
    named = _named(mail, notice, only_alone=bool(addresses))
    if confirmed := [each for each in named if any(same(each.address, address) for address in addresses)]:
        named = confirmed
    if named:
        several = len(named) > 1
        return tuple(
            verdicts.judge(
                each.address,
                said=each.said,
                around=notices.words_about(notice, each.address) if several else notice.text,
                source=format_name,
            )
            for each in named
        )
    if not addresses and (reader := _only_reader(notice)):
        addresses = [reader]
        format_name = _GUESSED
    return tuple(
        verdicts.judge(each, said="", around=notices.words_about(notice, each), source=format_name)
        for each in addresses
    )


def _named(mail: Mail, notice: Notice, *, only_alone: bool = False) -> list[notices.Named]:
    ours = {each for value in mail.every("to", "from") for each in addresses_in(value[:_MOST_FIELD])}
    original, _ = read_fields(notice.returned.lstrip("\n"))
    ours |= {each for name, value in original if name in {"from", "return-path"} for each in addresses_in(value[:500])}
    reader = _only_reader(notice)
    return notices.named_in(notice, not_these=tuple(each for each in ours if each != reader), only_alone=only_alone)


def _only_reader(notice: Notice) -> str | None:
    """Whom the returned message was for, if that is one person."""
    original, _ = read_fields(notice.returned.lstrip("\n"))
    to = [each for name, value in original if name == "to" for each in addresses_in(value[:_MOST_FIELD])]
    return to[0] if len(to) == 1 else None


def _original(notice: Notice) -> dict[str, str]:
    """The headers of the returned message, each once; they may stand some lines below the words that announce it."""
    fields, rest = read_fields(notice.returned.lstrip("\n"))
    tries = 0
    while len(fields) < 2 and rest and tries < 12:
        fields, rest = read_fields(rest.partition("\n")[2].lstrip("\n"))
        tries += 1
    original: dict[str, str] = {}
    for name, value in fields:
        original.setdefault(name, value[:_MOST_FIELD])
    return original


def _sender(mail: Mail) -> tuple[Recipient, ...]:
    return tuple(Recipient(address=each) for each in list(addresses_in(mail.first("from")[:_MOST_FIELD]))[:1])
