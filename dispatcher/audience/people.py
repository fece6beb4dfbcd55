"""What an operator does for one person: add, find, take off a list, suppress, forget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dispatcher.audience.address import Address, read_address
from dispatcher.audience.csv_file import check_value
from dispatcher.audience.language import is_tag
from dispatcher.audience.lists import file_of
from dispatcher.errors import Fault, InputWrong, NotFound
from dispatcher.expressions import Expression
from dispatcher.storage.database import Database
from dispatcher.storage.dossiers import Dossier, Request, dossier, pending_requests
from dispatcher.storage.erasure import Erased, forget
from dispatcher.storage.imports import Changes, Incoming, Person, apply_import
from dispatcher.storage.keys import remember_key
from dispatcher.storage.memberships import leave
from dispatcher.storage.standing import Cause, Channel, Standing
from dispatcher.storage.subscribers import everybody, find_list, membership_state
from dispatcher.storage.suppressions import Suppression, find_suppression, lift, suppress
from dispatcher.tokens import Keyring

_ONLY_HIMSELF = "only the reader himself can return; `dispatcher subscribers invite` asks him"


def add_person(
    database: Database,
    keyring: Keyring,
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
    if membership_state(database, list_name, address.key) == Standing.UNSUBSCRIBED:
        raise InputWrong([Fault(path=email, message=f"left {list_name}", remedy=_ONLY_HIMSELF)])
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
        channel=Channel.ADDED,
    )
    changes = apply_import(database, keyring, incoming, [], keep_good_rows=False, guard=False)
    for why in changes.away:
        raise InputWrong([_stays_away(email, why)])
    return changes


def find_person(database: Database, address: str) -> Dossier:
    """Everything known about the person with this address. Raises NotFound."""
    person = dossier(database, _address(address).key)
    if person is None:
        raise NotFound(f"{address}: nobody has this address")
    return person


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All that is known about an address, whether there is a person behind it or only a suppression."""

    address: str
    person: Dossier | None
    suppression: Suppression | None
    requests: tuple[Request, ...]  # sign-ups that were not confirmed


def everything_about(database: Database, keyring: Keyring, address: str) -> Known:
    """Raises NotFound if nothing is known."""
    key = _address(address).key
    known = Known(
        address=address,
        person=dossier(database, key),
        suppression=find_suppression(database, keyring, key),
        requests=pending_requests(database, key),
    )
    if known.person is None and known.suppression is None and not known.requests:
        raise NotFound(f"{address}: nobody has this address")
    return known


def erase(database: Database, keyring: Keyring, address: str) -> Erased:
    """Erases a person; a keyed hash stays, so that no file brings him back. Raises NotFound for what is no address."""
    remember_key(database, keyring.secrets[0])
    return forget(database, keyring, _address(address).key, Channel.OPERATOR)


def read_addresses(path: Path) -> list[str]:
    """One address a line; empty lines and what stands behind # count for nothing. Raises NotFound."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise NotFound(f"{path}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
    return [address for line in lines if (address := line.partition("#")[0].strip().strip(",;"))]


def roll(database: Database, list_name: str, where: Expression | None = None) -> list[dict[str, str | int | None]]:
    """Everybody who is or was on a list, with how he stands to it; with `where` only active readers whom it names.

    Raises NotFound.
    """
    if find_list(database, list_name) is None:
        raise NotFound(f"no list {list_name!r}; `dispatcher subscribers list` shows the lists")
    return [
        {"email": row.email, "name": row.name, "language": row.language, "state": row.state, "source": row.source}
        for row in everybody(database, list_name, where)
    ]


def take_off(database: Database, address: str, list_name: str | None, *, by: Channel = Channel.OPERATOR) -> list[str]:
    """Unsubscribes a person from one list, or from all. Returns the lists left. Raises NotFound."""
    person = find_person(database, address)
    if list_name is None:
        return list(leave(database, person.id, list_id=None, by=by).lists)
    list_id = find_list(database, list_name)
    if list_id is None or list_name not in {each.list_name for each in person.memberships}:
        raise NotFound(f"{address}: is not on a list {list_name!r}")
    return list(leave(database, person.id, list_id=list_id, by=by).lists)


def keep_off(database: Database, keyring: Keyring, addresses: Sequence[str]) -> int:
    """Suppresses addresses, known or not: all or none. Returns for how many that is news. Raises InputWrong."""
    faults, good = [], []
    for line, text in enumerate(addresses, start=1):
        try:
            good.append(read_address(text))
        except ValueError as error:
            faults.append(Fault(path=text, line=line, message=str(error), remedy="correct or remove it"))
    if faults:
        raise InputWrong(faults[:100])
    remember_key(database, keyring.secrets[0])
    return sum(suppress(database, keyring, each.key, Cause.OPERATOR, Channel.OPERATOR) for each in good)


def let_back(database: Database, keyring: Keyring, address: str, reason: str) -> Suppression:
    """Lifts what keeps an address from all lists. Raises NotFound if nothing does."""
    found = lift(database, keyring, _address(address).key, Channel.OPERATOR, note=reason)
    if found is None:
        raise NotFound(f"{address}: is not suppressed")
    return found


def _address(text: str) -> Address:
    try:
        return read_address(text)
    except ValueError as error:
        raise NotFound(f"{text}: {error}") from error


def _stays_away(email: str, why: str) -> Fault:
    if why == Cause.LEFT:
        return Fault(path=email, message="left every list", remedy=_ONLY_HIMSELF)
    if why == Cause.BOUNCED:
        return Fault(path=email, message="mail to it came back for good", remedy=_ONLY_HIMSELF)
    remedy = "to lift that: dispatcher subscribers unsuppress ADDRESS --reason TEXT"
    return Fault(path=email, message=f"is kept from all lists ({why})", remedy=remedy)
