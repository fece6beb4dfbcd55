"""The recipe of small mails: from the queue over the newsletter's relay, and the invitations that operators send."""

import asyncio
import contextlib
import logging
from datetime import timedelta

from dispatcher.audience.address import read_address
from dispatcher.audience.lists import require_list
from dispatcher.audience.people import everything_about, find_person
from dispatcher.content.drawing.theme import find_theme, read_strings
from dispatcher.content.letter import SmallMail, build_letter
from dispatcher.delivery.dkim import make_field
from dispatcher.delivery.line import Line, Parcel, line_to
from dispatcher.delivery.verdicts import judge
from dispatcher.errors import DispatcherError, Fault, InputWrong, Unfinished
from dispatcher.models import Reply, State
from dispatcher.recipes.newsletter import (
    Newsletter,
    base_url,
    letterhead,
    sample_return_path,
    sender_address,
)
from dispatcher.recipes.transport import signatures_for
from dispatcher.storage.database import now
from dispatcher.storage.letters import Letter, LetterKind, claim_due, drop_old, outcome_of, put_off, queue, settle
from dispatcher.storage.readers import RESERVED_DOMAIN, is_reserved
from dispatcher.storage.signups import KEPT, Wish, ask, drop_stale
from dispatcher.storage.standing import MAY_LIFT, Channel, Standing
from dispatcher.storage.subscribers import membership_state
from dispatcher.tokens import ConfirmToken, DataToken, sign_confirm, sign_data
from dispatcher.web.wording import Wording, language_for, read_wording

_AT_ONCE = 20
_POLL_SECONDS = 5.0
DATA_LINK_LASTS = timedelta(days=1)

_log = logging.getLogger(__name__)


def wording_of(newsletter: Newsletter) -> Wording:
    """What pages and mails say: our strings, under what the newsletter's theme says in the same language."""
    settings = newsletter.settings
    theme = find_theme(settings.theme, settings.folder)
    tags = {path.stem for folder in theme.folders for path in folder.glob("strings/*.toml")}
    english = read_strings(theme, "en")
    spoken = {tag: read_strings(theme, tag) for tag in tags}
    own = {tag: {k: v for k, v in said.items() if tag == "en" or english.get(k) != v} for tag, said in spoken.items()}
    return read_wording(settings.language, own)


def invite(newsletter: Newsletter, address: str, list_name: str | None) -> str:
    """Mails a link by which somebody who left or bounced may return. Returns what came of it.

    Raises InputWrong, NotFound, Unfinished when the relay does not take the mail now.
    """
    database, keyring = newsletter.database, newsletter.keyring
    wanted = list_name or newsletter.settings.list
    require_list(database, newsletter.settings.folder, wanted)
    person = find_person(database, address)
    found = everything_about(database, keyring, address).suppression
    if found is not None and Channel.CONFIRMED not in MAY_LIFT[found.cause]:
        remedy = "to lift that: dispatcher subscribers unsuppress ADDRESS --reason TEXT"
        raise InputWrong([Fault(path=address, message=f"is kept from all lists ({found.cause})", remedy=remedy)])
    known = read_address(address)
    if found is None and membership_state(database, wanted, known.key) == Standing.ACTIVE:
        return f"{address}: is on {wanted} already; nobody is mailed"
    wording = wording_of(newsletter)
    language = language_for(wording, person.language, "")
    wish = Wish(
        email=person.email,
        address_key=known.key,
        domain=known.domain,
        list_name=wanted,
        language=person.language,
        channel=Channel.OPERATOR,
        wording=wording.version(language),
        network=None,
    )
    with database.writing() as connection:
        signup_id = ask(connection, wish, at=now())
        queue(
            connection, LetterKind.INVITE, email=person.email, address_key=known.key, language=language,
            signup_id=signup_id,
        )  # fmt: skip
    asyncio.run(send_due(newsletter, wording))
    state, reply = outcome_of(database, signup_id)
    if state == "refused":
        raise InputWrong([Fault(path=address, message=f"the mail was refused: {reply}")])
    if state != "sent":
        raise Unfinished(f"the mail to {address} waits; dispatcher serve sends it")
    return f"{address}: invited to {wish.list_name}; the link works for {KEPT.days} days"


async def keep_sending(newsletter: Newsletter, wording: Wording, woken: asyncio.Event) -> None:
    """Sends what is due, now and whenever it is woken, until it is cancelled; a lost relay is tried again."""
    while True:
        woken.clear()
        try:
            await send_due(newsletter, wording)
            await asyncio.to_thread(_tidy, newsletter)
        except DispatcherError as error:
            _log.warning("small mails could not be sent: %s", error)
        except Exception:  # noqa: BLE001  the pages must go on, and so must the next attempt
            _log.exception("small mails could not be sent")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_POLL_SECONDS):
                await woken.wait()


