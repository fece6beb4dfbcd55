"""Keeps lists in line with their files: `subscribers/NAME.csv` is the list NAME."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dispatcher.audience.address import read_address
from dispatcher.audience.csv_file import check_value, hash_file, read_header, read_people
from dispatcher.audience.language import is_tag
from dispatcher.errors import Fault, InputWrong, NotFound
from dispatcher.storage.database import Database
from dispatcher.storage.imports import Changes, Incoming, Person, TooManyVanished, apply_import
from dispatcher.storage.subscribers import (
    Dossier,
    dossier,
    everybody,
    file_hash,
    find_list,
    lists,
    membership_state,
    unsubscribe,
)

STAGING = "staging"
_NAME = re.compile(r"[\w][\w.-]{0,63}")
_MOST_FAULTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What reading a file came to; `faults` are rows left out, `None` changes mean the file was known already."""

    list_name: str
    changes: Changes | None
    faults: tuple[Fault, ...]


def file_of(folder: Path, list_name: str) -> Path:
    """Where a list's file is, whether it exists or not. Raises NotFound for what cannot be a list's name."""
    if not _NAME.fullmatch(list_name):
        raise NotFound(f"{list_name!r} is not a list's name; use letters, digits, - and _")
    return folder / "subscribers" / f"{list_name}.csv"


def bring_up_to_date(database: Database, folder: Path, list_name: str, *, skip_bad_rows: bool = False) -> Imported:
    """Reads the list's file if it changed since it was last read.

    Raises NotFound for a list that has neither file nor members, InputWrong with every fault of the file.
    """
    path = file_of(folder, list_name)
    if not path.exists():
        if find_list(database, list_name) is None:
            raise NotFound(_unknown_list(database, folder, list_name))
        return Imported(list_name=list_name, changes=None, faults=())
    if file_hash(database, list_name) == hash_file(path):
        return Imported(list_name=list_name, changes=None, faults=())
    return _import(database, folder, path, list_name, by_hand=False, keep_good_rows=skip_bad_rows)


def import_file(database: Database, folder: Path, path: Path, list_name: str) -> Imported:
    """Imports any file into a list by hand: good rows are stored, the others are in the result's faults.

    Only the list's own file ends memberships whose lines are gone. Raises NotFound, InputWrong.
    """
    file_of(folder, list_name)
    return _import(database, folder, path, list_name, by_hand=True, keep_good_rows=True)


def add_person(
    database: Database,
    email: str,
    list_name: str,
    *,
    name: str | None,
    language: str | None,
    attributes: Mapping[str, str],
) -> Changes:
    """Adds one person, or corrects what is known of him. Raises InputWrong for what no file could hold either."""
    file_of(Path(), list_name)
    try:
        if reserved := {"email", "name", "language"} & {*attributes}:
            raise ValueError(f"{min(reserved)} is no attribute")  # noqa: TRY301
        address = read_address(email)
        for what, value in {"name": name or "", **attributes}.items():
            check_value(what, value)
        if language is not None and not is_tag(language):
            raise ValueError(f"{language!r} is not a language tag such as en or zh-Hans")  # noqa: TRY301
    except ValueError as error:
        raise InputWrong([Fault(path=email, message=str(error), remedy="correct it")]) from error
    if membership_state(database, list_name, address.key) == "unsubscribed":
        raise InputWrong([Fault(path=email, message=f"left {list_name}", remedy="only the reader himself can return")])
    person = Person(
        line=1,
        email=address.email,
        address_key=address.key,
        domain=address.domain,
        name=(name or "").strip() or None,
        language=language,
        attributes={key: value.strip() or None for key, value in attributes.items()},
    )
    incoming = Incoming(
        list_name=list_name,
        path=email,
        people=[person],
        has_name=name is not None,
        has_language=language is not None,
        source="added",
    )
    changes = apply_import(database, incoming, [], keep_good_rows=False, guard=False)
    if changes.stayed_away:
        raise InputWrong([Fault(path=email, message="left every list", remedy="only the reader himself can return")])
    return changes


def find_person(database: Database, address: str) -> Dossier:
    """Everything known about the person with this address. Raises NotFound."""
    try:
        person = dossier(database, read_address(address).key)
    except ValueError as error:
        raise NotFound(f"{address}: {error}") from error
    if person is None:
        raise NotFound(f"{address}: nobody has this address")
    return person


def roll(database: Database, list_name: str) -> list[dict[str, str | int | None]]:
    """Everybody who is or was on a list, with how he stands to it. Raises NotFound."""
    if find_list(database, list_name) is None:
        raise NotFound(f"no list {list_name!r}; `dispatcher subscribers list` shows the lists")
    return [
        {"email": row.email, "name": row.name, "language": row.language, "state": row.state, "source": row.source}
        for row in everybody(database, list_name)
    ]


def take_off(database: Database, address: str, list_name: str | None) -> list[str]:
    """Unsubscribes a person from one list, or from all. Returns the lists left. Raises NotFound."""
    person = find_person(database, address)
    if list_name is None:
        return unsubscribe(database, person.id, list_id=None, channel="operator")
    list_id = find_list(database, list_name)
    if list_id is None or list_name not in {each.list_name for each in person.memberships}:
        raise NotFound(f"{address}: is not on a list {list_name!r}")
    return unsubscribe(database, person.id, list_id=list_id, channel="operator")


def _import(
    database: Database, folder: Path, path: Path, list_name: str, *, by_hand: bool, keep_good_rows: bool
) -> Imported:
    shown = _shown(path, folder)
    own_file = path.resolve() == file_of(folder, list_name).resolve()
    fingerprint = hash_file(path)
    header = read_header(path, shown=shown)
    faults: list[Fault] = []
    incoming = Incoming(
        list_name=list_name,
        path=shown,
        people=read_people(path, header, shown=shown, faults=faults),
        has_name=header.has_name,
        has_language=header.has_language,
        source="file" if own_file else "import",
        file_hash=fingerprint if own_file else None,
    )
    try:
        changes = apply_import(database, incoming, faults, keep_good_rows=keep_good_rows, guard=not by_hand)
    except InputWrong as error:
        raise InputWrong(_first(error.faults, shown)) from error
    except TooManyVanished as error:
        raise InputWrong([_vanished(error, shown, list_name)]) from error
    return Imported(list_name=list_name, changes=changes, faults=tuple(_first(faults, shown)))


def _first(faults: Sequence[Fault], shown: str) -> list[Fault]:
    ordered = sorted(faults, key=lambda fault: fault.line or 0)
    if len(ordered) <= _MOST_FAULTS:
        return ordered
    rest = Fault(path=shown, message=f"{len(ordered) - _MOST_FAULTS} more faults like these")
    return [*ordered[:_MOST_FAULTS], rest]


def _vanished(error: TooManyVanished, shown: str, list_name: str) -> Fault:
    return Fault(
        path=shown,
        message=f"{error.vanished} of {error.before} people on {list_name} are no longer in the file",
        remedy=f"if that is meant, run: dispatcher subscribers import {shown} --list {list_name}",
    )


def _unknown_list(database: Database, folder: Path, name: str) -> str:
    known = {path.stem for path in (folder / "subscribers").glob("*.csv")} | {each.name for each in lists(database)}
    have = f"the lists are {', '.join(sorted(known))}" if known else "there are no lists yet"
    return f"no list {name!r}: {have}; make it with subscribers/{name}.csv"


def _shown(path: Path, folder: Path) -> str:
    try:
        return str(path.resolve().relative_to(folder.resolve()))
    except ValueError:
        return str(path)
