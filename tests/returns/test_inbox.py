"""`dispatcher inbox`: what comes back is traced to its delivery and changes exactly that reader, once.

10,000 forgeries: `DISPATCHER_TESTS_LONG=1 python -m pytest tests/returns/test_inbox.py -k forgeries`.
"""

import mailbox
import random
import threading
from base64 import b32encode
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from dispatcher.errors import NotFound
from dispatcher.models import Kind, Outcome, Reply, State
from dispatcher.recipes.inbox import explain, read_inbox
from dispatcher.recipes.newsletter import open_newsletter
from dispatcher.recipes.worker import keep_reading, work
from dispatcher.returns.returned import Class
from dispatcher.storage.reports import count_states
from dispatcher.storage.returns import Action
from dispatcher.storage.schema import metadata
from dispatcher.storage.standing import Cause, Channel
from dispatcher.storage.suppressions import lift
from tests.long import many
from tests.returns.house import ANN, BOB, CLEO, DAN, EVE, FULL, SPAM, Copy, House, bounce, complaint, plain
from tests.storage.books import SQLITE

FORGERIES = many(800, long=10_000)


@pytest.fixture
def house(tmp_path: Path, database_url: str) -> House:
    return House(tmp_path / "letter", database=database_url)


@pytest.fixture
def copies(house: House) -> dict[str, Copy]:
    return house.send()


def test_a_dead_address_is_suspended_and_nobody_else(house: House, copies: dict[str, Copy]) -> None:
    [reading] = house.receive(bounce(copies[DAN]))
    assert reading.settled is not None
    assert reading.settled.sending is not None
    assert reading.settled.sending.delivery_id == copies[DAN].delivery_id
    assert house.kept_away() == {DAN: Cause.BOUNCED}
    assert house.standings() == {ANN: "active", BOB: "active", CLEO: "active", DAN: "bounced", EVE: "active"}


def test_the_envelope_alone_is_enough_in_either_case(house: House, copies: dict[str, Copy]) -> None:
    house.receive(
        bounce(copies[DAN], returns=False), bounce(copies[EVE], to=copies[EVE].return_path.upper(), returns=False)
    )
    assert house.kept_away() == {DAN: Cause.BOUNCED, EVE: Cause.BOUNCED}


def test_the_returned_headers_are_enough_when_the_envelope_is_lost(house: House, copies: dict[str, Copy]) -> None:
    lost = bounce(copies[DAN], to="postmaster@example.org")
    only_message_id = lost.replace(copies[DAN].return_path.encode(), b"letter@example.org").replace(
        copies[DAN].leave_token.encode(), b"sample"
    )
    house.receive(only_message_id)
    assert house.kept_away() == {DAN: Cause.BOUNCED}


def test_a_mailbox_that_forwards_is_known_by_the_message(house: House, copies: dict[str, Copy]) -> None:
    house.receive(bounce(copies[DAN], recipient="daniel@example.net"))
    assert house.kept_away() == {DAN: Cause.BOUNCED}


@pytest.mark.parametrize("kind", ["abuse", "fraud", "virus", "other"])
def test_who_complains_is_suppressed_though_the_report_hides_him(
    house: House, copies: dict[str, Copy], kind: str
) -> None:
    house.receive(complaint(copies[EVE], kind))
    assert house.kept_away() == {EVE: Cause.COMPLAINED}


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure", "dkim", "something-new"])
def test_a_report_that_is_no_complaint_changes_nobody(house: House, copies: dict[str, Copy], kind: str) -> None:
    house.receive(complaint(copies[EVE], kind))
    assert set(house.standings().values()) == {"active"}


def test_an_opt_out_report_takes_the_reader_off(house: House, copies: dict[str, Copy]) -> None:
    house.receive(complaint(copies[EVE], "opt-out"))
    assert house.standings()[EVE] == "unsubscribed"
    assert house.kept_away() == {}


@pytest.mark.parametrize("subject", ["unsubscribe", "Re: 退订", ""])
def test_mail_to_the_address_to_leave_takes_the_reader_off(house: House, copies: dict[str, Copy], subject: str) -> None:
    to = f"bounces+{copies[ANN].leave_token}@example.org"
    house.receive(plain("somebody@example.net", to, subject, ""))
    assert house.standings() == {ANN: "unsubscribed", BOB: "active", CLEO: "active", DAN: "active", EVE: "active"}


def test_a_wish_to_leave_without_a_token_changes_nobody(house: House) -> None:
    house.send()
    house.receive(plain(ANN, "letter@example.org", "unsubscribe", ""))
    assert set(house.standings().values()) == {"active"}


def test_a_full_mailbox_is_suspended_after_three_issues_over_a_week(house: House) -> None:
    for issue, days_ago in ((27, 21), (28, 14), (29, 7)):
        copies = house.send(issue, days_ago=days_ago)
        assert house.kept_away() == {}
        house.receive(bounce(copies[CLEO], FULL))
    assert house.kept_away() == {CLEO: Cause.BOUNCED}


