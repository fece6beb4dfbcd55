"""The recipe of `send-issue 29 --test ANY@ADDRESS`: one copy that belongs to nobody."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from dispatcher.audience.address import read_address
from dispatcher.audience.lists import bring_up_to_date
from dispatcher.content.message.build import build_pieces, make_skeleton, neutral_reader
from dispatcher.content.message.merge import Unfilled
from dispatcher.delivery.dkim import make_field
from dispatcher.delivery.line import Parcel, line_to
from dispatcher.delivery.verdicts import judge
from dispatcher.desk import screen
from dispatcher.errors import Fault, InputWrong, NotFound, RelayUnusable
from dispatcher.models import State
from dispatcher.recipes.editions import compose_editions, load_named
from dispatcher.recipes.newsletter import Newsletter, sample_copy, sample_return_path
from dispatcher.recipes.transport import signatures_for
from dispatcher.storage.readers import find_subscriber, is_reserved

_UNFINISHED, _IN_DOUBT = 75, 76


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyOrder:
    """A test copy: to any address, merged as a reader of ours."""

    issue: str
    to: str
    reader: str | None


def send_copy(newsletter: Newsletter, order: CopyOrder) -> int:
    """Sends one copy that belongs to nobody: its links change nothing, the ledger knows nothing of it.

    Returns 0, 75 or 76. Raises RelayUnusable when the relay refuses it.
    """
    settings = newsletter.settings
    issue = load_named(settings, order.issue)
    editions = compose_editions(issue, settings)
    to = _address(order.to)
    if order.reader is not None:
        bring_up_to_date(
            newsletter.database,
            newsletter.keyring,
            settings.folder,
            issue.list_name or settings.list,
            skip_bad_rows=True,
        )
    known = find_subscriber(newsletter.database, _address(order.reader or order.to).lower())
    if order.reader is not None and known is None:
        raise NotFound(f"{order.reader}: nobody has this address; import the list first, or choose another reader")
    language = editions.language_for(known.language if known else None)
    skeleton = make_skeleton(editions.by_language[language])
    reader = known or neutral_reader(skeleton, language)
    copy = sample_copy(settings, reader, number=issue.number, to=to, sent_at=datetime.now(UTC))
    built = build_pieces(skeleton, copy)
    if isinstance(built, Unfilled):
        raise InputWrong([Fault(path=order.reader or to, message=built.reason, remedy="give the reader that field")])
    if not newsletter.stays_here and is_reserved(to.rpartition("@")[2]):
        raise InputWrong([Fault(path=to, message="nobody has mail in a reserved domain", remedy="choose an address")])
    signatures = signatures_for(newsletter.relay, settings)
    content = [make_field(built, signatures, at=int(copy.date.timestamp())), *built]
    parcel = Parcel(sender=sample_return_path(settings), recipient=to, message_id=copy.message_id, content=content)
    return asyncio.run(_send_one(newsletter, parcel))


async def _send_one(newsletter: Newsletter, parcel: Parcel) -> int:
    line = line_to(newsletter.relay)
    refusal = await line.open()
    if refusal is not None:
        raise RelayUnusable(f"relay {newsletter.relay}: {refusal.reason}")
    if objection := line.objection(parcel):
        raise RelayUnusable(f"{parcel.recipient}: {objection}")
    line.offer(parcel)
    ending = await line.answer() or await line.hand_over(parcel, None, lambda: True)
    await line.quit()
    state = judge(ending.phase, ending.reply).state
    said = ending.reply or f"the connection was lost at {ending.phase}"
    screen.say(f"test copy to {parcel.recipient}: {state.replace('_', ' ')} ({said})")
    if state is State.REFUSED:
        raise RelayUnusable(f"the relay refuses the test copy: {said}")
    return {State.SENT: 0, State.IN_DOUBT: _IN_DOUBT}.get(state, _UNFINISHED)


def _address(text: str) -> str:
    try:
        return read_address(text).email
    except ValueError as error:
        raise InputWrong([Fault(path=text, message=str(error), remedy="correct the address")]) from error
