"""Keeps lists in line with their files: `subscribers/NAME.csv` is the list NAME."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dispatcher.audience.csv_file import hash_file, read_header, read_people
from dispatcher.errors import Fault, InputWrong, NotFound
from dispatcher.storage.database import Database, now
from dispatcher.storage.imports import Changes, Incoming, TooManyVanished, apply_import
from dispatcher.storage.preferences import end_pauses
from dispatcher.storage.standing import Channel
from dispatcher.storage.subscribers import file_hash, find_list, lists
from dispatcher.tokens import Keyring

STAGING = "staging"
_NAME = re.compile(r"[\w][\w.-]{0,63}")
_MOST_FAULTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What reading a file came to; `faults` are rows left out, `None` changes mean the file was known already."""

    list_name: str
    changes: Changes | None
    faults: tuple[Fault, ...]
    bad_rows: int = 0  # of which the faults name the first
    dialect: str = ""  # whose export the file is, if it is not one of ours


def file_of(folder: Path, list_name: str) -> Path:
    """Where a list's file is, whether it exists or not. Raises NotFound for what cannot be a list's name."""
    if not _NAME.fullmatch(list_name):
        raise NotFound(f"{list_name!r} is not a list's name; use letters, digits, - and _")
    return folder / "subscribers" / f"{list_name}.csv"


def require_list(database: Database, folder: Path, list_name: str) -> None:
    """Raises NotFound for a list that has neither file nor members."""
    if not file_of(folder, list_name).exists() and find_list(database, list_name) is None:
        raise NotFound(_unknown_list(database, folder, list_name))


def newness(database: Database, folder: Path, list_name: str) -> str:
    """What to say behind the name of a list that is about to be made, perhaps by a slip: which ones there are."""
    if file_of(folder, list_name).exists() or find_list(database, list_name) is not None:
        return ""
    known = _known_lists(database, folder)
    return f", a new list (there are {', '.join(known)})" if known else ", a new list"


def bring_up_to_date(
    database: Database, keyring: Keyring, folder: Path, list_name: str, *, skip_bad_rows: bool = False
) -> Imported:
    """Reads the list's file if it changed since it was last read, and ends pauses that are over.

    Raises NotFound for a list that has neither file nor members, InputWrong with every fault of the file.
    """
    path = file_of(folder, list_name)
    end_pauses(database, now())
    if not path.exists():
        require_list(database, folder, list_name)
        return Imported(list_name=list_name, changes=None, faults=())
    if file_hash(database, list_name) == hash_file(path):
        return Imported(list_name=list_name, changes=None, faults=())
    return _import(database, keyring, folder, path, list_name, by_hand=False, keep_good_rows=skip_bad_rows)


def import_file(
    database: Database, keyring: Keyring, folder: Path, path: Path, list_name: str, *, only_plan: bool = False
) -> Imported:
    """Imports any file into a list by hand: good rows are stored, the others are in the result's faults.

    Only the list's own file ends memberships whose lines are gone. With `only_plan` nothing is stored, and the result
    says what would be. Raises NotFound, InputWrong.
    """
    file_of(folder, list_name)
    return _import(database, keyring, folder, path, list_name, by_hand=True, keep_good_rows=True, only_plan=only_plan)


def _import(
    database: Database,
    keyring: Keyring,
    folder: Path,
    path: Path,
    list_name: str,
    *,
    by_hand: bool,
    keep_good_rows: bool,
    only_plan: bool = False,
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
        channel=Channel.FILE if own_file else Channel.IMPORT,
        file_hash=fingerprint if own_file else None,
    )
    try:
        changes = apply_import(
            database, keyring, incoming, faults, keep_good_rows=keep_good_rows, guard=not by_hand, only_plan=only_plan
        )
    except InputWrong as error:
        raise InputWrong(_first(error.faults, shown)) from error
    except TooManyVanished as error:
        raise InputWrong([_vanished(error, shown, list_name)]) from error
    return Imported(
        list_name=list_name,
        changes=changes,
        faults=tuple(_first(faults, shown)),
        bad_rows=len(faults),
        dialect=header.dialect.name,
    )


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
    known = _known_lists(database, folder)
    have = f"the lists are {', '.join(known)}" if known else "there are no lists yet"
    return f"no list {name!r}: {have}; make it with subscribers/{name}.csv"


def _known_lists(database: Database, folder: Path) -> list[str]:
    return sorted(
        {path.stem for path in (folder / "subscribers").glob("*.csv")} | {each.name for each in lists(database)}
    )


def _shown(path: Path, folder: Path) -> str:
    try:
        return str(path.resolve().relative_to(folder.resolve()))
    except ValueError:
        return str(path)
