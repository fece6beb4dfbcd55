"""The recipes that mail no reader: rendering to files, the dry run, and a single test copy."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from dispatcher.audience.address import read_address
from dispatcher.audience.lists import STAGING, bring_up_to_date
from dispatcher.config import Settings
from dispatcher.content.merge import Unfilled
from dispatcher.content.message import (
    Copy,
    Skeleton,
    build_message,
    make_skeleton,
    merged_html,
    merged_text,
    neutral_reader,
)
from dispatcher.content.pictures import place_pictures
from dispatcher.content.source import Issue, find_issue, load_issue
from dispatcher.delivery.line import Parcel, line_to
from dispatcher.delivery.smtp import Refusal
from dispatcher.delivery.verdicts import judge
from dispatcher.desk import screen
from dispatcher.editions import Editions, check_fields, compose_editions, manifest
from dispatcher.errors import Fault, InputWrong, NotFound, RelayUnusable
from dispatcher.models import State, Subscriber
from dispatcher.newsletter import Newsletter, sample_copy, sample_return_path, sender_address, stays_here
from dispatcher.storage.mailings import find_subscriber, languages_of, readers, reserved_members
from dispatcher.storage.reports import observed_rate
from dispatcher.storage.subscribers import lists

_PAGE = 1000
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # dates what must be the same on every machine
_UNFINISHED, _IN_DOUBT = 75, 76


def render(settings: Settings, what: str, out: Path) -> list[Path]:
    """Writes each language's HTML, text and message, and a manifest of hashes; missing pictures become boxes.

    The same files give the same bytes on any machine. Returns what was written.
    """
    issue = _load(settings, what)
    for fault in (
        fault for draft in issue.drafts.values() for fault in place_pictures(draft.document, issue.folder)[1]
    ):
        screen.note(str(fault))
    editions = compose_editions(issue, settings, label_missing=True)
    written: dict[Path, bytes] = {}
    for language, edition in editions.by_language.items():
        skeleton = make_skeleton(edition)
        reader = neutral_reader(skeleton, language)
        copy = _sample(settings, reader, to=reader.email, number=issue.number, date=_EPOCH)
        links = {"unsubscribe_url": copy.unsubscribe_url, "view_url": copy.view_url}
        written[out / f"{language}.html"] = _filled(merged_html(skeleton, reader, **links)).encode()
        written[out / f"{language}.txt"] = _filled(merged_text(skeleton, reader, **links)).encode()
        written[out / f"{language}.eml"] = _built(skeleton, copy)
    written[out / "manifest.json"] = manifest(editions).encode()
    out.mkdir(parents=True, exist_ok=True)
    for path, content in written.items():
        path.write_bytes(content)
    return list(written)


def dry_run(newsletter: Newsletter, what: str, list_name: str | None, *, skip_bad_rows: bool) -> None:
    """Builds and parses back the message of every reader, and says what a send would do. Raises InputWrong."""
    settings, database = newsletter.settings, newsletter.database
    issue = _load(settings, what)
    editions = compose_editions(issue, settings)
    name = list_name or _list_of(issue, settings)
    imported = bring_up_to_date(database, settings.folder, name, skip_bad_rows=skip_bad_rows)
    for fault in imported.faults:
        screen.note(str(fault))
    begun = time.monotonic()
    built: Counter[str] = Counter()
    faults: list[str] = []
    octets = 0
    for language, spoken in _spoken(newsletter, editions, name).items():
        check_fields(database, settings, editions, name, {language: spoken})
        skeleton = make_skeleton(editions.by_language[language])
        after = 0
        while page := readers(database, name, spoken, after=after, limit=_PAGE):
            after = page[-1].id
            for reader in page:
                content = _built(skeleton, _sample(settings, reader, to=reader.email, number=issue.number, date=_EPOCH))
                faults += [f"{reader.email}: {defect}" for defect in _defects(content)]
                built[language] += 1
                octets += len(content)
    if faults:
        raise InputWrong([Fault(path=f"issue {issue.number}", message=fault) for fault in faults[:100]])
    _say_plan(newsletter, issue.number, name, built, octets, time.monotonic() - begun)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestOrder:
    """A test copy: to any address, merged as a reader of ours."""

    __test__ = False  # not one of pytest's

    issue: str
    to: str
    reader: str | None


def send_test(newsletter: Newsletter, order: TestOrder) -> int:
    """Sends one copy that belongs to nobody: its links change nothing, the ledger knows nothing of it.

    Returns 0, 75 or 76. Raises RelayUnusable when the relay refuses it.
    """
    settings = newsletter.settings
    issue = _load(settings, order.issue)
    editions = compose_editions(issue, settings)
    to = _address(order.to)
    if order.reader is not None:
        bring_up_to_date(newsletter.database, settings.folder, _list_of(issue, settings), skip_bad_rows=True)
    known = find_subscriber(newsletter.database, _address(order.reader or order.to).casefold())
    if order.reader is not None and known is None:
        raise NotFound(f"{order.reader}: nobody has this address; import the list first, or choose another reader")
    language = editions.language_for(known.language if known else None)
    skeleton = make_skeleton(editions.by_language[language])
    copy = _sample(
        settings, known or neutral_reader(skeleton, language), to=to, number=issue.number, date=datetime.now(UTC)
    )
    built = build_message(skeleton, copy)
    if isinstance(built, Unfilled):
        raise InputWrong([Fault(path=order.reader or to, message=built.reason, remedy="give the reader that field")])
    parcel = Parcel(sender=sample_return_path(settings), recipient=to, message_id=copy.message_id, content=built)
    return asyncio.run(_send_one(newsletter, parcel))


async def _send_one(newsletter: Newsletter, parcel: Parcel) -> int:
    line = line_to(newsletter.relay)
    refusal: Refusal | None = await line.open()
    if refusal is not None:
        raise RelayUnusable(f"relay {newsletter.relay}: {refusal.reason}")
    if objection := line.objection(parcel):
        raise RelayUnusable(f"{parcel.recipient}: {objection}")
    ending = await line.offer(parcel) or await line.hand_over(parcel)
    await line.quit()
    state = judge(ending.phase, ending.reply).state
    said = ending.reply or f"the connection was lost at {ending.phase}"
    screen.say(f"test copy to {parcel.recipient}: {state.replace('_', ' ')} ({said})")
    if state is State.REFUSED:
        raise RelayUnusable(f"the relay refuses the test copy: {said}")
    return {State.SENT: 0, State.IN_DOUBT: _IN_DOUBT}.get(state, _UNFINISHED)


def _load(settings: Settings, what: str) -> Issue:
    folder = find_issue(settings.folder, what)
    return load_issue(folder, root=settings.folder, default_language=settings.language)


def _list_of(issue: Issue, settings: Settings) -> str:
    return next(iter(issue.drafts.values())).list or settings.list


def _sample(settings: Settings, reader: Subscriber, *, to: str, number: int, date: datetime) -> Copy:
    domain = sender_address(settings).rpartition("@")[2]
    # A test copy sent twice is two messages; what is rendered has one name for ever.
    part = "sample" if date == _EPOCH else f"test-{int((date - _EPOCH) / timedelta(microseconds=1))}"
    return sample_copy(settings, reader, to=to, message_id=f"i{number}.{part}@{domain}", date=date)


def _address(text: str) -> str:
    try:
        return read_address(text).email
    except ValueError as error:
        raise InputWrong([Fault(path=text, message=str(error), remedy="correct the address")]) from error


def _built(skeleton: Skeleton, copy: Copy) -> bytes:
    built = build_message(skeleton, copy)
    if isinstance(built, Unfilled):
        raise InputWrong([Fault(path=copy.to, message=built.reason)])
    return built


def _filled(part: str | Unfilled) -> str:
    if isinstance(part, Unfilled):
        raise InputWrong([Fault(path="issue", message=part.reason)])
    return part


def _defects(content: bytes) -> list[str]:
    """What a strict parser finds wrong with a message."""
    parsed = message_from_bytes(content, EmailMessage, policy=policy.default)
    return [type(defect).__name__ for part in parsed.walk() for defect in part.defects]


def _spoken(newsletter: Newsletter, editions: Editions, list_name: str) -> dict[str, list[str | None]]:
    """The languages of readers by the edition they get."""
    spoken: dict[str, list[str | None]] = {}
    for language in languages_of(newsletter.database, list_name):
        chosen = (
            list(editions.by_language)
            if language is None and list_name == STAGING
            else [editions.language_for(language)]
        )
        for edition in chosen:
            spoken.setdefault(edition, []).append(language)
    if not spoken:
        path = f"subscribers/{list_name}.csv"
        raise InputWrong([Fault(path=path, message=f"nobody is on {list_name}", remedy="add readers to it")])
    return spoken


def _say_plan(
    newsletter: Newsletter, number: int, list_name: str, built: Counter[str], octets: int, seconds: float
) -> None:
    total = built.total()
    by_edition = ", ".join(f"{count:,} {language}" for language, count in built.items())
    screen.say(f"dry run: issue {number} to {list_name}: {total:,} messages ({by_edition}), nobody is mailed")
    screen.say(
        f"every message was built and parsed back in {screen.spoken_time(seconds)}, {octets // total:,} bytes each"
    )
    if gone := sum(each.unsubscribed for each in lists(newsletter.database) if each.name == list_name):
        screen.say(f"not mailed: {gone:,} who left")
    if not stays_here(newsletter.relay) and (reserved := reserved_members(newsletter.database, list_name)):
        screen.say(f"skipped: {reserved:,} with an address in a reserved domain")
    if rate := observed_rate(newsletter.database):
        screen.say(f"expected time: {screen.spoken_time(total / rate)}, at the {rate:,.0f} a second of the last issue")
