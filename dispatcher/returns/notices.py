"""Reads notices of failure that are written for people, by the way their senders write them.

Every mail server says it in its own words, but in few shapes: the address on a line of its own, with or without what
was said behind it; or in a sentence; or in the transcript of a session. Where the returned message begins, the notice
ends.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dispatcher.returns.addresses import addresses_in, same
from dispatcher.returns.mail import Mail
from dispatcher.returns.phrases import cause_in
from dispatcher.returns.wordings import formats, wording

_MOST_LINES = 400
_MOST_ADDRESSES = 100
_MOST_TEXT = 20_000  # characters that are searched for how the notice is worded


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """The text of a notice, and the returned message that stands below it as text, if any."""

    text: str
    returned: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """An address that a notice names, and what it says of it."""

    address: str
    said: str


_REPLY_LINE = re.compile(r"(?im)^[ \t]{0,12}(?:received )?(?:[<>]{3})?[ \t<]{0,12}[45]\d\d[ -](?:[45]\.\d|- |<)")
_ROLE = re.compile(r"(?i)(?:post_?master|mailer-daemon|abuse|noreply|no-reply)@")

_RETURNED_BEGINS = re.compile(
    r"(?im)^[ \t>]{0,6}(?:"
    r"[^\w\n]{0,40}(?:this|below|enclosed|included|following|here|attached)\b(?: \S+){0,5}?"
    r"[ \t]+(?:copy|headers?|original|contents?|text|first \S+ lines)\b(?: \S+){0,8}[^\w\n]{0,40}"
    r"|[^\w\n]{0,60}(?:the )?(?:header of the )?(?:original|unsent|returned|undelivered|failed|rejected)"
    r" (?:e?-?mail|message|msg)(?: text| headers?| info\w*| content| body| details)?"
    r"(?: (?:is )?(?:follow\w*|attached|below|included|returned))?[^\w\n]{0,80}"
    r"|[^\w\n]{0,60}message (?:headers?|text|body|contents?|source) (?:follows?|is)[^\w\n]{0,80}"
    r"|[^\w\n]{3,60}(?:message|header|mail|start of message)[^\w\n]{3,80}"
    r"|content-type: (?:message/rfc822|text/rfc822-headers).{0,80}"
    r")[ \t]*$"
)
_HEADER_BLOCK = re.compile(
    r"(?im)^(?:Received|Return-Path|DKIM-Signature|X-Google-[\w-]+|ARC-Seal):.*\n(?:(?:[ \t].*|[\w-]{2,40}:.*)\n){2}"
)

_OPENING = r"[\s*•<>\"'|\-–#=]{0,12}"
_ALONE = re.compile(
    rf"^{_OPENING}(?:recipient(?: address)?|address|to|user|failed address|e-?mail|error-for)?[:\s]{{0,3}}"
    r"[<\"'\[(]{0,2}$",
    re.IGNORECASE,
)
_BEHIND = re.compile(
    r"^[>\"'\])]{0,3}\s*(?:$|[:,;]|\.{1,3}\s|\.{0,3}$|\(|\[|\s-\s|on \w|\S{1,40} - |invalid|unknown|error|->|=>|<"
    r"|does|not|has|was|is|could)",
    re.IGNORECASE,
)
_SENT_BY = re.compile(r"(?i)(?:sent by|from|generated from|expanded from|contact)\s*:?\s*$")


def split(mail: Mail) -> Notice:
    """The notice in a mail, and the returned message that begins in its text, or that it has as a part."""
    text = mail.texts()
    ends = [found.start() for pattern in (_RETURNED_BEGINS, _HEADER_BLOCK) if (found := _late(pattern, text))]
    end = min(ends, default=len(text))
    return Notice(text=text[:end], returned=mail.returned() or text[end:])


def format_of(notice: Notice) -> str | None:
    return next((name for name, pattern in formats() if pattern.search(notice.text)), None)


def is_failure(mail: Mail, notice: Notice) -> bool:
    """Whether a mail without a report is a notice of failure: it says so, and looks like one."""
    if mail.first("x-failed-recipients"):
        return True
    sender, return_path = mail.first("from"), mail.first("return-path").strip()
    looks = (
        2 * bool(wording("notice", "daemon").search(sender)),
        bool(wording("notice", "machine").search(sender) or (not sender and return_path == "<>")),
        bool(wording("notice", "subject").search(mail.first("subject"))),
        format_of(notice) is not None,
        return_path == "<>" or mail.media_type == "multipart/report",
        bool(re.search(r"(?im)^(?:message-id|received|subject):", notice.returned)),
        bool(_REPLY_LINE.search(notice.text)),
        any(True for line in notice.text.splitlines()[:_MOST_LINES] for _ in _on_their_own(line)),
    )
    return sum(looks) >= 2 and _says_so(notice)


def _says_so(notice: Notice) -> bool:
    text = " ".join(notice.text[:_MOST_TEXT].split())
    return bool(wording("notice", "failure").search(text)) or cause_in(text) is not None


def is_delay(mail: Mail, notice: Notice) -> bool:
    """Whether a notice says that delivery is still tried."""
    text = mail.first("subject") + "\n" + notice.text[:_MOST_TEXT]
    return bool(wording("notice", "delay").search(text)) and not wording("notice", "given_up").search(text)


def named_in(notice: Notice, *, not_these: tuple[str, ...], only_alone: bool = False) -> list[Named]:
    """The recipients a notice names: those on lines of their own, else those in sentences, else in transcripts."""
    lines = notice.text.splitlines()[:_MOST_LINES]
    for look in (_on_their_own, _in_sentences, _where_it_came_from):
        found: list[tuple[int, str]] = []
        for number, line in enumerate(lines):
            if number and _SENT_BY.search(lines[number - 1]):
                continue
            for address in look(line):
                if not any(same(address, each) for each in [*not_these, *(known for _, known in found)]):
                    found.append((number, address))
        found = [each for each in found if not _ROLE.match(each[1])] or found
        if found:
            return list(_with_words(lines, found[:_MOST_ADDRESSES]))
        if only_alone:
            break
    return []


def words_about(notice: Notice, address: str) -> str:
    """What a notice says where it names an address; all it says where it does not name it."""
    lines = notice.text.splitlines()[:_MOST_LINES]
    near: list[str] = []
    for number, line in enumerate(lines):
        if address.casefold() in line.casefold():
            near += lines[max(0, number - 2) : number + 4]
    return "\n".join(near or lines)


def _late(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The first place behind the notice's own first words where a returned message may begin."""
    begin = len(text) - len(text.lstrip())
    return pattern.search(text, text.find("\n", begin) + 1 or len(text))


