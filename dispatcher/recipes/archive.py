"""The recipe of `dispatcher archive --out DIR`: a static site of what has gone out, with nobody's data in it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from dispatcher.config import Settings
from dispatcher.content.message.build import make_skeleton, merged_html, merged_text, neutral_reader
from dispatcher.content.personal import without_marks
from dispatcher.content.source.issue import Draft, Issue, issue_folders, load_issue
from dispatcher.desk import screen
from dispatcher.desk.archive_site import LEAVE, VIEW, Entry, atom_feed, front_page, issue_page, sitemap
from dispatcher.errors import Fault, InputWrong, NotFound
from dispatcher.models import Edition
from dispatcher.recipes.editions import Editions, compose_editions, filled
from dispatcher.recipes.newsletter import base_url

_UP = "../../.."  # from issues/29/en/index.html to the site's root


@dataclass(frozen=True, slots=True, kw_only=True)
class _Receipt:
    """What issues/29/receipt.json says that the archive needs."""

    sent_at: datetime
    editions: Mapping[str, str]  # language: content hash


def archive(settings: Settings, out: Path, *, with_unsent: bool) -> list[Path]:
    """Writes the site and returns its pages; the same files give the same bytes.

    What has been sent is known by its receipt, so that the site can be made from a clone alone. Raises NotFound if
    there is nothing to show.
    """
    entries: list[Entry] = []
    pictures: dict[str, bytes] = {}
    for folder in issue_folders(settings.folder):
        receipt = _receipt(folder / "receipt.json")
        if receipt is None and not with_unsent:
            continue
        issue = load_issue(folder, root=settings.folder, default_language=settings.language)
        editions = compose_editions(issue, settings)
        entries += _entries(settings, issue, editions, receipt)
        pictures |= {each.name: each.content for edition in editions.by_language.values() for each in edition.pictures}
    if not entries:
        raise NotFound("no issue has been sent live from here yet; --with-unsent takes those as well")
    return _written(settings, out, entries, pictures)


def _entries(settings: Settings, issue: Issue, editions: Editions, receipt: _Receipt | None) -> Iterator[Entry]:
    hashes = {each.language: each.content_hash for each in editions.frozen}
    for language, edition in editions.by_language.items():
        draft = issue.drafts[language]
        if receipt and receipt.editions.get(language) != hashes[language] and not draft.corrected:
            screen.note(f"{draft.path}: this is not the text that was sent; say so with `corrected: {_today()}`")
        yield _entry(settings, draft, edition, tuple(editions.by_language), receipt)


def _entry(
    settings: Settings, draft: Draft, edition: Edition, languages: tuple[str, ...], receipt: _Receipt | None
) -> Entry:
    skeleton = make_skeleton(edition)
    reader = neutral_reader(skeleton, edition.language)
    html = filled(merged_html(skeleton, reader, unsubscribe_url=LEAVE, view_url=VIEW))
    for address in (f"{base_url(settings)}/pictures/", "cid:"):
        html = html.replace(f'"{address}', f'"{_UP}/pictures/')
    words = filled(merged_text(skeleton, reader, unsubscribe_url=LEAVE, view_url=VIEW))
    day = draft.date or (receipt.sent_at.date() if receipt else None)
    updated = (
        receipt.sent_at if receipt else datetime.combine(day or datetime.now(UTC).date(), datetime.min.time(), UTC)
    )
    corrected = date.fromisoformat(draft.corrected) if draft.corrected else None
    if corrected:
        updated = max(updated, datetime.combine(corrected, datetime.min.time(), UTC))
    return Entry(
        number=edition.number,
        language=edition.language,
        languages=languages,
        title=without_marks(draft.title) or f"{edition.number}",
        summary=without_marks(draft.preheader),
        day=day,
        updated=updated,
        corrected=corrected,
        correction=draft.correction,
        picture=edition.pictures[0].name if edition.pictures else None,
        html=html,
        text=words,
    )


def _written(settings: Settings, out: Path, entries: list[Entry], pictures: Mapping[str, bytes]) -> list[Path]:
    root, name = base_url(settings), settings.name or settings.folder.name
    newest_first = sorted(entries, key=lambda each: -each.number)
    pages = {out / each.path / "index.html": issue_page(each, root=root, newsletter=name) for each in newest_first}
    pages[out / "index.html"] = front_page(newest_first, newsletter=name, language=settings.language, root=root)
    pages[out / "feed.xml"] = atom_feed(newest_first, newsletter=name, root=root, language=settings.language)
    pages[out / "sitemap.xml"] = sitemap(newest_first, root=root)
    for path, text in pages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (out / "pictures").mkdir(exist_ok=True)
    for picture, content in pictures.items():
        (out / "pictures" / picture).write_bytes(content)
    return list(pages)


def _receipt(path: Path) -> _Receipt | None:
    """What the receipt says; None if the issue has none. Raises InputWrong for one that cannot be read."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        sent_at = datetime.fromisoformat(said["first_handed_over_at"])
        return _Receipt(sent_at=sent_at, editions={str(key): str(value) for key, value in said["editions"].items()})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        fault = Fault(path=str(path), message="the receipt cannot be read", remedy="restore it from git")
        raise InputWrong([fault]) from error


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
