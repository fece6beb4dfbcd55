"""What is written into a live mailing's receipt."""

import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from dispatcher.desk.receipt import Receipt, write_receipt
from dispatcher.models import Kind
from dispatcher.recipes.newsletter import Newsletter
from dispatcher.storage.database import now
from dispatcher.storage.mailings import Mailing, editions_of, lists_of
from dispatcher.storage.reports import count_states


def keep_receipt(newsletter: Newsletter, mailing: Mailing, path: Path) -> None:
    """Writes a live mailing's receipt: before its first content goes out, and again when a run ends."""
    if mailing.kind is not Kind.LIVE:
        return
    database = newsletter.database
    receipt = Receipt(
        issue=mailing.issue,
        ledger=f"{database.instance}/{mailing.id}",
        first_handed_over_at=mailing.handed_over_at or now(),
        updated_at=now(),
        content_hash=mailing.content_hash,
        dispatcher=version("newsletter-dispatcher"),
        templates=_templates_hash(mailing.sources),
        editions={each.language: each.content_hash for each in editions_of(database, mailing.id).values()},
        lists=tuple(sorted(lists_of(database, mailing.id))),
        counts={state.value: rows for state, rows in sorted(count_states(database, mailing.id).items())},
    )
    write_receipt(path, receipt)


def _templates_hash(sources: Mapping[str, str]) -> str:
    own = sorted(f"{path} {content_hash}" for path, content_hash in sources.items() if path.startswith("templates/"))
    return hashlib.sha256("\n".join(own).encode()).hexdigest() if own else ""
