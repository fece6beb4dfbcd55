"""Makes an edition out of a draft: pictures placed, MJML and text drawn by the theme, styles inlined."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import pass_environment

from dispatcher.content.drawing import html, text
from dispatcher.content.drawing.addresses import shown_url
from dispatcher.content.drawing.inline import damage, inline_styles, take_inlined_styles
from dispatcher.content.drawing.mirror import mirrored
from dispatcher.content.drawing.mjml import mjml_to_html
from dispatcher.content.drawing.picture_weight import picture_warnings
from dispatcher.content.drawing.pictures import place_pictures
from dispatcher.content.drawing.reading_time import minutes_to_read
from dispatcher.content.drawing.some_readers import bracketed, numbered
from dispatcher.content.drawing.tagged import tagged
from dispatcher.content.drawing.theme import Theme, open_environment, read_strings, render, shown_path
from dispatcher.content.drawing.wrap import wrap
from dispatcher.content.figures import figures
from dispatcher.content.message.budget import MAX_BYTES, Weight, weigh
from dispatcher.content.source.issue import Draft
from dispatcher.content.tree import (
    Document,
    Figure,
    Paragraph,
    plain_text,
)
from dispatcher.content.wording import Wording, closing, counted, spell_date, sponsored
from dispatcher.errors import Fault, InputWrong
from dispatcher.models import Edition, Field, Letterhead, Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """An edition, and what came up on the way to it."""

    edition: Edition
    mjml: str = ""  # with marks, as the edition has them
    warnings: tuple[Fault, ...] = ()  # what need not stop a send; with `label_missing`, what does as well


def compose(
    draft: Draft, *, number: int, folder: Path, theme: Theme, letterhead: Letterhead, label_missing: bool = False
) -> Edition:
    """The edition of a draft; the same input gives the same bytes.

    With `label_missing`, a picture that cannot be used is drawn as a box with its name instead of raising InputWrong.
    """
    drawn = draw(draft, number=number, folder=folder, theme=theme, letterhead=letterhead, label_missing=label_missing)
    return drawn.edition


def draw(
    draft: Draft, *, number: int, folder: Path, theme: Theme, letterhead: Letterhead, label_missing: bool = False
) -> Drawn:
    """The same, with what came up on the way."""
    document, faults = place_pictures(draft.document, folder)
    if faults and not label_missing:
        raise InputWrong(faults)
    warnings = (*faults, *picture_warnings(document, shown_path(draft.path, theme)))
    document = tagged(document, letterhead.utm.replace("{number}", str(number)), but=letterhead.base_url)
    draft = replace(draft, document=document)
    made, mjml = _draw(draft, number=number, theme=theme, letterhead=letterhead, compact=False)
    weight = _weigh(made, document)
    if weight.is_near:
        made, mjml = _draw(draft, number=number, theme=theme, letterhead=letterhead, compact=True)
        weight = _weigh(made, document)
    if weight.is_over:
        raise InputWrong([_too_large(weight, document, shown_path(draft.path, theme))])
    return Drawn(edition=made, mjml=mjml, warnings=warnings)


def _weigh(edition: Edition, document: Document) -> Weight:
    return weigh(edition.html, [story.anchor for section in document.sections for story in section.stories])


def _too_large(weight: Weight, document: Document, path: str) -> Fault:
    titles = {story.anchor: plain_text(story.title) for section in document.sections for story in section.stories}
    named = [f"“{titles[anchor]}” {size:,}" for anchor, size in weight.largest()]
    largest = f"; the largest stories: {', '.join(named)}" if named else ""
    return Fault(
        path=path,
        message=f"the HTML has {weight.total:,} bytes, and Gmail cuts it off after {MAX_BYTES:,}{largest}",
        remedy="shorten the issue, or send it as two",
        check="NL018",
    )


def _draw(draft: Draft, *, number: int, theme: Theme, letterhead: Letterhead, compact: bool) -> tuple[Edition, str]:
    """The edition as the theme draws it, and its MJML; `compact` asks for few wrappers between the stories."""
    document = draft.document
    fields: list[Field] = list(draft.fields)
    path = shown_path(draft.path, theme)
    opens, closes = bracketed(document, into=fields, path=path)
    strings = read_strings(theme, draft.language)
    environment = open_environment(
        theme,
        into=fields,
        strings=strings,
        document=document,
        **_masthead(document),
        compact=compact,
        numbers=numbered(document, into=fields, path=path),
        opens=opens,
        closes=closes,
        language=draft.language,
        number=number,
        date=spell_date(draft.date, draft.language),
        title=plain_text(document.title),
        preheader=draft.preheader,
        newsletter=letterhead.newsletter,
        postal_address=letterhead.postal_address,
    )
    wording = Wording(language=draft.language, strings=strings)
    environment.filters |= _filters(wording, letterhead)
    environment.globals["minutes"] = counted("minutes", minutes_to_read(_prose(document, wording)), wording)
    mjml = render(environment, "issue.mjml", theme)
    edition = Edition(
        number=number,
        language=draft.language,
        newsletter=letterhead.newsletter,
        sender=letterhead.sender,
        reply_to=letterhead.reply_to,
        subject=draft.subject,
        html=_finished(mjml, f"templates/{theme.name}/issue.mjml", turned=strings["dir"] == "rtl"),
        text=render(environment, "issue.txt", theme).rstrip("\n") + "\n",
        fields=tuple(fields),
        pictures=tuple(dict.fromkeys(_pictures(document))),
        inline_pictures=letterhead.inline_pictures,
    )
    return edition, mjml


def _finished(mjml: str, path: str, *, turned: bool) -> str:
    plain, rules = take_inlined_styles(mjml)
    finished = inline_styles(mjml_to_html(plain, path=path), rules)
    if turned:
        finished = mirrored(finished)
    if losses := damage(mjml, finished):
        message = f"rendering lost or damaged {', '.join(losses)}"
        raise InputWrong([Fault(path=path, message=message, remedy="keep personal fields out of comments and styles")])
    return finished


def _filters(wording: Wording, letterhead: Letterhead) -> dict[str, Callable[..., Any]]:
    return {
        "html": html.html,
        "isolated": partial(html.isolated, direction=wording.strings["dir"]),
        "blocks": pass_environment(html.blocks),
        "item": pass_environment(html.item),
        "address": partial(_address, letterhead=letterhead),
        "words": plain_text,
        "capital": text.capital,
        "body": lambda blocks, title=(): text.body(blocks, wording, title),
        "underline": text.underline,
        "shown_url": shown_url,
        "own_line": lambda mark: f"{mark}\n" if mark else "",
        "wrap": lambda words: "\n".join(wrap(words)),
        "day": lambda day: spell_date(day, wording.language, "medium"),
        "closing": lambda until: closing(until, wording),
        "sponsored": lambda sponsor: sponsored(sponsor.name, sponsor.label, wording.strings),
    }


def _address(picture: Picture, letterhead: Letterhead) -> str:
    return f"cid:{picture.name}" if letterhead.inline_pictures else f"{letterhead.base_url}/pictures/{picture.name}"


def _prose(document: Document, wording: Wording) -> str:
    """What there is to read."""
    stories = (story for section in document.sections for story in section.stories)
    parts = [document.intro, *(story.body for story in stories), *(note.body for note in document.notes)]
    return "".join(text.body(blocks, wording) for blocks in parts)


def _masthead(document: Document) -> dict[str, Any]:
    """The intro in three: a tagline is the paragraph before an opening picture."""
    intro = document.intro
    at = next((at for at, block in enumerate(intro[:2]) if isinstance(block, Figure)), None)
    if at is None or not all(isinstance(block, Paragraph) for block in intro[:at]):
        return {"tagline": None, "opening": None, "intro": intro}
    return {"tagline": intro[0] if at else None, "opening": intro[at], "intro": intro[at + 1 :]}


def _pictures(document: Document) -> Iterator[Picture]:
    for figure in figures(document):
        yield from (each for each in (figure.picture, figure.dark) if each is not None)
