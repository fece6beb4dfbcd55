"""Reads `[tool.dispatcher]` and the environment into one frozen Settings.

Long, because each setting is declared, read, checked and shown here, and nowhere else.
"""

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from dispatcher.errors import NotFound, SettingsWrong
from dispatcher.pyproject import line_of, line_of_table, settings_table
from dispatcher.tables import CanaryTable, DkimTable, PaceTable, RelayTable, read_table

_TOKEN_ROOM = 47  # characters of the longest token that goes into a local part, which holds 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a newsletter's folder and the machine say; every path is absolute."""

    folder: Path
    name: str = ""
    sender: str = ""  # the key `from`, a word Python keeps for itself
    reply_to: str | None = None
    postal_address: str = ""
    list: str = "readers"
    language: str = "en"
    timezone: str = "UTC"
    theme: str = "default"
    pictures: str = "hosted"
    relay: str = "maildir:outbox"
    relay_password: str | None = field(default=None, repr=False)
    relays: tuple[RelayTable, ...] = ()  # in the place of `relay`
    relay_passwords: Mapping[str, str] = field(default_factory=dict, repr=False)  # by the name of their variable
    pace: PaceTable = field(default_factory=PaceTable)
    dkim: DkimTable | None = None
    inbox_password: str | None = field(default=None, repr=False)
    hook_keys: Mapping[str, str] = field(default_factory=dict, repr=False)  # by provider
    database: str = "sqlite:///dispatcher.db"
    base_url: str = ""
    bounce_address: str | None = None
    inbox: str | None = None  # the Maildir or IMAP mailbox of the return path
    require_staging: bool = True
    retry_for: timedelta = timedelta(hours=24)
    grace: timedelta = timedelta()  # between the confirmation and the first message
    dead_after: timedelta = timedelta(seconds=60)  # a sender's silence; then others take over, where several send
    canary: CanaryTable | None = None
    utm: str = ""  # tags for an issue's links: "utm_source=weekly&utm_campaign={number}"; they name no reader
    open_lists: tuple[str, ...] = ()  # that anybody may join; empty: the default list
    mail_programs: str = "Gmail 35, Apple Mail 45, Outlook 10, Yahoo 5"  # percent of the readers
    tolerated_share: str = "2"  # percent of the readers for whom a style may do nothing
    secrets: tuple[str, ...] = field(
        default=(), repr=False
    )  # from DISPATCHER_SECRET; empty: the folder's dispatcher.key


_KEYS = {
    {"sender": "from"}.get(each.name, each.name): each
    for each in fields(Settings)
    if each.name not in {"folder", "relay_password", "relay_passwords", "inbox_password", "hook_keys", "secrets"}
}
_TABLES = {"pace": PaceTable, "dkim": DkimTable, "canary": CanaryTable}
_DURATIONS = {"retry_for", "grace", "dead_after"}
_ENVIRONMENT = {"relay": "DISPATCHER_RELAY", "database": "DISPATCHER_DATABASE", "base_url": "DISPATCHER_BASE_URL"}


_SHORTEST_LEASE = timedelta(seconds=1)
_HOOK = "DISPATCHER_HOOK_"  # and the provider: DISPATCHER_HOOK_MAILGUN
_PASSWORD = re.compile(r"(?i)://[^/@]*:.*@|[?&]\w*passw\w*=")
_LIST = re.compile(r"[\w][\w.-]{0,63}")
_UTM = re.compile(r"utm_[a-z]+=(?:[A-Za-z0-9._~-]|\{number\})+(?:&utm_[a-z]+=(?:[A-Za-z0-9._~-]|\{number\})+)*")


def find_folder(start: Path) -> Path:
    """The newsletter's folder: the nearest one, upwards, whose pyproject.toml has `[tool.dispatcher]`.

    Raises NotFound.
    """
    for folder in (start.resolve(), *start.resolve().parents):
        if settings_table(folder / "pyproject.toml") is not None:
            return folder
    raise NotFound(f"{start}: no newsletter here or above; make one with: dispatcher init DIR")