def test_an_issue_that_arrives_takes_a_failure_back(house: House) -> None:
    for issue, days_ago, fails in ((26, 28, True), (27, 21, True), (28, 14, False), (29, 7, True)):
        copies = house.send(issue, days_ago=days_ago)
        if fails:
            house.receive(bounce(copies[CLEO], FULL))
    assert house.kept_away() == {}


def test_three_failures_of_one_issue_count_once(house: House, copies: dict[str, Copy]) -> None:
    for words in ("552 5.2.2 mailbox full", "552 5.2.2 over quota", "452 4.2.2 try later"):
        house.receive(bounce(copies[CLEO], ("5.2.2", words)))
    assert house.kept_away() == {}


def test_what_is_our_own_fault_never_counts(house: House) -> None:
    for issue, days_ago in ((25, 35), (26, 28), (27, 21), (28, 14), (29, 7)):
        copies = house.send(issue, days_ago=days_ago)
        [reading] = house.receive(bounce(copies[CLEO], SPAM))
        assert reading.settled is not None
        assert reading.settled.action is Action.NOTHING
    assert house.kept_away() == {}


def test_an_old_bounce_is_no_proof_by_itself(house: House) -> None:
    copies = house.send(days_ago=20)
    [reading] = house.receive(bounce(copies[DAN]))
    assert reading.settled is not None
    assert reading.settled.action is Action.COUNT
    assert house.kept_away() == {}


def test_reading_twice_changes_nothing(house: House, copies: dict[str, Copy]) -> None:
    mail = bounce(copies[DAN])
    house.receive(mail)
    with open_newsletter(house.settings) as newsletter:
        assert lift(newsletter.database, newsletter.keyring, DAN, Channel.OPERATOR) is not None
    [reading] = house.receive(b"Received: by another.example; Wed, 25 Nov 2026 09:00:00 +0000\n" + mail)
    assert reading.settled is not None
    assert not reading.settled.is_news
    house.receive(mail.replace(b"could not", b"can not"))  # reworded: the delivery has had its effect
    assert house.kept_away() == {}


def test_forgeries_change_nobody(house: House, copies: dict[str, Copy], database_url: str) -> None:
    forgeries = FORGERIES if database_url == SQLITE else FORGERIES // 20
    not_sent = house.send(30, outcomes=dict.fromkeys(copies, State.QUEUED))
    trial = house.send(31, kind=Kind.MAILDIR)
    chance = random.Random(29)  # noqa: S311
    mbox = house.settings.folder / "forged.mbox"
    with mbox.open("wb") as file:
        for number in range(forgeries):
            victim, other = chance.sample(list(copies), 2)
            made_up = b32encode(chance.randbytes(27)).decode().rstrip("=").lower()
            wrong = Copy(
                email=victim, return_path=f"bounces+{made_up}@example.org", leave_token=made_up,
                message_id=f"i29.{made_up[:20]}@example.org", delivery_id=0,
            )  # fmt: skip
            kinds = (
                bounce(copies[victim], to="letter@example.org", returns=False),  # no token
                bounce(wrong),  # no token of ours
                complaint(wrong),
                bounce(copies[other], recipient=victim, returns=False),  # a token of another reader's delivery
                bounce(copies[victim], to=copies[other].return_path),  # tokens of two deliveries
                bounce(not_sent[victim]),  # of deliveries that were not made
                bounce(trial[victim]),
                plain(victim, "letter@example.org", "unsubscribe", ""),
            )
            file.write(b"From x\n" + kinds[number % len(kinds)] + b"\n\n")
    assert sum(1 for _ in read_inbox(house.settings, str(mbox))) == forgeries
    assert set(house.standings().values()) == {"active"}
    assert house.kept_away() == {}


def test_a_refusal_during_smtp_goes_the_same_way(house: House) -> None:
    gone = Reply(code=550, text="5.1.1 <dan@example.com>: no such user")
    spam = Reply(code=554, text="5.7.1 looks like spam")
    house.send(
        outcomes={
            DAN: Outcome(delivery_id=0, state=State.REFUSED, reply=gone),
            EVE: Outcome(delivery_id=0, state=State.REFUSED, reply=spam),
        }
    )
    house.receive()
    assert house.kept_away() == {DAN: Cause.BOUNCED}


def test_returned_mail_settles_a_doubt(house: House) -> None:
    copies = house.send(outcomes={CLEO: State.IN_DOUBT})
    house.receive(bounce(copies[CLEO], FULL))
    with open_newsletter(house.settings) as newsletter:
        assert count_states(newsletter.database, 1) == {State.SENT: 5}


def everything(house: House) -> list[tuple[object, ...]]:
    with open_newsletter(house.settings) as newsletter, newsletter.database.reading() as connection:
        return [tuple(row) for table in metadata.sorted_tables for row in connection.execute(select(table))]


