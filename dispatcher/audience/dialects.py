"""Knows the CSV exports of other newsletter programs by their columns, and says what their rows mean in ours."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dispatcher.storage.standing import Cause

Cells = Mapping[str, str]

_TAGS = frozenset({"tags", "labels"})
_JSON_COLUMNS = frozenset({"attributes", "metadata"})
_NAME_PARTS = ("first name", "last name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one program writes its lists; `marks` are columns, in lower case, that no other file has together."""

    name: str = ""
    marks: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = field(default_factory=dict)  # column → email, name, language or an attribute
    dropped: frozenset[str] = frozenset()  # columns that are that program's own business
    cause: Callable[[Cells], Cause | None] = lambda _cells: None  # why nobody may mail the person of a row
    consented: tuple[str, ...] = ()  # columns with the time of a sign-up, the first that holds one counts
    confirmed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    cells: Cells
    cause: Cause | None
    consented_at: datetime | None
    confirmed_at: datetime | None


OWN = Dialect()


def find_dialect(columns: Sequence[str]) -> Dialect:
    """Whose export has these columns; our own for any other."""
    known = {column.strip().lower() for column in columns}
    return next((dialect for dialect in DIALECTS if dialect.marks <= known), OWN)


def translate(dialect: Dialect, cells: Cells) -> Row:
    """A row of a foreign file in our columns. Raises ValueError for attributes that cannot be read."""
    low = {column.strip().lower(): cell.strip() for column, cell in cells.items()}
    ours: dict[str, str] = {}
    for column, cell in low.items():
        if column in _JSON_COLUMNS:
            ours |= {attribute_name(key): value for key, value in _spread_json(cell).items()}
        elif column not in dialect.dropped and column not in _NAME_PARTS:
            name = dialect.renamed.get(column) or attribute_name(column)
            ours[name] = _tidy_tags(cell) if column in _TAGS else cell
    if not ours.get("name"):
        ours["name"] = " ".join(low[part] for part in _NAME_PARTS if low.get(part))
    return Row(
        cells=ours,
        cause=dialect.cause(low),
        consented_at=_first_time(low, dialect.consented),
        confirmed_at=_first_time(low, dialect.confirmed),
    )


def attribute_name(column: str) -> str:
    """A name that templates and expressions can speak: `Phone Number` is `phone_number`."""
    return re.sub(r"\W+", "_", column.strip()).strip("_").lower()


def _first_time(cells: Cells, columns: Sequence[str]) -> datetime | None:
    return next((moment for column in columns if (moment := _read_time(cells.get(column, "")))), None)


def _spread_json(text: str) -> dict[str, str]:
    """Attributes out of a cell that holds a JSON object; what is no plain value stays JSON, a list becomes `a; b`."""
    try:
        found = json.loads(text or "{}")
    except ValueError as error:
        raise ValueError("the attributes are not JSON") from error
    if not isinstance(found, dict):
        raise ValueError("the attributes are no JSON object")  # noqa: TRY004  a fault of the file
    return {str(key): _plain(value) for key, value in found.items() if value not in (None, "", [], {})}


def _read_time(text: str) -> datetime | None:
    """A time as these programs write it, in UTC where they do not say."""
    try:
        moment = datetime.fromisoformat(re.sub(r" (?=[+-])", "", text.strip().removesuffix("UTC").strip()))
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _tidy_tags(text: str) -> str:
    """`"a","b"` and `a,b` as `a; b`."""
    return "; ".join(part.strip(" \"'[]") for part in text.split(",") if part.strip(" \"'[]"))


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(each, str | int | float) for each in value):
        return "; ".join(str(each) for each in value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _listmonk(cells: Cells) -> Cause | None:
    return {"blocklisted": Cause.OPERATOR, "disabled": Cause.LEFT}.get(cells.get("status", "").lower())


def _mailchimp(cells: Cells) -> Cause | None:
    """The three files of an export differ by their columns: subscribed, unsubscribed, cleaned."""
    if cells.get("clean_time"):
        return Cause.BOUNCED
    if not cells.get("unsub_time"):
        return None
    is_complaint = re.search(r"spam|abuse", cells.get("unsub_reason", ""), re.IGNORECASE)
    return Cause.COMPLAINED if is_complaint else Cause.LEFT


def _substack(cells: Cells) -> Cause | None:
    return Cause.LEFT if _is_true(cells.get("email_disabled", "")) else None


def _buttondown(cells: Cells) -> Cause | None:
    kind = (cells.get("type") or cells.get("subscriber_type") or "").lower()
    return {
        "unsubscribed": Cause.LEFT,
        "removed": Cause.LEFT,
        "unactivated": Cause.LEFT,  # never confirmed: not ours to mail either
        "undeliverable": Cause.BOUNCED,
        "complained": Cause.COMPLAINED,
        "blocked": Cause.OPERATOR,
        "malicious": Cause.OPERATOR,
    }.get(kind)


def _ghost(cells: Cells) -> Cause | None:
    if cells.get("deleted_at"):
        return Cause.LEFT
    return None if _is_true(cells.get("subscribed_to_emails", "")) else Cause.LEFT


def _is_true(text: str) -> bool:
    return text.strip().lower() in {"true", "1", "yes"}


DIALECTS = (
    Dialect(
        name="listmonk",
        marks=frozenset({"uuid", "email", "name", "attributes", "status"}),
        dropped=frozenset({"uuid", "status", "created_at", "updated_at"}),
        cause=_listmonk,
        consented=("created_at",),
    ),
    Dialect(
        name="Mailchimp",
        marks=frozenset({"email address", "leid", "euid"}),
        renamed={"email address": "email", "language": "language"},
        dropped=frozenset(
            "member_rating optin_time optin_ip confirm_time confirm_ip latitude longitude gmtoff dstoff timezone cc"
            " region last_changed leid euid unsub_time unsub_campaign_title unsub_campaign_id unsub_reason"
            " unsub_reason_other clean_time clean_campaign_title clean_campaign_id".split()
        ),
        cause=_mailchimp,
        consented=("optin_time", "confirm_time"),
        confirmed=("confirm_time",),
    ),
    Dialect(
        name="Substack",
        marks=frozenset({"email", "active_subscription", "email_disabled"}),
        dropped=frozenset({"email_disabled", "digest_enabled", "created_at", "first_payment_at", "expiry"}),
        cause=_substack,
        consented=("created_at",),
    ),
    *(
        Dialect(
            name="Buttondown",
            marks=frozenset({email, "creation_date", kind}),
            renamed={"email_address": "email"},
            dropped=frozenset(
                "id type subscriber_type creation_date secondary_id referrer_url source utm_campaign utm_medium"
                " utm_source ip_address avatar_url last_open_date last_click_date undeliverability_date"
                " undeliverability_reason unsubscription_date unsubscription_reason".split()
            ),
            cause=_buttondown,
            consented=("creation_date",),
        )
        for email in ("email", "email_address")
        for kind in ("type", "subscriber_type")
    ),
    Dialect(
        name="Ghost",
        marks=frozenset({"email", "subscribed_to_emails"}),
        dropped=frozenset(
            "id subscribed_to_emails complimentary_plan stripe_customer_id created_at deleted_at".split()
        ),
        cause=_ghost,
        consented=("created_at",),
    ),
)
