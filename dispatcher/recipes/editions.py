"""Makes an issue's editions, freezes them, and checks that every reader's fields fill them."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dispatcher.audience.language import best_match
from dispatcher.config import Settings
from dispatcher.content.compose import Drawn, draw
from dispatcher.content.drawing.theme import find_theme
from dispatcher.content.message.budget import MAX_BYTES, encoded_bytes, weigh
from dispatcher.content.message.build import Skeleton, build_message, make_skeleton
from dispatcher.content.message.evaluate import reader_values
from dispatcher.content.message.frozen import content_hash, freeze_edition, picture_names, thaw_edition
from dispatcher.content.message.merge import Unfilled
from dispatcher.content.message.needs import attributes_used, culprit
from dispatcher.content.source.issue import Draft, Issue, find_issue, load_issue
from dispatcher.content.source.translations import drift
from dispatcher.desk import screen
from dispatcher.errors import Fault, InputWrong
from dispatcher.expressions import Expression
from dispatcher.models import Edition, Field, Subscriber
from dispatcher.recipes.newsletter import letterhead, sample_copy
from dispatcher.storage.database import Database
from dispatcher.storage.mailings import FrozenEdition, editions_of, find_picture
from dispatcher.storage.readers import representatives


@dataclass(frozen=True, slots=True, kw_only=True)
class Editions:
    """An issue's editions, one a language, that of issue.md first."""

    number: int
    default_language: str
    by_language: Mapping[str, Edition]
    warnings: tuple[Fault, ...] = ()  # of the issue's files

    def language_for(self, wanted: str | None) -> str:
        return best_match(wanted, list(self.by_language), self.default_language)

    @property
    def frozen(self) -> list[FrozenEdition]:
        frozen = ((language, freeze_edition(edition)) for language, edition in self.by_language.items())
        return [FrozenEdition(language=each, content_hash=content_hash(text), frozen=text) for each, text in frozen]

    @property
    def content_hash(self) -> str:
        """Of all editions together."""
        return hashlib.sha256("".join(each.content_hash for each in self.frozen).encode()).hexdigest()


def load_named(settings: Settings, what: str) -> Issue:
    """The issue that `what` names. Raises NotFound, InputWrong."""
    folder = find_issue(settings.folder, what)
    return load_issue(folder, root=settings.folder, default_language=settings.language)


def compose_editions(issue: Issue, settings: Settings, *, label_missing: bool = False) -> Editions:
    """Renders every language of the issue. Raises InputWrong with the faults of all of them."""
    made: dict[str, Edition] = {}
    warnings = _drift(issue, settings.folder)
    faults: list[Fault] = []
    for language, draft in issue.drafts.items():
        try:
            drawn = draw_draft(issue, draft, settings, label_missing=label_missing)
            made[language] = drawn.edition
            warnings += drawn.warnings
            make_skeleton(made[language])
        except InputWrong as error:
            faults += error.faults
    if faults:
        raise InputWrong(list(dict.fromkeys(faults)))
    once = tuple(dict.fromkeys(warnings))
    return Editions(number=issue.number, default_language=next(iter(made)), by_language=made, warnings=once)


def draw_draft(issue: Issue, draft: Draft, settings: Settings, *, label_missing: bool) -> Drawn:
    """One of the issue's languages, as the newsletter's theme and settings draw it. Raises InputWrong."""
    return draw(
        draft,
        number=issue.number,
        folder=issue.folder,
        theme=find_theme(draft.theme or settings.theme, settings.folder),
        letterhead=letterhead(settings),
        label_missing=label_missing,
    )


def thaw_editions(database: Database, mailing_id: int) -> tuple[Editions, dict[int, str]]:
    """The editions as they were frozen, and the language of each by its id."""
    made: dict[str, Edition] = {}
    languages: dict[int, str] = {}
    for edition_id, each in editions_of(database, mailing_id).items():
        pictures = {name: (find_picture(database, name) or ("", b""))[1] for name in picture_names(each.frozen)}
        made[each.language] = thaw_edition(each.frozen, pictures)
        languages[edition_id] = each.language
    first = next(iter(made))
    return Editions(number=made[first].number, default_language=first, by_language=made), languages