def load_settings(folder: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of the newsletter in `folder`. Raises SettingsWrong with every fault found."""
    path = folder / "pyproject.toml"
    table = settings_table(path)
    faults: list[str] = []
    values: dict[str, object] = {"folder": folder}
    for key, value in (table or {}).items():
        if key not in _KEYS:
            faults.append(f"{path}:{line_of(path, key)}: unknown setting {key!r}; did you mean {_nearest(key)!r}?")
        else:
            values[_KEYS[key].name], wrong = _read(path, key, value)
            faults += wrong
    if _PASSWORD.search(str(values.get("database", ""))):
        faults.append(f"{path}:{line_of(path, 'database')}: database holds a password; set PGPASSWORD in its place")
    for name, variable in _ENVIRONMENT.items():
        if environment.get(variable):
            values[name] = environment[variable]
    values["relay_password"] = environment.get("DISPATCHER_RELAY_PASSWORD") or None
    if environment.get("DISPATCHER_RELAY"):
        values["relays"] = ()
    values["relay_passwords"] = {name: each for name, each in environment.items() if name in _password_names(table)}
    values["inbox_password"] = environment.get("DISPATCHER_INBOX_PASSWORD") or None
    values["hook_keys"] = {
        name.removeprefix(_HOOK).lower(): key for name, key in environment.items() if name.startswith(_HOOK) and key
    }
    values["secrets"] = tuple(environment.get("DISPATCHER_SECRET", "").split())
    if faults:
        raise SettingsWrong("\n".join(faults))
    settings = Settings(**values)  # type: ignore[arg-type]
    faults = list(_contradictions(settings))
    if settings.dead_after < _SHORTEST_LEASE:
        faults.append(
            f"dead_after is {spoken_duration(settings.dead_after)}; no sender can show so soon that it lives; write 60s"
        )
    if faults:
        raise SettingsWrong("\n".join(f"{path}: {fault}" for fault in faults))
    return settings


def require_live(settings: Settings) -> None:
    """Raises SettingsWrong unless the settings allow mail to readers over a real relay."""
    missing = [
        key for key, value in (("from", settings.sender), ("postal_address", settings.postal_address)) if not value
    ]
    faults = [f"{key} is not set; a live send needs it" for key in missing]
    base = urlsplit(settings.base_url)
    if base.scheme != "https" and not is_loopback(base.hostname or ""):
        faults.append("base_url must be an https URL for a live send (http only on loopback)")
    if faults:
        raise SettingsWrong("\n".join(f"{settings.folder / 'pyproject.toml'}: {fault}" for fault in faults))


def masked(settings: Settings) -> dict[str, str]:
    """Every setting as text for `dispatcher config`, secrets hidden."""
    shown: dict[str, str] = {"folder": str(settings.folder)}
    for key, setting in _KEYS.items():
        value = getattr(settings, setting.name)
        shown[key] = _shown(value)
    shown["relays"] = ", ".join(each.url for each in settings.relays)
    shown["pace"] = "limited" if settings.pace != PaceTable() else ""
    shown["dkim"] = f"{settings.dkim.selector}, by {settings.dkim.key}" if settings.dkim else ""
    for key in ("relay", "database"):
        shown[key] = re.sub(r"(://[^:/@]*):.*@", r"\1:hidden@", shown[key])
        shown[key] = re.sub(r"(?i)([?&]\w*passw\w*=)[^&]*", r"\1hidden", shown[key])
    for key in _DURATIONS:
        shown[key] = spoken_duration(getattr(settings, key))
    shown["canary"] = f"{settings.canary.readers} readers, then {settings.canary.wait}" if settings.canary else ""
    shown["relay password"] = "set, hidden" if settings.relay_password else "not set"
    shown["secret"] = (
        f"{len(settings.secrets)} from DISPATCHER_SECRET, hidden"
        if settings.secrets
        else "dispatcher.key in the folder"
    )
    return shown


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def is_loopback(host: str) -> bool:
    """Whether a host name or address stays on this machine."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def parse_duration(text: str) -> timedelta:
    """`90s`, `15m`, `24h`, `2d`, or `0`. Raises ValueError."""
    match = re.fullmatch(r"(\d{1,6})([smhd]?)", text.strip())
    if not match or (not match[2] and match[1] != "0"):
        raise ValueError(f"{text!r} is not a duration; write it as 90s, 15m, 24h or 2d")
    return timedelta(seconds=int(match[1]) * {"": 0, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]])


def shares_of(mail_programs: str) -> dict[str, int] | None:
    """`Gmail 35, Apple Mail 45`: the percent of readers who use each; None if it is written otherwise."""
    parts = [part.strip() for part in mail_programs.split(",") if part.strip()]
    found = [re.fullmatch(r"([A-Za-z][A-Za-z ]*?) (\d{1,3}) ?%?", part) for part in parts]
    return {each[1]: int(each[2]) for each in found if each} if all(found) else None


