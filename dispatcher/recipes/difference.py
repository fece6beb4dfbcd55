"""The recipe of `dispatcher diff 29`: what a reader would see differently since the last staging, or a revision."""

import io
import subprocess
import tarfile
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from dispatcher.config import Settings
from dispatcher.content.message.build import make_skeleton, merged_html, merged_text, neutral_reader
from dispatcher.content.message.merge import Unfilled
from dispatcher.content.source.issue import find_issue, issue_number, load_issue
from dispatcher.desk.difference import Seen, differences
from dispatcher.errors import NotFound
from dispatcher.models import Edition, Kind
from dispatcher.recipes.editions import Editions, compose_editions, load_named, thaw_editions
from dispatcher.storage.database import find_database
from dispatcher.storage.mailings import find_mailing


def difference(settings: Settings, what: str, since: str | None) -> list[str]:
    """The lines to print, none where nothing differs. Raises NotFound, and InputWrong for what cannot be drawn."""
    folder = find_issue(settings.folder, what)
    before = _staged(settings, issue_number(folder)) if since is None else _at_revision(settings, folder, since)
    after = compose_editions(load_named(settings, what), settings, label_missing=True)
    languages = dict.fromkeys((*after.by_language, *before.by_language))
    return [line for language in languages
            for line in differences(_seen(before, language), _seen(after, language), language)]  # fmt: skip


def _staged(settings: Settings, number: int) -> Editions:
    """The editions as they were last sent to the staging list."""
    if (database := find_database(settings.database, settings.folder)) is not None:
        with closing(database):
            if mailing := find_mailing(database, number, Kind.STAGING):
                return thaw_editions(database, mailing.id)[0]
    remedy = f"send it with send-issue {number} --staging, or name a git revision with --since"
    raise NotFound(f"issue {number} has not been sent to staging from here; {remedy}")


def _at_revision(settings: Settings, folder: Path, revision: str) -> Editions:
    """The editions as the files of a git revision make them."""
    with tempfile.TemporaryDirectory() as name:
        then = Path(name)
        with tarfile.open(fileobj=io.BytesIO(_archived(settings.folder, revision))) as files:
            files.extractall(then, filter="data")
        issue = load_issue(then / folder.relative_to(settings.folder), root=then, default_language=settings.language)
        return compose_editions(issue, replace(settings, folder=then), label_missing=True)


def _archived(folder: Path, revision: str) -> bytes:
    """The newsletter's issues and templates at a revision, as a tar file. Raises NotFound."""
    if revision.startswith("-"):
        raise NotFound(f"{revision!r} is no git revision")
    listed = _git(folder, revision, "ls-tree", "--name-only", revision, "--", "issues", "templates")
    return _git(folder, revision, "archive", revision, "--", *listed.decode().split())


def _git(folder: Path, revision: str, *command: str) -> bytes:
    try:
        return subprocess.run(["git", "-C", folder, *command], check=True, capture_output=True).stdout
    except FileNotFoundError as error:
        raise NotFound("git is not installed") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        raise NotFound(f"{revision}: {said[0] if said else 'git does not know it'}") from error


def _seen(editions: Editions, language: str) -> Seen | None:
    """What nobody in particular gets of an edition."""
    edition = editions.by_language.get(language)
    if edition is None:
        return None
    skeleton = make_skeleton(edition)
    reader = neutral_reader(skeleton, language)
    links = {"unsubscribe_url": "https://leave.invalid/", "view_url": "https://view.invalid/"}
    html, text = merged_html(skeleton, reader, **links), merged_text(skeleton, reader, **links)
    return Seen(
        html="" if isinstance(html, Unfilled) else html,
        text="" if isinstance(text, Unfilled) else text,
        headers=_headers(edition),
    )


def _headers(edition: Edition) -> dict[str, str]:
    return {"Subject": edition.subject, "From": edition.sender, "Reply-To": edition.reply_to or ""}
