"""Shows everything known about one reader."""

from dispatcher.storage.subscribers import Dossier


def as_text(person: Dossier) -> str:
    lines = [person.email]
    lines += [f"  {key}: {value}" for key, value in _facts(person).items() if value]
    lines += [f"  {key}: {value}" for key, value in person.attributes.items()]
    for each in person.memberships:
        lines.append(
            f"  list {each.list_name}: {each.state} since {each.changed_at:%Y-%m-%d %H:%M} UTC ({each.source})"
        )
    for event in person.history:
        lines.append(f"  {event.at:%Y-%m-%d %H:%M} UTC: {event.kind} {event.list_name or ''} ({event.channel})")
    return "\n".join(lines)


def as_plain(person: Dossier) -> dict[str, object]:
    return {
        "email": person.email,
        **_facts(person),
        "attributes": dict(person.attributes),
        "lists": [
            {
                "list": each.list_name,
                "state": each.state,
                "source": each.source,
                "since": each.changed_at.isoformat(timespec="seconds"),
            }
            for each in person.memberships
        ],
        "history": [
            {
                "at": event.at.isoformat(timespec="seconds"),
                "what": event.kind,
                "list": event.list_name,
                "how": event.channel,
            }
            for event in person.history
        ],
    }


def _facts(person: Dossier) -> dict[str, str | None]:
    return {
        "name": person.name,
        "language": person.language,
        "known since": person.created_at.isoformat(timespec="seconds"),
        "left every list": person.left_at.isoformat(timespec="seconds") if person.left_at else None,
    }
