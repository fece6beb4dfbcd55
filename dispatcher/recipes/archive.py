"""The recipe of `dispatcher archive --out DIR`: a static site of what has gone out, with nobody's data in it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from dispatcher.config import Settings
from dispatcher.content.message.build import make_skeleton, merged_html, neutral_reader
from dispatcher.content.message.evaluate import Nowhere
from dispatcher.content.personal import without_marks
from dispatcher.content.source.issue import Draft, Issue, issue_folders, load_issue
from dispatcher.desk import screen
from dispatcher.desk.archive_site import LEAVE, VIEW, Entry, Shelf, atom_feed, front_page, issue_page, sitemap
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
    shelf = Shelf(
        newsletter=settings.name or settings.folder.name,
        language=settings.language,
        root=base_url(settings),
        ending="/",
        home=f"{_UP}/index.html",
        beside="../{language}/index.html",
    )
    entries: list[Entry] = []
    pages: dict[Path, str] = {}
    pictures: dict[str, bytes] = {}
    for folder in reversed(issue_folders(settings.folder)):
        receipt = _receipt(folder / "receipt.json")
        if receipt is None and not with_unsent:
            continue
        issue = load_issue(folder, root=settings.folder, default_language=settings.language)
        editions = compose_editions(issue, settings)
        _say_differences(issue, editions, receipt)
        for language, edition in editions.by_language.items():
            entry = _entry(issue.drafts[language], edition, tuple(editions.by_language), receipt)
            entries.append(entry)
            html = neutral_html(edition, pictures=f"{_UP}/pictures", hosted=f"{base_url(settings)}/pictures")
            pages[out / entry.path / "index.html"] = issue_page(entry, html, shelf)
            pictures |= {each.name: each.content for each in edition.pictures}
    if not entries:
        raise NotFound("no issue has been sent live from here yet; --with-unsent takes those as well")
    pages[out / "index.html"] = front_page(entries, shelf)
    pages[out / "feed.xml"] = atom_feed(entries, shelf)
    pages[out / "sitemap.xml"] = sitemap(entries, shelf)
    _write(out, pages, pictures)
    return list(pages)


def neutral_html(edition: Edition, *, pictures: str, hosted: str) -> str:
    """What nobody in particular sees, with the pictures at `pictures` instead of `hosted` or in the mail."""
    skeleton = make_skeleton(edition)
    reader = neutral_reader(skeleton, edition.language)
    html = filled(merged_html(skeleton, reader, unsubscribe_url=Nowhere(LEAVE), view_url=VIEW))
    return html.replace(f'"{hosted}/', f'"{pictures}/').replace('"cid:', f'"{pictures}/')


def first_moment(day: date) -> datetime:
    """A day's first moment, where an hour is asked for."""
    return datetime.combine(day, datetime.min.time(), UTC)


def _say_differences(issue: Issue, editions: Editions, receipt: _Receipt | None) -> None:
    for each in editions.frozen:
        draft = issue.drafts[each.language]
        if receipt and receipt.editions.get(each.language) != each.content_hash and not draft.corrected:
            screen.note(f"{draft.path}: this is not the text that was sent; say so with `corrected: {_today()}`")


def _entry(draft: Draft, edition: Edition, languages: tuple[str, ...], receipt: _Receipt | None) -> Entry:
    day = draft.date or (receipt.sent_at.date() if receipt else None)
    corrected = date.fromisoformat(draft.corrected) if draft.corrected else None
    sent_at = receipt.sent_at if receipt else first_moment(day or datetime.now(UTC).date())
    return Entry(
        number=edition.number,
        language=edition.language,
        languages=languages,
        title=without_marks(draft.title) or f"{edition.number}",
        summary=without_marks(draft.preheader),
        day=day,
        updated=max(sent_at, first_moment(corrected)) if corrected else sent_at,
        corrected=corrected,
        correction=draft.correction,
        picture=edition.pictures[0].name if edition.pictures else None,
    )


def _write(out: Path, pages: Mapping[Path, str], pictures: Mapping[str, bytes]) -> None:
    for path, text in pages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (out / "pictures").mkdir(exist_ok=True)
    for picture, content in pictures.items():
        (out / "pictures" / picture).write_bytes(content)


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
