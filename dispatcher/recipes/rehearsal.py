"""The recipes that mail no reader: rendering to files, the dry run, and a single test copy."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import lru_cache
from pathlib import Path

from dispatcher.audience.address import read_address
from dispatcher.audience.lists import bring_up_to_date
from dispatcher.config import Settings
from dispatcher.content.budget import MAX_BYTES, encoded_bytes, weigh
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
from dispatcher.errors import Fault, InputWrong, NotFound, RelayUnusable
from dispatcher.models import Edition, State, Subscriber
from dispatcher.recipes.editions import compose_editions, manifest, thaw_editions
from dispatcher.recipes.newsletter import Newsletter, sample_copy, sample_return_path, sender_address, stays_here
from dispatcher.recipes.plan import Order, Plan, make_plan
from dispatcher.storage.ledger import Ledger
from dispatcher.storage.readers import RESERVED_DOMAIN, find_subscriber, is_reserved, readers
from dispatcher.storage.reports import observed_rate
from dispatcher.storage.subscribers import everybody

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
        _say_weight(edition)
        written[out / f"{language}.html"] = _filled(merged_html(skeleton, reader, **links)).encode()
        written[out / f"{language}.txt"] = _filled(merged_text(skeleton, reader, **links)).encode()
        written[out / f"{language}.eml"] = _built(skeleton, copy)
    written[out / "manifest.json"] = manifest(editions).encode()
    out.mkdir(parents=True, exist_ok=True)
    for path, content in written.items():
        path.write_bytes(content)
    return list(written)


def dry_run(newsletter: Newsletter, order: Order) -> None:
    """Plans a send, builds and parses back every message of it, and says who is skipped and why; mails nobody.

    Raises what the send itself would raise before the first message.
    """
    plan = make_plan(newsletter, order)
    begun = time.monotonic()
    built: Counter[str] = Counter()
    faults: list[str] = []
    octets = 0
    for language, reader in _planned(newsletter, plan):
        skeleton = _skeleton(plan.editions.by_language[language])
        copy = _sample(newsletter.settings, reader, to=reader.email, number=plan.number, date=_EPOCH)
        content = _built(skeleton, copy)
        faults += [f"{reader.email}: {defect}" for defect in _defects(content)]
        built[language] += 1
        octets += len(content)
    if faults:
        raise InputWrong([Fault(path=f"issue {plan.number}", message=fault) for fault in faults[:100]])
    _say_plan(newsletter, plan, built, octets, time.monotonic() - begun)
    for edition in plan.editions.by_language.values():
        _say_weight(edition)


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
        bring_up_to_date(newsletter.database, settings.folder, issue.list_name or settings.list, skip_bad_rows=True)
    known = find_subscriber(newsletter.database, _address(order.reader or order.to).lower())
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
    if not stays_here(newsletter.relay) and is_reserved(to.rpartition("@")[2]):
        raise InputWrong([Fault(path=to, message="nobody has mail in a reserved domain", remedy="choose an address")])
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


@lru_cache(maxsize=8)
def _skeleton(edition: Edition) -> Skeleton:
    return make_skeleton(edition)


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


def _planned(newsletter: Newsletter, plan: Plan) -> Iterator[tuple[str, Subscriber]]:
    """Every reader of a plan with the edition he gets: those to be added, and those left of an earlier run."""
    skips_reserved = not stays_here(newsletter.relay)
    for language, spoken in plan.spoken.items():
        after = 0
        while page := readers(newsletter.database, plan.list_name, spoken, after=after, limit=_PAGE):
            after = page[-1].id
            for reader in page:
                if not (skips_reserved and is_reserved(reader.email.rpartition("@")[2])):
                    yield language, reader
    if plan.earlier is not None and plan.left:
        _, languages = thaw_editions(newsletter.database, plan.earlier.id)
        with closing(Ledger(newsletter.database, plan.earlier)) as ledger:
            after = 0
            while rows := ledger.waiting(after=after, limit=_PAGE):
                after = rows[-1].id
                for row in rows:
                    yield languages[row.edition_id], row.subscriber


def _say_plan(newsletter: Newsletter, plan: Plan, built: Counter[str], octets: int, seconds: float) -> None:
    total = built.total()
    by_edition = ", ".join(f"{count:,} {language}" for language, count in built.items())
    screen.say(
        f"dry run: issue {plan.number} to {plan.list_name}: {total:,} messages{f' ({by_edition})' if built else ''}, "
        "nobody is mailed"
    )
    if total:
        time_taken = screen.spoken_time(seconds)
        screen.say(f"every message was built and parsed back in {time_taken}, {octets // total:,} bytes each")
    for address, reason in _skipped(newsletter, plan):
        screen.say(f"skipped: {address}: {reason}")
    if rate := observed_rate(newsletter.database):
        screen.say(f"expected time: {screen.spoken_time(total / rate)}, at the {rate:,.0f} a second of the last issue")


def _say_weight(edition: Edition) -> None:
    """How much of what Gmail shows the HTML takes, with every personal field at its longest."""
    weight = weigh(edition.html)
    advice = "; near the limit, so that stories are set close together" if weight.is_near else ""
    screen.note(
        f"{edition.language}: {weight.total:,} bytes of HTML, {encoded_bytes(edition.html):,} as it travels; "
        f"Gmail shows {MAX_BYTES:,}{advice}"
    )


def _skipped(newsletter: Newsletter, plan: Plan) -> Iterator[tuple[str, str]]:
    """Who of the list gets nothing, and why."""
    skips_reserved = not stays_here(newsletter.relay)
    for row in everybody(newsletter.database, plan.list_name):
        if row.state != "active":
            yield row.email, {"removed": "no longer in the file"}.get(row.state, row.state)
        elif skips_reserved and is_reserved(row.email.rpartition("@")[2]):
            yield row.email, RESERVED_DOMAIN