def test_explaining_changes_nothing_at_all(house: House, copies: dict[str, Copy]) -> None:
    mail = house.inbox / "new/1.mail"
    mail.write_bytes(bounce(copies[DAN]))
    before = everything(house)
    [reading] = explain(house.settings, str(house.inbox))
    told = reading.plain()
    assert told["file"] == "1.mail"
    assert told["class"] == "bounce"
    assert told["delivery"] == {
        "id": copies[DAN].delivery_id, "issue": 29, "address": DAN, "state": "sent",
        "message_id": f"<{copies[DAN].message_id}>",
    }  # fmt: skip
    assert told["recipients"] == [
        {
            "address": DAN, "status": "5.1.1", "reply": "550", "reason": "unknown user", "hard": True,
            "verdict": "dead", "evidence": ["status report", "words: user unknown"],
        }
    ]  # fmt: skip
    assert mail.exists()
    assert everything(house) == before
    assert house.kept_away() == {}


def test_every_source_is_read_alike(house: House, copies: dict[str, Copy], tmp_path: Path) -> None:
    mails = [bounce(copies[DAN]), complaint(copies[EVE])]
    box = mailbox.mbox(tmp_path / "mbox")
    folder = tmp_path / "folder"
    folder.mkdir()
    for number, mail in enumerate(mails):
        box.add(mail)
        (folder / f"{number}.eml").write_bytes(mail)
    box.close()
    kinds = [Class.BOUNCE, Class.COMPLAINT]
    assert [each.returned.kind for each in explain(house.settings, str(tmp_path / "mbox"))] == kinds
    assert [each.returned.kind for each in explain(house.settings, str(folder))] == kinds
    assert [each.returned.kind for each in explain(house.settings, str(folder / "0.eml"))] == kinds[:1]


def test_replies_stay_unread_for_the_editor(house: House, copies: dict[str, Copy]) -> None:
    reply = plain(ANN, "letter@example.org", "Re: Test Letter", "Lovely!")
    house.receive(reply, bounce(copies[DAN]))
    assert len(list((house.inbox / "new").iterdir())) == 1
    [done] = (house.inbox / "cur").iterdir()
    assert done.name.endswith(":2,S")
    assert [each.returned.kind for each in house.receive()] == [Class.REPLY]


def test_a_mail_that_another_reader_took_is_passed_over(house: House, copies: dict[str, Copy]) -> None:
    for number, each in enumerate((DAN, EVE), start=1):
        (house.inbox / f"new/{number}.mail").write_bytes(bounce(copies[each]))
    readings = read_inbox(house.settings, str(house.inbox))
    next(readings)
    for path in (house.inbox / "new").iterdir():
        path.rename(house.inbox / "cur" / f"{path.name}:2,S")
    assert list(readings) == []
    assert house.kept_away() == {DAN: Cause.BOUNCED}


def test_a_mail_that_cannot_be_marked_is_named(house: House, copies: dict[str, Copy]) -> None:
    for number, each in enumerate((DAN, EVE), start=1):
        (house.inbox / f"new/{number}.mail").write_bytes(bounce(copies[each]))
    readings = read_inbox(house.settings, str(house.inbox))
    next(readings)
    (house.inbox / "cur").rename(house.inbox / "elsewhere")
    (house.inbox / "cur").touch()
    with pytest.raises(NotFound, match=r"2\.mail: Not a directory; a mail that is dealt with is marked as read there"):
        next(readings)


def test_a_worker_reads_the_inbox_of_the_settings(house: House, copies: dict[str, Copy]) -> None:
    mail = house.inbox / "new/1.mail"
    mail.write_bytes(bounce(copies[DAN]))
    (house.inbox / "new/2.mail").write_bytes(plain(ANN, "letter@example.org", "Re: Test Letter", "Lovely!"))
    with open_newsletter(house.settings) as newsletter:
        work(newsletter, is_once=True)
    assert house.kept_away() == {}  # no place is set
    house.settings = replace(house.settings, inbox="inbox")
    with open_newsletter(house.settings) as newsletter:
        work(newsletter, is_once=True)
    assert house.kept_away() == {DAN: Cause.BOUNCED}
    assert [path.name for path in (house.inbox / "new").iterdir()] == ["2.mail"]


def test_a_worker_that_is_told_to_end_stops_between_two_mails(house: House, copies: dict[str, Copy]) -> None:
    for number, each in enumerate((DAN, EVE), start=1):
        (house.inbox / f"new/{number}.mail").write_bytes(bounce(copies[each]))
    ended = threading.Event()
    ended.set()
    keep_reading(replace(house.settings, inbox="inbox"), ended)
    assert house.kept_away() == {DAN: Cause.BOUNCED}


def test_a_worker_without_its_inbox_says_so_and_works_on(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    with open_newsletter(replace(house.settings, inbox="elsewhere")) as newsletter:
        work(newsletter, is_once=True)
    assert "no such file or folder" in capsys.readouterr().err
