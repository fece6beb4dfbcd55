"""What a preview shows: the issue as its files are at the moment, each language drawn once until the next save."""

import threading
from contextlib import closing
from functools import cache
from pathlib import Path

from dispatcher.config import Settings, load_settings
from dispatcher.content.compose import Drawn
from dispatcher.content.message.budget import MAX_BYTES, encoded_bytes, weigh
from dispatcher.content.message.build import make_skeleton, merged_html, merged_text, neutral_reader
from dispatcher.content.personal import as_written, without_marks
from dispatcher.content.source.issue import Draft, Issue
from dispatcher.desk.preview import Details, Shown, Wanted
from dispatcher.errors import Finding, InputWrong, NotFound
from dispatcher.models import Subscriber
from dispatcher.recipes.check import Wish, check_issue, unreadable
from dispatcher.recipes.editions import draw_draft, filled, load_named, sample_message
from dispatcher.recipes.newsletter import base_url
from dispatcher.storage.database import find_database
from dispatcher.storage.readers import find_subscriber
from dispatcher.storage.subscribers import everybody

_MOST_READERS = 500  # offered by name; any other address may be typed
_LANGUAGES_OF = "issue*.md"


class Take:
    """The newsletter between two saves: read once, and each language drawn once, whoever asks for it."""

    def __init__(self, folder: Path, what: str) -> None:
        self._folder, self._what = folder, what
        self._one_at_a_time = threading.RLock()
        self._read: tuple[Settings, Issue] | None = None
        self._drawn: dict[str, Drawn] = {}

    def read(self) -> tuple[Settings, Issue]:
        """Raises NotFound, InputWrong, SettingsWrong."""
        with self._one_at_a_time:
            if self._read is None:
                settings = load_settings(self._folder)
                self._read = settings, load_named(settings, self._what)
            return self._read

    def draw(self, draft: Draft) -> Drawn:
        """Raises InputWrong."""
        with self._one_at_a_time:
            if draft.language not in self._drawn:
                settings, issue = self.read()
                self._drawn[draft.language] = draw_draft(issue, draft, settings, label_missing=True)
            return self._drawn[draft.language]


class Stage:
    """Answers what the preview's page asks; its functions raise NotFound, InputWrong and SettingsWrong."""

    def __init__(self, folder: Path, what: str) -> None:
        self._folder, self._what = folder, what
        self._finding = threading.Lock()  # looking for faults takes longer, and nobody waits for it to see the picture
        self.forget()

    def forget(self) -> None:
        """After a save everything is made anew; what is being made at the moment is late."""
        self._take = Take(self._folder, self._what)

    def show(self, wanted: Wanted) -> Shown:
        return _shown(self._take, wanted)

    def find(self) -> tuple[Finding, ...]:
        """What `dispatcher check` finds."""
        with self._finding:
            take = self._take
            try:
                settings, issue = take.read()
            except InputWrong as error:
                return unreadable(error).findings
            return check_issue(settings, issue, Wish(), take.draw).findings

    def readers(self) -> list[str]:
        """Some of the addresses on the issue's list, for the picker."""
        settings, issue = self._take.read()
        database = find_database(settings.database, settings.folder)
        if database is None:
            return []
        with closing(database):
            people = everybody(database, issue.list_name or settings.list)
            return [row.email for row, _ in zip(people, range(_MOST_READERS), strict=False) if row.state == "active"]


def _shown(take: Take, wanted: Wanted) -> Shown:
    settings, issue = take.read()
    draft = issue.drafts.get(wanted.language or "") or next(iter(issue.drafts.values()))
    language = draft.language
    drawn = take.draw(draft)
    edition, skeleton = drawn.edition, make_skeleton(drawn.edition)
    reader = _reader(settings, wanted.reader) or neutral_reader(skeleton, language)
    links = {"unsubscribe_url": f"{base_url(settings)}/u/sample", "view_url": f"{base_url(settings)}/v/sample"}
    html = filled(merged_html(skeleton, reader, **links))

    @cache
    def details() -> Details:
        return Details(
            message=sample_message(settings, skeleton, reader, issue.number),
            sources={**_files(issue, draft, settings.folder), "MJML": as_written(drawn.mjml, edition.fields)},
            decoded=weigh(edition.html).total,
            travels=encoded_bytes(edition.html),
            limit=MAX_BYTES,
        )

    return Shown(
        number=issue.number,
        language=language,
        languages=tuple(issue.drafts),
        subject=without_marks(draft.subject),
        preheader=without_marks(draft.preheader),
        html=html.replace(f'"{base_url(settings)}/pictures/', '"/pictures/').replace('"cid:', '"/pictures/'),
        text=filled(merged_text(skeleton, reader, **links)),
        details=details,
        pictures={each.name: (each.media_type, each.content) for each in edition.pictures},
    )


def _files(issue: Issue, draft: Draft, root: Path) -> dict[str, str]:
    """The issue's Markdown by file, that of the language first."""
    files = sorted(issue.folder.glob(_LANGUAGES_OF), key=lambda path: path != draft.path)
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in files}


def _reader(settings: Settings, address: str | None) -> Subscriber | None:
    if address is None:
        return None
    if (database := find_database(settings.database, settings.folder)) is not None:
        with closing(database):
            if found := find_subscriber(database, address.strip().lower()):
                return found
    raise NotFound(f"{address}: nobody has this address; import the list first, or choose another reader")