def check_fields(
    database: Database,
    settings: Settings,
    editions: Editions,
    list_name: str,
    languages: Mapping[str, Sequence[str | None]],
    where: Expression | None = None,
) -> None:
    """Merges one reader for each combination of what an edition looks at; raises InputWrong if a field is missing.

    `languages` maps an edition's language to those of the readers who get it.
    """
    faults: list[Fault] = []
    for language, spoken in languages.items():
        edition = editions.by_language[language]
        skeleton = make_skeleton(edition)
        unfilled: Counter[Unfilled] = Counter()
        examples: dict[Unfilled, Subscriber] = {}
        for reader, people in representatives(database, list_name, spoken, attributes_used(edition), where):
            if (problem := _trial(settings, skeleton, reader)) is not None:
                unfilled[problem] += people
                examples.setdefault(problem, reader)
        for problem, people in unfilled.items():
            values = reader_values(examples[problem], unsubscribe_url="", view_url="")
            field = culprit(edition.fields, values) or edition.fields[0]
            faults.append(_fault(problem, people, field, list_name))
    if faults:
        raise InputWrong(faults)


def filled(part: str | Unfilled) -> str:
    """A part that has been merged for one reader. Raises InputWrong if his fields do not fill it."""
    if isinstance(part, Unfilled):
        raise InputWrong([Fault(path="issue", message=part.reason, remedy="choose another reader, or add a default")])
    return part


def sample_message(settings: Settings, skeleton: Skeleton, reader: Subscriber, number: int) -> bytes:
    """The message that this reader would get, with a sample's links. Raises InputWrong if it cannot be built."""
    built = build_message(skeleton, sample_copy(settings, reader, number=number))
    if isinstance(built, Unfilled):
        raise InputWrong([Fault(path=reader.email, message=built.reason)])
    return built


def say_weights(editions: Editions) -> None:
    """How much of what Gmail shows each edition's HTML takes, with every personal field at its longest."""
    for language, edition in editions.by_language.items():
        weight = weigh(edition.html)
        advice = "; near the limit, so that stories are set close together" if weight.is_near else ""
        screen.note(
            f"{language}: {weight.total:,} bytes of HTML, {encoded_bytes(edition.html):,} as it travels; "
            f"Gmail shows {MAX_BYTES:,}{advice}"
        )
        if sizes := sorted(len(picture.content) for picture in edition.pictures):
            screen.note(
                f"{language}: {len(sizes)} {'picture' if len(sizes) == 1 else 'pictures'} of {sum(sizes):,} bytes, "
                f"the heaviest {sizes[-1]:,}"
            )


def say_warnings(editions: Editions) -> None:
    """What need not stop a send."""
    for fault in editions.warnings:
        screen.note(f"warning: {fault}")


def source_hashes(folder: Path, root: Path) -> dict[str, str]:
    """SHA-256 of every file that an issue and its theme are made of, by its path in the newsletter's folder."""
    files = [*folder.rglob("*"), *(root / "templates").rglob("*")]
    return {
        str(path.relative_to(root)): _hash(path)
        for path in sorted(files)
        if path.is_file() and path.name != "receipt.json" and not path.name.startswith(".")
    }


def _drift(issue: Issue, root: Path) -> list[Fault]:
    """Where translations have fallen behind issue.md."""
    original, *translations = issue.drafts.values()
    shown = {each: each.path.resolve().relative_to(root.resolve()).as_posix() for each in translations}
    return [fault for each, path in shown.items() for fault in drift(original, each, path=path)]


def _hash(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:  # a stray file that is closed to us is none of the issue's
        return "unreadable"


def manifest(editions: Editions) -> str:
    """Hashes of all editions and pictures, as JSON."""
    shown = {
        "issue": editions.number,
        "content_hash": editions.content_hash,
        "editions": {each.language: each.content_hash for each in editions.frozen},
        "pictures": sorted({picture.name for each in editions.by_language.values() for picture in each.pictures}),
    }
    return json.dumps(shown, indent=2) + "\n"


def _trial(settings: Settings, skeleton: Skeleton, reader: Subscriber) -> Unfilled | None:
    try:
        built = build_message(skeleton, sample_copy(settings, reader, number=skeleton.edition.number))
    except ValueError as error:
        return Unfilled(reason=str(error))
    return built if isinstance(built, Unfilled) else None


def _fault(problem: Unfilled, people: int, field: Field, list_name: str) -> Fault:
    who = f"1 reader of {list_name} has" if people == 1 else f"{people:,} readers of {list_name} have"
    if problem.field is None:
        return Fault(path=field.path, line=field.line, message=f"{problem.reason}: {who} such", remedy="correct them")
    return Fault(
        path=field.path,
        line=field.line,
        message=f"{who} no {problem.field}, which {field.source} prints",
        remedy=f'add it to the list, or write {{{{ subscriber.{problem.field} | default("…") }}}}',
    )