def spoken_duration(duration: timedelta) -> str:
    seconds = int(duration.total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % length == 0 and (unit != "d" or seconds > length):
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def _read(path: Path, key: str, value: object) -> tuple[object, list[str]]:
    """A setting's value, and every fault in it with its place."""
    if key in _TABLES:
        table, wrong = read_table(_TABLES[key], value, key)
        return table, [f"{path}:{line_of_table(path, key)}: {fault}" for fault in wrong]
    if key == "relays":
        return _read_relays(path, value)
    if problem := _wrong_type(key, value):
        return None, [f"{path}:{line_of(path, key)}: {key} {problem}"]
    return _as_setting(key, value), []


def _read_relays(path: Path, value: object) -> tuple[tuple[RelayTable, ...], list[str]]:
    if not isinstance(value, list):
        return (), [
            f"{path}:{line_of(path, 'relays')}: relays must be tables; write each as [[tool.dispatcher.relays]]"
        ]
    read = [read_table(RelayTable, each, "relays") for each in value]
    faults = [
        f"{path}:{line_of_table(path, 'relays', number)}: {fault}"
        for number, (_, wrong) in enumerate(read)
        for fault in wrong
    ]
    return tuple(relay for relay, _ in read if relay is not None), faults


def _password_names(table: Mapping[str, object] | None) -> set[str]:
    relays = (table or {}).get("relays")
    each_env = (
        [each.get("password_env") for each in relays if isinstance(each, dict)] if isinstance(relays, list) else []
    )
    return {name for name in each_env if isinstance(name, str)}


def _nearest(key: str) -> str:
    return max(_KEYS, key=lambda known: difflib.SequenceMatcher(a=key, b=known).ratio())


def _as_setting(key: str, value: object) -> object:
    if key in _DURATIONS:
        return parse_duration(str(value))
    return tuple(value) if isinstance(value, list) else value


def _wrong_type(key: str, value: object) -> str | None:
    if key == "require_staging":
        return None if isinstance(value, bool) else "must be true or false"
    if key == "open_lists":
        is_names = isinstance(value, list) and all(isinstance(name, str) and _LIST.fullmatch(name) for name in value)
        return None if is_names else 'must be names of lists: ["weekly", "events"]'
    if not isinstance(value, str):
        return "must be a text in quotes"
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        return "holds a control character; remove it"
    if key in _DURATIONS:
        try:
            parse_duration(value)
        except ValueError as error:
            return f"is wrong: {error}"
    return None


def _contradictions(settings: Settings) -> list[str]:
    faults = []
    for key, value in (("from", settings.sender), ("reply_to", settings.reply_to)):
        if value and not _is_mailbox(value):
            faults.append(f"{key} {value!r} is not one mail address; write it as Name <name@example.org>")
    if settings.pictures not in {"hosted", "inline"}:
        faults.append(f"pictures is {settings.pictures!r}; it is hosted or inline")
    if not re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", settings.language):
        faults.append(f"language {settings.language!r} is not a language tag such as en or zh-Hans")
    if settings.utm and not _UTM.fullmatch(settings.utm):
        wanted = 'write it like "utm_source=weekly&utm_medium=email&utm_campaign={number}"'
        faults.append(f"utm {settings.utm!r} is not made of UTM tags; {wanted}")
    if not _LIST.fullmatch(settings.list):
        faults.append(f"list {settings.list!r} is not a list's name; use letters, digits, - and _")
    try:
        ZoneInfo(settings.timezone)
    except (KeyError, ValueError, OSError):
        faults.append(f"timezone {settings.timezone!r} is unknown; write it as Europe/Berlin")
    if settings.base_url and not _is_base_url(settings.base_url):
        wanted = "it must start with https:// and name a host in ASCII"
        faults.append(f"base_url {settings.base_url!r} is no plain http or https URL; {wanted}")
    faults += _share_faults(settings)
    if settings.bounce_address is not None:
        faults += _bounce_address_faults(settings.bounce_address)
    faults += [
        f"a secret in DISPATCHER_SECRET has {len(secret)} characters; make it 32 or more"
        for secret in settings.secrets
        if len(secret) < 32
    ]
    return faults


def _share_faults(settings: Settings) -> list[str]:
    faults = []
    if shares_of(settings.mail_programs) is None:
        faults.append(f"mail_programs is {settings.mail_programs!r}; write it as Gmail 35, Outlook 10")
    if not re.fullmatch(r"[0-9]{1,2}", settings.tolerated_share):
        faults.append(f"tolerated_share is {settings.tolerated_share!r}; it is a number of percent, such as 2")
    return faults


def _bounce_address_faults(address: str) -> list[str]:
    local, _, domain = address.rpartition("@")
    if address.count("{token}") != 1 or "{token}" not in local or not _is_mailbox(address.replace("{token}", "a")):
        return [f"bounce_address {address!r} must hold {{token}} once, before the @: bounces+{{token}}@example.org"]
    if len(local) - len("{token}") + _TOKEN_ROOM > 64 or not domain:
        return [f"bounce_address {address!r} is too long: a local part has room for 17 characters beside the token"]
    return []


def _is_base_url(url: str) -> bool:
    """Scheme, host, perhaps a port and a path; no user, query, fragment, space or letter beyond ASCII."""
    if not re.fullmatch(r"https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?(/[!-~]*)?", url):
        return False
    return not re.search(r"[?#@<>\"]", url)


def _is_mailbox(text: str) -> bool:
    """One address, with or without a name before it."""
    address = r"[^@\s<>\"(),:;\\\[\]]+@[A-Za-z0-9.-]+\.[A-Za-z0-9-]+"
    return bool(re.fullmatch(rf"{address}|(\"[^\"]*\"|[^\"<>@,;:]*)\s*<{address}>", text.strip()))
