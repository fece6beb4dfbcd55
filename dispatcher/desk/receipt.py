"""Writes and reads issues/29/receipt.json: that, when and as what an issue was sent; no addresses; meant for git."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dispatcher.errors import LedgerFailed, NotPermitted


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    issue: int
    ledger: str  # the database's instance and the mailing's number in it
    first_handed_over_at: datetime
    updated_at: datetime
    content_hash: str
    editions: Mapping[str, str]  # language: content hash
    dispatcher: str  # the version, and so that of the packaged themes
    templates: str  # a hash of the newsletter's own templates; empty if it has none
    lists: tuple[str, ...]
    counts: Mapping[str, int]  # by state


def require_known(path: Path, *, issue: int, ledger: str, sent: int) -> None:
    """Raises NotPermitted if the receipt tells of another ledger, or of more readers sent to than this one knows.

    `ledger` and `sent` are this database's; a restored backup may know the mailing, but not all whom it was sent to.
    """
    try:
        receipt = json.loads(path.read_text(encoding="utf-8"))
        known, counted = str(receipt["ledger"]), int(receipt["counts"].get("sent", 0))
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotPermitted(f"{path}: the receipt cannot be read; restore it from git") from error
    if known != ledger:
        raise NotPermitted(f"{path}: this database did not send issue {issue}; use the one that did")
    if counted > sent:
        raise NotPermitted(f"{path}: {counted} were sent issue {issue}, this database knows of {sent}; use the newest")


def write_receipt(path: Path, receipt: Receipt) -> None:
    """Replaces the receipt whole. Raises LedgerFailed."""
    shown = {
        "issue": receipt.issue,
        "ledger": receipt.ledger,
        "first_handed_over_at": receipt.first_handed_over_at.isoformat(timespec="seconds"),
        "updated_at": receipt.updated_at.isoformat(timespec="seconds"),
        "content_hash": receipt.content_hash,
        "editions": dict(receipt.editions),
        "dispatcher": receipt.dispatcher,
        "templates": receipt.templates,
        "lists": list(receipt.lists),
        "counts": dict(receipt.counts),
    }
    temporary = path.with_name(f".{path.name}.new")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(json.dumps(shown, indent=2, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise LedgerFailed(f"{path}: {error.strerror}; the receipt must be written before mail goes out") from error
