"""The archive that `serve` shows: every issue that went out live, as it was sent or has been corrected."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path

from dispatcher.config import Settings
from dispatcher.content.message.build import make_skeleton, neutral_subject
from dispatcher.content.source.front_matter import Head
from dispatcher.content.source.issue import issue_folders, issue_number, read_heads
from dispatcher.desk.archive_site import Entry, Shelf, issue_page
from dispatcher.errors import InputWrong, NotFound
from dispatcher.models import Edition, Kind
from dispatcher.recipes.archive import first_moment, neutral_html
from dispatcher.recipes.editions import compose_editions, load_named, thaw_editions
from dispatcher.recipes.newsletter import Newsletter, base_url, letterhead
from dispatcher.storage.mailings import Mailing, find_mailing, gone_out

_ISSUES_KEPT, _PAGES_KEPT = 1000, 64
_State = tuple[tuple[str, int, int], ...]  # the files of an issue: name, time and size


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicArchive:
    shelf: Shelf
    entries: Callable[[], Sequence[Entry]]  # newest first, one for each language
    page: Callable[[int, str], str | None]  # number, language; None for what has not gone out live


def open_archive(newsletter: Newsletter) -> PublicArchive:
    """What has been drawn is remembered until an issue's files change."""
    settings = newsletter.settings
    shelf = Shelf(
        newsletter=letterhead(settings).newsletter,
        language=settings.language,
        root=base_url(settings),
        ending="",
        home="/issues",
        beside="/issues/{number}/{language}",
    )

    @lru_cache(maxsize=_ISSUES_KEPT)
    def entries_of(mailing_id: int, sent_at: datetime, folder: Path | None, _state: _State) -> Mapping[str, Entry]:
        editions, _ = thaw_editions(newsletter.database, mailing_id)
        heads = read_heads(folder, settings.folder, settings.language) if folder else {}
        languages = tuple(editions.by_language)
        return {
            language: _entry(edition, languages, sent_at, heads.get(language, Head(body="", body_line=1)))
            for language, edition in editions.by_language.items()
        }

    @lru_cache(maxsize=_PAGES_KEPT)
    def page_of(mailing_id: int, entry: Entry, _state: _State) -> str:
        corrected = _corrected(settings, entry) if entry.corrected else None
        edition = corrected or thaw_editions(newsletter.database, mailing_id)[0].by_language[entry.language]
        pictures = f"{base_url(settings)}/pictures"
        return issue_page(entry, neutral_html(edition, pictures=pictures, hosted=pictures), shelf)

    def known(mailing: Mailing, folder: Path | None) -> tuple[Mapping[str, Entry], _State]:
        state = _state_of(folder)
        return entries_of(mailing.id, mailing.handed_over_at or mailing.frozen_at, folder, state), state

    def entries() -> Sequence[Entry]:
        folders = _folders(settings)
        mailings = gone_out(newsletter.database)
        return [entry for each in mailings for entry in known(each, folders.get(each.issue))[0].values()]

    def page(number: int, language: str) -> str | None:
        mailing = find_mailing(newsletter.database, number, Kind.LIVE)
        if mailing is None or mailing.handed_over_at is None:
            return None
        folders = _folders(settings)
        drawn, state = known(mailing, folders.get(number))
        return page_of(mailing.id, drawn[language], state) if language in drawn else None

    return PublicArchive(shelf=shelf, entries=entries, page=page)


def _entry(edition: Edition, languages: tuple[str, ...], sent_at: datetime, head: Head) -> Entry:
    """Of what was sent; its files tell what a mail does not say."""
    said = {key: value.text for key, value in head.values.items() if "{" not in value.text}  # no reader's field
    corrected = date.fromisoformat(said["corrected"]) if "corrected" in said else None
    return Entry(
        number=edition.number,
        language=edition.language,
        languages=languages,
        title=said.get("title") or neutral_subject(make_skeleton(edition)),
        summary=said.get("preheader", ""),
        day=sent_at.date(),
        updated=max(sent_at, first_moment(corrected)) if corrected else sent_at,
        corrected=corrected,
        correction=said.get("correction", ""),
        picture=edition.pictures[0].name if edition.pictures else None,
    )


def _corrected(settings: Settings, entry: Entry) -> Edition | None:
    """The edition as its files have it now; None where they cannot be drawn, for readers get a page all the same."""
    try:
        return compose_editions(load_named(settings, f"{entry.number}"), settings).by_language.get(entry.language)
    except (InputWrong, NotFound):
        return None


def _folders(settings: Settings) -> Mapping[int, Path]:
    return {issue_number(folder): folder for folder in issue_folders(settings.folder)}


def _state_of(folder: Path | None) -> _State:
    try:
        files = sorted(folder.glob("issue*.md")) if folder else []
        return tuple((each.name, each.stat().st_mtime_ns, each.stat().st_size) for each in files)
    except OSError:
        return ()