async def send_due(newsletter: Newsletter, wording: Wording) -> int:
    """Sends every small mail that is due over one line. Returns how many the relay took."""
    line, sent = line_to(newsletter.relay), 0
    try:
        while due := await asyncio.to_thread(claim_due, newsletter.database, now(), limit=_AT_ONCE):
            for letter in due:
                sent += await _send(newsletter, line, wording, letter)
    finally:
        await line.quit()
    return sent


def small_mail(newsletter: Newsletter, wording: Wording, letter: Letter) -> SmallMail:
    """What a letter says; its link is signed now and expires as its kind does."""
    say = wording.strings[letter.language]
    head = letterhead(newsletter.settings)
    kind = letter.kind.value
    is_ours = letter.kind is LetterKind.INVITE
    text = say[f"mail_{kind}_text"].strip().format(newsletter=head.newsletter)
    return SmallMail(
        to=letter.email,
        sender=head.sender,
        reply_to=head.reply_to,
        message_id=f"letter.{letter.id}.{newsletter.database.instance[:12]}@{sender_address(newsletter.settings).rpartition('@')[2]}",
        date=letter.created_at,
        subject=say[f"mail_{kind}_subject"].format(newsletter=head.newsletter),
        paragraphs=[say["mail_hello"], *text.splitlines()],
        label=say[f"mail_{kind}_label"],
        url=_link(newsletter, letter),
        closing=[say["mail_closing_operator" if is_ours else "mail_closing"]],
        postal_address=head.postal_address,
        language=letter.language,
        direction=say["dir"],
        font_stack=say.get("font_stack", "sans-serif"),
        accent=say.get("page_accent", "#4338ca"),
    )


def _link(newsletter: Newsletter, letter: Letter) -> str:
    base = base_url(newsletter.settings)
    if letter.signup_id is not None and letter.signup_ref is not None:
        expires_at = letter.created_at + KEPT
        token = ConfirmToken(signup_id=letter.signup_id, ref=letter.signup_ref, expires_at=expires_at)
        return f"{base}/confirm/{sign_confirm(newsletter.keyring, token)}"
    expires_at = letter.created_at + DATA_LINK_LASTS
    data = DataToken(subscriber_id=letter.subscriber_id or 0, ref=letter.subscriber_ref or 0, expires_at=expires_at)
    return f"{base}/me/{sign_data(newsletter.keyring, data)}"


async def _send(newsletter: Newsletter, line: Line, wording: Wording, letter: Letter) -> bool:
    database = newsletter.database
    if not newsletter.stays_here and is_reserved(letter.email.rpartition("@")[2]):
        await asyncio.to_thread(settle, database, letter.id, "refused", reply=RESERVED_DOMAIN)
        return False
    try:
        parcel = _parcel(newsletter, small_mail(newsletter, wording, letter))
    except ValueError as error:  # an address that no header may carry
        await asyncio.to_thread(settle, database, letter.id, "refused", reply=str(error))
        return False
    refusal = await line.open()
    if refusal is not None:
        _log.warning("small mail %d waits: %s", letter.id, refusal.reason)
        await asyncio.to_thread(put_off, database, letter, reply=refusal.reason)
        return False
    if objection := line.objection(parcel):
        await asyncio.to_thread(settle, database, letter.id, "refused", reply=objection)
        return False
    line.offer(parcel)
    ending = await line.answer() or await line.hand_over(parcel, None, lambda: True)
    state = judge(ending.phase, ending.reply).state
    if not line.is_open:
        line.drop()
    said = _said(ending.reply)
    if state in {State.SENT, State.REFUSED}:
        await asyncio.to_thread(settle, database, letter.id, state.value, reply=said)
    else:  # in doubt too: such a mail twice is better than none
        await asyncio.to_thread(put_off, database, letter, reply=said)
    return state is State.SENT


def _parcel(newsletter: Newsletter, mail: SmallMail) -> Parcel:
    letter = build_letter(mail)
    signatures = signatures_for(newsletter.relay, newsletter.settings)
    return Parcel(
        sender=sample_return_path(newsletter.settings),
        recipient=mail.to,
        message_id=mail.message_id,
        content=[make_field([letter], signatures, at=int(now().timestamp())), letter],
    )


def _said(reply: Reply | None) -> str | None:
    return None if reply is None else str(reply)[:500]


def _tidy(newsletter: Newsletter) -> None:
    moment = now()
    drop_stale(newsletter.database, moment)
    drop_old(newsletter.database, moment)
