"""Says what an import did, or would do."""

from dispatcher.storage.imports import Changes


def as_text(list_name: str, changes: Changes, *, dialect: str, only_plan: bool, bad_rows: int = 0) -> str:
    """One line for the list, and one for those who stay away, by reason."""
    parts = [
        f"{changes.read:,} {'row' if changes.read == 1 else 'rows'} read",
        f"{changes.joined:,} joined",
        f"{changes.changed:,} changed",
        f"{changes.unchanged:,} unchanged",
        f"{changes.vanished:,} no longer in the file",
    ]
    lines = [f"{'plan, nothing is stored: ' if only_plan else ''}{list_name}: {', '.join(parts)}"]
    if dialect:
        lines.insert(0, f"read as an export of {dialect}")
    if bad_rows:
        lines.append(f"{bad_rows:,} bad {'row was' if bad_rows == 1 else 'rows were'} not stored")
    if changes.away:
        reasons = ", ".join(f"{people:,} {why}" for why, people in sorted(changes.away.items()))
        lines.append(f"skipped, who stay away: {reasons}")
    if changes.beyond_ascii:
        lines.append(f"beyond ASCII, only a relay that offers SMTPUTF8 takes mail to them: {changes.beyond_ascii:,}")
    if changes.suppressed:
        lines.append(f"suppressed, as the file says that they left or bounced: {changes.suppressed:,}")
    return "\n".join(lines)
