"""Writes the report of a mailing: for people, as JSON, and as tab-separated lines that scripts rely on."""

import json
from collections import Counter

from dispatcher.desk.asked import died_with, spoken_standing
from dispatcher.desk.remedies import remedy_for, sentence
from dispatcher.desk.screen import spoken_counts, spoken_readers
from dispatcher.desk.tables import print_table
from dispatcher.models import Kind, State
from dispatcher.storage.asked import asked_of
from dispatcher.storage.came_back import came_back, count_replies
from dispatcher.storage.control import force_of, why_stopped
from dispatcher.storage.database import Database
from dispatcher.storage.mailings import Mailing
from dispatcher.storage.reports import (
    DeliveryLine,
    abandoned_addresses,
    count_states,
    delivery_lines,
    doubtful_addresses,
    outcomes_by_domain,
)

_COLUMNS = ("address", "state", "attempts", "code", "reply", "message_id", "reason", "list", "edition")
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\r": "\\r", "\n": "\\n"})


def as_text(database: Database, mailing: Mailing, timezone: str) -> None:
    counts = count_states(database, mailing.id)
    label = {Kind.LIVE: "live", Kind.MAILDIR: "trial into a Maildir", Kind.STAGING: "staging"}[mailing.kind]
    print(f"issue {mailing.issue} ({label}): {spoken_readers(counts.total())}: {spoken_counts(counts)}")
    if (forced := force_of(database, mailing.id)) is not None:
        print(f"sent without staging: {forced}")
    asked = asked_of(database, mailing.id)
    if standing := spoken_standing(asked, counts, timezone):
        print(f"{standing}; to go on: send-issue {mailing.issue}" if asked.stopped else standing)
    doubts = doubtful_addresses(database, mailing.id)
    if doubts:
        print("\nIn doubt: the relay may have taken these, or not; they are not mailed again by themselves.")
        for address in doubts:
            print(f"  {address}")
    if abandoned := abandoned_addresses(database, mailing.id):
        print(f"\n{died_with(mailing.issue)}")
        for address in abandoned:
            print(f"  {address}")
    troubles = outcomes_by_domain(database, mailing.id)
    if troubles:
        print()
        rows = [[f"{each.rows:,}", each.state.replace("_", " "), each.domain, each.said] for each in troubles]
        print_table(["readers", "state", "domain", "reason"], rows)

    if returns := came_back(database, mailing.id):
        print("\nWhat came back, and what to do about it:")
        rows = [
            [f"{each.readers:,}", sentence(each.domain, each.kind, each.cause, each.status, each.said)]
            for each in returns
        ]
        print_table(["readers", "what they say"], rows)
    if replies := count_replies(database, mailing.id):
        print(f"\n{replies:,} {'reply' if replies == 1 else 'replies'} from people, left in the mailbox for you")


def as_json(database: Database, mailing: Mailing, timezone: str) -> None:
    lines = list(delivery_lines(database, mailing))
    counts = Counter(line.state for line in lines)
    shown = {
        "issue": mailing.issue,
        "kind": mailing.kind.value,
        "stopped": why_stopped(database, mailing.id),
        "standing": spoken_standing(asked_of(database, mailing.id), counts, timezone),
        "abandoned": abandoned_addresses(database, mailing.id),
        "counts": {state.value: counts[state] for state in State},
        "returned": [
            {
                "domain": each.domain,
                "kind": each.kind,
                "cause": each.cause,
                "verdict": each.verdict,
                "status": each.status,
                "said": each.said,
                "readers": each.readers,
                "remedy": remedy_for(each.cause, each.status),
            }
            for each in came_back(database, mailing.id)
        ],
        "replies": count_replies(database, mailing.id),
        "deliveries": [dict(zip(_COLUMNS, _values(line), strict=True)) for line in lines],
    }
    print(json.dumps(shown, indent=2, ensure_ascii=False))


def as_tsv(database: Database, mailing: Mailing, _timezone: str) -> None:
    print("\t".join(_COLUMNS))
    for line in delivery_lines(database, mailing):
        print("\t".join("" if value is None else str(value).translate(_ESCAPES) for value in _values(line)))


def _values(line: DeliveryLine) -> tuple[str | int | None, ...]:
    return (
        line.address, line.state.value, line.attempts, line.code, line.reply,
        f"<{line.message_id}>", line.reason, line.list_name, line.edition,
    )  # fmt: skip
