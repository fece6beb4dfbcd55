"""Writes an edition as one line of JSON and reads it back: what is frozen, hashed and kept."""

import hashlib
import json
from dataclasses import asdict, replace

from dispatcher.errors import LedgerFailed
from dispatcher.models import Edition, Field, Picture

_FORMAT = 1  # of the text; a change that an earlier program would read wrongly gets the next number


def freeze_edition(edition: Edition) -> str:
    """Everything of the edition but its pictures' contents, which their names stand for; equal editions, equal text."""
    plain = asdict(replace(edition, pictures=()))
    plain["pictures"] = [
        {"name": each.name, "media_type": each.media_type, "width": each.width, "height": each.height}
        for each in edition.pictures
    ]
    plain["format"] = _FORMAT
    return json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def thaw_edition(frozen: str, pictures: dict[str, bytes]) -> Edition:
    """The edition of a frozen text, with its pictures' contents by name. Raises LedgerFailed for a later format."""
    plain = json.loads(frozen)
    if plain.pop("format", _FORMAT) > _FORMAT:
        raise LedgerFailed("the issue was frozen by a newer Dispatcher; update this one")
    plain["fields"] = tuple(Field(**each) for each in plain["fields"])
    plain["pictures"] = tuple(Picture(**each, content=pictures[each["name"]]) for each in plain["pictures"])
    return Edition(**plain)


def picture_names(frozen: str) -> list[str]:
    return [each["name"] for each in json.loads(frozen)["pictures"]]


def content_hash(frozen: str) -> str:
    """SHA-256 over all that reaches the reader; where in a file a field was written does not."""
    plain = json.loads(frozen)
    plain.pop("format", None)
    plain["fields"] = [each["source"] for each in plain["fields"]]
    return hashlib.sha256(json.dumps(plain, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
