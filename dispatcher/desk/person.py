"""Shows everything known about one reader."""

from datetime import datetime

from dispatcher.storage.dossiers import Dossier, Membership, Request
from dispatcher.storage.suppressions import Suppression


def as_text(
    address: str, person: Dossier | None, suppression: Suppression | None, requests: tuple[Request, ...]
) -> str:
    lines = [person.email if person else address]
    if needs_smtputf8(lines[0]):
        lines.append("  beyond ASCII: only a relay that offers SMTPUTF8 can take mail to it")
    if suppression is not None:
        why = f", {suppression.note}" if suppression.note else ""
        lines.append(f"  kept from all lists: {suppression.cause} since {_minute(suppression.at)} "
                     f"({suppression.channel}{why})")  # fmt: skip
    lines += [
        f"  asked for {each.list_name} on {_minute(each.asked_at)} ({each.channel}), not confirmed" for each in requests
    ]
    if person is None:
        return "\n".join(lines)
    lines += [f"  {key}: {value}" for key, value in _facts(person).items() if value]
    lines += [f"  {key}: {value}" for key, value in person.attributes.items()]
    for each in person.memberships:
        until = f" until {_minute(each.until)}" if each.until else ""
        lines.append(f"  list {each.list_name}: {each.state}{until} since {_minute(each.changed_at)} ({each.source})")
        lines += [f"    {words}" for words in _consent(each)]
    for event in person.history:
        note = f": {event.note}" if event.note else ""
        lines.append(
            f"  {_minute(event.at)}: {event.kind} {event.list_name or ''}".rstrip() + f" ({event.channel}){note}"
        )
    for issue in person.issues:
        when = _minute(issue.settled_at or issue.first_attempt_at) if issue.settled_at or issue.first_attempt_at else ""
        said = f": {issue.said}" if issue.said else ""
        lines.append(f"  issue {issue.issue} ({issue.kind}, {issue.edition}): {issue.state} {when}".rstrip() + said)
    for back in person.came_back:
        about = f" about issue {back.issue}" if back.issue is not None else ""
        why = ", ".join(filter(None, (back.cause, back.action)))
        lines.append(f"  {_minute(back.at)}: {back.kind}{about} ({why})" + (f": {back.said}" if back.said else ""))
    lines += [f"  {_minute(each.at)}: a link was mailed ({each.kind}, {each.state})" for each in person.small_mails]
    return "\n".join(lines)


def as_plain(
    address: str, person: Dossier | None, suppression: Suppression | None, requests: tuple[Request, ...]
) -> dict[str, object]:
    """The same for programs, and for the person himself: everything that is kept."""
    email = person.email if person else address
    plain: dict[str, object] = {"email": email, "needs_smtputf8": needs_smtputf8(email)}
    if suppression is not None:
        plain["kept_from_all_lists"] = {
            "why": suppression.cause.value,
            "since": _iso(suppression.at),
            "how": suppression.channel,
            "note": suppression.note,
        }
    plain["asked_for"] = [
        {"list": each.list_name, "at": _iso(each.asked_at), "how": each.channel, "network": each.network}
        for each in requests
    ]
    if person is None:
        return plain
    return plain | {
        **{key.replace(" ", "_"): value for key, value in _facts(person).items()},
        "attributes": dict(person.attributes),
        "lists": [
            {
                "list": each.list_name,
                "state": each.state,
                "source": each.source,
                "since": _iso(each.changed_at),
                "until": _iso(each.until),
                "file": each.file,
                "consent": {
                    "at": _iso(each.consented_at),
                    "confirmed_at": _iso(each.confirmed_at),
                    "wording": each.wording,
                    "network": each.network,
                },
            }
            for each in person.memberships
        ],
        "history": [
            {
                "at": _iso(event.at),
                "what": event.kind,
                "list": event.list_name,
                "how": event.channel,
                "note": event.note,
            }
            for event in person.history
        ],
        "issues": [
            {
                "issue": issue.issue,
                "kind": issue.kind,
                "edition": issue.edition,
                "list": issue.list_name,
                "state": issue.state,
                "first_attempt_at": _iso(issue.first_attempt_at),
                "settled_at": _iso(issue.settled_at),
                "said": issue.said,
            }
            for issue in person.issues
        ],
        "came_back": [
            {
                "at": _iso(back.at),
                "what": back.kind,
                "issue": back.issue,
                "cause": back.cause,
                "said": back.said,
                "action": back.action,
            }
            for back in person.came_back
        ],
        "links_mailed": [{"at": _iso(each.at), "kind": each.kind, "state": each.state} for each in person.small_mails],
    }


def needs_smtputf8(email: str) -> bool:
    """RFC 6531; the domain is kept in A-labels, so that this is about the local part."""
    return not email.isascii()


def _facts(person: Dossier) -> dict[str, str | None]:
    return {
        "name": person.name,
        "language": person.language,
        "known since": _iso(person.created_at),
        "left every list": _iso(person.left_at),
        "lets himself be counted since": _iso(person.agreed_to_tracking_at),
    }


def _consent(each: Membership) -> list[str]:
    words = []
    if each.file:
        words.append(f"brought by {each.file}")
    if each.consented_at:
        words.append(f"asked for on {_minute(each.consented_at)}" + (f" from {each.network}" if each.network else ""))
    if each.confirmed_at:
        words.append(
            f"confirmed on {_minute(each.confirmed_at)}" + (f", wording {each.wording}" if each.wording else "")
        )
    return words


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else ""


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