def _on_their_own(line: str) -> Iterator[str]:
    if len(line) > 1000 or wording("notice", "not_a_recipient").search(line):
        return
    found = next(addresses_in(line), None)
    if found is None:
        return
    before, _, behind = line.partition(found)
    if _ALONE.match(before) and _BEHIND.match(behind):
        yield found
        yield from (each for each in addresses_in(behind) if re.fullmatch(r"[\s,;<>\"']*", behind.partition(each)[0]))


def _in_sentences(line: str) -> Iterator[str]:
    if (
        len(line) <= 1000
        and not wording("notice", "not_a_recipient").search(line)
        and wording("notice", "about_one").search(line)
    ):
        yield from addresses_in(line)


def _where_it_came_from(line: str) -> Iterator[str]:
    """What a hidden address was made from, or whom the message was addressed to."""
    if len(line) <= 1000 and wording("notice", "came_from").search(line):
        yield from addresses_in(line)


def _with_words(lines: list[str], found: list[tuple[int, str]]) -> Iterator[Named]:
    """Each with the lines from its own to the next one's; these may say it in a transcript further down as well."""
    for index, (number, address) in enumerate(found):
        end = found[index + 1][0] if index + 1 < len(found) else min(number + 40, len(lines))
        own = "\n".join(lines[number : max(end, number + 1)])
        own = own.replace(address, " ", 1)
        yield Named(address=address, said=own.strip("<>\"' :\n"))
