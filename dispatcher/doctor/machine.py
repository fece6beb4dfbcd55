"""Looks at this machine: who can read keys and database, how strong secrets are, where returned mail lies."""

import os
from collections.abc import Sequence
from pathlib import Path

from dispatcher.doctor.finding import LEDGER, Finding, error, fine, warning

_FEW_CHARACTERS = 10  # different ones: a secret of fewer was not drawn at random


def check_private(check: str, path: Path) -> list[Finding]:
    """A file that nobody else may read or write."""
    if not path.exists():
        return []
    if path.stat().st_mode & 0o077:
        return [error(check, f"others can read {path.name}", f"run: chmod 600 {path}")]
    return [fine(check, f"{path.name} is for your eyes only")]


def check_database(path: Path) -> list[Finding]:
    if not path.exists():
        return [fine("database", f"{path.name} is made by the first send or import")]
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        remedy = "give this user the right to write the file and its folder"
        return [error("database", f"{path} cannot be written", remedy, exit_code=LEDGER)]
    return check_private("database", path)


def check_secrets(secrets: Sequence[str]) -> list[Finding]:
    weak = [each for each in secrets if len(set(each)) < _FEW_CHARACTERS]
    if weak:
        remedy = "draw new ones: python -c 'import secrets; print(secrets.token_urlsafe(48))'; keep the old behind them"
        return [error("secret", f"{len(weak)} of {len(secrets)} secrets repeat few characters", remedy)]
    return [fine("secret", "strong enough")] if secrets else []


def check_inbox(inbox: Path | None, *, has_return_path: bool) -> list[Finding]:
    """The Maildir into which the mail server puts what comes back."""
    check = "inbox"
    if not has_return_path:
        remedy = 'set bounce_address = "bounces+{token}@YOUR-DOMAIN" if your relay allows it'
        return [warning(check, "messages have no return path of their own", remedy)]
    if inbox is None:
        remedy = "set inbox to the Maildir of the return path, and have `dispatcher inbox` run now and then"
        return [warning(check, "nobody reads what comes back", remedy)]
    if not all((inbox / each).is_dir() for each in ("new", "cur", "tmp")):
        remedy = f"in Postfix: virtual_mailbox_maps or ~/.forward with {inbox}/ (the slash makes it a Maildir)"
        return [error(check, f"{inbox} is no Maildir", remedy)]
    if not os.access(inbox / "new", os.R_OK | os.W_OK | os.X_OK):
        return [error(check, f"{inbox} cannot be read and written", "give this user the right to it")]
    return [fine(check, f"{inbox} is a Maildir, {sum(1 for _ in (inbox / 'new').iterdir())} unread")]
