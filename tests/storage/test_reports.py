"""What is told of all mailings: their rows by state, and how fast the last of them went."""

from datetime import timedelta

from dispatcher.models import Kind, State
from dispatcher.storage.database import Database
from dispatcher.storage.mailings import Mailing
from dispatcher.storage.reports import observed_rate, summaries
from tests.storage.books import ANN, CLEO, NOON, change, enlist, freeze_to


def mark_sent(database: Database, mailing: Mailing, *, seconds: int) -> None:
    """As if its rows had been sent at noon, in so many seconds."""
    ended = NOON + timedelta(seconds=seconds)
    at, until = (each.isoformat(timespec="microseconds") for each in (NOON, ended))
    update = f"UPDATE delivery SET state = 'sent', first_attempt_at = '{at}', settled_at = '{until}'"  # noqa: S608
    change(database, f"{update} WHERE mailing_id = {mailing.id}")


def test_every_mailing_is_told_with_its_rows_and_the_newest_alone_if_asked(database: Database) -> None:
    enlist(database, ANN, CLEO)
    first = freeze_to(database, issue=1)
    enlist(database, list_name="nobody")
    second = freeze_to(database, "nobody", issue=2)
    third = freeze_to(database, issue=3)
    change(database, "UPDATE delivery SET state = 'sent' WHERE mailing_id = 3 AND subscriber_id = 1")
    told = {each.id: dict(each.counts) for each in summaries(database)}
    assert third.id == 3
    assert list(told) == [first.id, second.id, third.id]
    assert told == {first.id: {State.QUEUED: 2}, second.id: {}, third.id: {State.QUEUED: 1, State.SENT: 1}}
    assert [each.id for each in summaries(database, most=2)] == [second.id, third.id]
    assert summaries(database, most=1)[0].counts == told[third.id]


def test_the_rate_is_that_of_the_last_mailing_over_a_relay_with_enough_messages(database: Database) -> None:
    enlist(database, *(f"reader{number}@example.de" for number in range(50)))
    assert observed_rate(database) is None
    for issue, seconds in ((1, 5), (2, 10)):
        mark_sent(database, freeze_to(database, issue=issue), seconds=seconds)
    mark_sent(database, freeze_to(database, issue=2, kind=Kind.MAILDIR), seconds=1)
    enlist(database, ANN, list_name="few")
    mark_sent(database, freeze_to(database, "few", issue=3), seconds=1)
    assert observed_rate(database) == 5.0
